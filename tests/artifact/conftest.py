"""Students that are exported once for all tests of this folder."""

from types import SimpleNamespace

import numpy as np
import pytest
from made_students import MODALITIES, bert_student, make_corpus, student

from understudy.artifact.export import export
from understudy.tasks import Classification, Regression


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> SimpleNamespace:
    """A regression corpus, its split, the student of all six kinds and its artifact."""
    folder = tmp_path_factory.mktemp("world")
    task = Regression(unit="points").fit(np.array([10.0, 90.0]))
    corpus, split = make_corpus(folder / "corpus", task)
    model = student(corpus, *MODALITIES)
    out = export(model, folder / "artifact", corpus=corpus, split=split, about={"name": "six"})
    return SimpleNamespace(folder=folder, corpus=corpus, split=split, model=model, artifact=out)


@pytest.fixture(scope="session")
def reader(tmp_path_factory) -> SimpleNamespace:
    """A classification corpus, and a student that reads its text alone through a transformers encoder."""
    folder = tmp_path_factory.mktemp("reader")
    task = Classification(classes=("low", "middle", "high, or <b>higher</b>"))
    corpus, split = make_corpus(folder / "corpus", task)
    model = bert_student(corpus)
    out = export(model, folder / "artifact", corpus=corpus, split=split, about={"name": "reader"})
    return SimpleNamespace(folder=folder, corpus=corpus, split=split, model=model, artifact=out)
