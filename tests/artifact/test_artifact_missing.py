"""What absent modalities cost: the metric of each subset on the same test rows, in the card and for who serves it."""

import json

import numpy as np
import pytest
from made_students import MODALITIES

from understudy.artifact.card import without
from understudy.artifact.missing import missing, subsets_of
from understudy.artifact.predict import Artifact
from understudy.corpus import Split


def whole_rows(corpus):
    return np.flatnonzero(np.logical_and.reduce([corpus.present(m) for m in MODALITIES]))


def test_each_subset_is_scored_on_rows_that_have_everything(world):
    rows = whole_rows(world.corpus)
    split = Split("whole", train=rows[:1], test=np.arange(len(world.corpus)), labelled=rows[:1])
    artifact = Artifact(world.artifact)
    found = missing(artifact, task=world.model.task, corpus=world.corpus, split=split)
    assert (found["metric"], found["rows"]) == (world.model.task.primary, len(rows))
    assert len(found["scores"]) == 1 + 6 + 6
    target = world.corpus.target[rows]
    for subset in (list(MODALITIES), ["said"], [m for m in MODALITIES if m != "said"]):
        said = artifact.predict_cells({m: world.corpus.cells(m, rows) for m in subset}).values
        assert found["scores"]["+".join(subset)] == pytest.approx(np.abs(said - target).mean())


def test_it_stands_in_the_artifact_and_its_card(world):
    found = json.loads((world.artifact / "missing.json").read_text())
    card = (world.artifact / "card.md").read_text()
    assert without(found) in card
    assert f"| said | {found['scores']['said']:.4g} |" in card


def test_one_modality_misses_nothing(reader):
    assert not (reader.artifact / "missing.json").exists()
    assert "What is missing" not in (reader.artifact / "card.md").read_text()


def test_subsets():
    assert list(subsets_of(["a", "b"])) == [("a", "b"), ("a",), ("b",)]
    assert len(list(subsets_of(list("abcd")))) == 15
    assert len(list(subsets_of(list("abcde")))) == 11
