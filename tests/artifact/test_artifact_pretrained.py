"""A student with a transformers encoder ships with its tokenizer, and answers as the model does."""

import csv

import numpy as np
import pytest
import torch
from conftest import make_corpus
from understudy.artifact import Artifact, predict_file
from understudy.artifact.export import export
from understudy.artifact.parity import predict_corpus
from understudy.encoders import TextEncoder
from understudy.evaluate.score import predict
from understudy.loader import Loader
from understudy.model import Model, views_of
from understudy.prepare import Text
from understudy.task import Regression


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    corpus, split = make_corpus(folder / "corpus", Regression(mean=50, scale=20))
    view = Text.bpe(vocabulary=300, max_tokens=24).fit(corpus.cells("said", split.train))
    config = {
        "model_type": "bert",
        "vocab_size": view.tokens,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 24,
    }
    torch.manual_seed(0)
    model = Model(corpus.task, {"said": TextEncoder(view, config=config)})
    return corpus, model, export(model, folder / "artifact", corpus=corpus, split=split, about={"name": "bert"})


def test_its_answers_are_the_models(shipped, tmp_path):
    corpus, model, folder = shipped
    rows = np.arange(len(corpus))
    found = predict_corpus(Artifact(folder), corpus, rows)
    expected = predict(model, Loader(corpus, rows, views_of(model), task=model.task, batch_size=64, shuffle=False))
    assert (found.seen == expected.seen).all()
    np.testing.assert_allclose(found.values[found.seen], expected.values[found.seen], atol=1e-4)
    assert np.ptp(found.values[found.seen]) > 1e-3


def test_words_of_any_script_and_length(shipped, tmp_path):
    texts = ["a", "Ünïcödé 漢字 😀", "word " * 50_000, '"quoted",\nwith a break', "   "]
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["said", "more"], *([text, 1] for text in texts)])
    summary = predict_file(Artifact(shipped[2]), tmp_path / "in.csv", tmp_path / "out.csv")
    assert (summary.rows, summary.answered) == (5, 4)
