"""A student with a transformers encoder ships with its tokenizer, and answers as the model does."""

import csv

import numpy as np

from understudy.artifact import Artifact, predict_file
from understudy.artifact.parity import predict_corpus
from understudy.batches.loader import Loader
from understudy.evaluate.score import predict
from understudy.models.model import views_of


def test_its_answers_are_the_models(reader):
    rows, model = np.arange(len(reader.corpus)), reader.model
    found = predict_corpus(Artifact(reader.artifact), reader.corpus, rows)
    loader = Loader(reader.corpus, rows, views_of(model), task=model.task, batch_size=64, shuffle=False)
    expected = predict(model, loader)
    assert (found.seen == expected.seen).all()
    np.testing.assert_allclose(found.values[found.seen], expected.values[found.seen], atol=1e-5)
    assert np.ptp(found.values[found.seen], axis=0).min() > 1e-3


def test_words_of_any_script_and_length(reader, tmp_path):
    texts = ["a", "Ünïcödé 漢字 😀", "word " * 50_000, '"quoted",\nwith a break', "   "]
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["said", "more"], *([text, 1] for text in texts)])
    summary = predict_file(Artifact(reader.artifact), tmp_path / "in.csv", tmp_path / "out.csv")
    assert (summary.rows, summary.answered) == (5, 4)
