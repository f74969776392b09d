"""Which rows a run needs: a modality may be there in training alone, but nothing is trained that could not be scored."""

import json
from pathlib import Path

import numpy as np
import pytest

import understudy as us
from tiny_clips import film
from understudy.corpus import Corpus, Schema, Split, write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.study.evaluation import evaluate_subsets, store_answers
from understudy.tasks import Classification
from understudy.training.plan import Plan

ROWS = 48
DARK = np.arange(ROWS) % 2 == 0
TRAIN, VALID, TEST = (np.isin(np.arange(ROWS) // 2 % 4, quarters) for quarters in ((0, 1), (2,), (3,)))
EARLY = np.arange(ROWS) < 20
ASKED = {"split": "main", "plan": Plan(epochs=2, batch_size=16, patience=1), "sizes": {"width": 8}, "seeds": 1}


def make_corpus(folder: Path, *, labelled: np.ndarray = TRAIN, test: np.ndarray = TEST, **here: np.ndarray) -> Corpus:
    """A dark film or a light one, and a text that says so; `here`: which rows have them, all without a word about it."""
    shown = {
        "text": [f"number {row} is {'dark' if DARK[row] else 'light'}" for row in range(ROWS)],
        "video": [film(40 + row if DARK[row] else 180 + row) for row in range(ROWS)],
    }
    cells = {}
    for name, values in shown.items():
        there = here.get(name, np.ones(ROWS, bool))
        cells[name] = Cells(name, [value if known else None for value, known in zip(values, there, strict=True)], there)
    schema = Schema(Classification(classes=("dark", "light")), {"text": Modality("text"), "video": Modality("video")})
    targets = (~DARK).astype(np.int64)
    corpus = write_corpus(folder, schema, ids=[f"r{row}" for row in range(ROWS)], targets=targets, cells=cells)
    parts = {"train": TRAIN, "valid": VALID, "test": test, "labelled": labelled}
    corpus.save_split(Split("main", **{name: np.flatnonzero(rows) for name, rows in parts.items()}))
    return corpus


@pytest.mark.parametrize(("method", "options"), [("kd", {}), ("amid", {"auxiliary_frozen": True, "dimension": 4})])
def test_a_modality_that_exists_in_training_only(tmp_path, method, options):
    corpus = make_corpus(tmp_path / "corpus", video=TRAIN)
    with pytest.warns(UserWarning, match="no test row of split 'main' has video, which the teacher reads, and no validation row"):
        run = us.distill(corpus, student=["text"], method=method, options=options, out=tmp_path / "run", **ASKED)
    found = run.results
    assert found["split"]["untested"] == {"teacher": ["video"]}
    assert (found["coverage"], found["rows"]) == (1.0, 12)
    assert found["systems"]["teacher"]["modalities"] == ["text", "video"]
    assert "No test row has video, which the teacher reads: its figure is that of a teacher without it." in run.report.read_text()
    subsets = evaluate_subsets(run, system="teacher", seed=None, split="")
    assert subsets["video"] == {"coverage": 0.0}
    assert subsets["text"] == subsets["text+video"]
    assert len(store_answers(run, tmp_path / "store", seed=None, codec="float32")) == ROWS
    assert "No test row has video" in (run.export(tmp_path / "shipped") / "card.md").read_text()
    assert list(us.Artifact(tmp_path / "shipped").modalities) == ["text"]
    if method == "amid":
        (log,) = [path.read_text().splitlines() for path in run.folder.glob("auxiliary/*/log.jsonl")]
        assert [json.loads(line)["valid"] for line in log] == [{}, {}]


@pytest.mark.parametrize(
    ("made", "asked", "message"),
    [
        ({"video": ~TRAIN}, {}, "no train row of split 'main' has 'video', which the teacher reads"),
        ({"video": TRAIN}, {"teacher": ["video"]}, "none of 12 validation rows .* has what the teacher reads .video."),
        ({"text": ~VALID}, {}, "none of 12 validation rows .* has what the student reads .text."),
        ({"text": ~TEST}, {}, "0 of 12 test rows .* something for each of the student .text. and the teacher .text, video."),
        ({"video": ~TEST}, {"teacher": ["video"]}, "0 of 12 test rows .*; a comparison needs at least 2"),
        ({"test": TEST & (np.arange(ROWS) < 7)}, {}, "1 of 1 test rows .*; a comparison needs at least 2"),
        ({"labelled": TRAIN & EARLY, "text": ~EARLY}, {}, "none of 12 labelled train rows .* has what the student reads"),
        (
            {"text": ~TRAIN | EARLY, "video": ~TRAIN | ~EARLY},
            {"teacher": ["video"]},
            "no train row of split 'main' has something for each of the student .text. and the teacher .video.",
        ),
    ],
)
def test_what_could_not_be_chosen_or_scored_is_refused_before_anything_is_trained(tmp_path, made, asked, message):
    corpus = make_corpus(tmp_path / "corpus", **made)
    with pytest.raises(ValueError, match=message):
        us.distill(corpus, student=["text"], out=tmp_path / "run", **ASKED | asked)
    assert not (tmp_path / "run").exists()
