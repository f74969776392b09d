"""Simple models: out of fold and by group, with small classes; baselines; the distilled probe; what a run's numbers recommend."""

import warnings

import numpy as np
import pytest

from understudy.corpus import Schema, Split, write_corpus
from understudy.evaluate.baselines import against, baselines_of
from understudy.evaluate.distilled_probe import soft_fitted
from understudy.evaluate.results import Recommended, recommended
from understudy.evaluate.simple import constant, fitted, folds_of, out_of_fold, usable
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Choice, Classification, Regression

CLASSES = Classification(classes=("a", "b", "c"))
random = np.random.default_rng(0)


@pytest.mark.parametrize("model", ["linear", "forest", "boosting", "svm"])
@pytest.mark.parametrize("number", [True, False])
def test_every_model_learns_what_is_there(model, number):
    x = random.normal(size=(150, 3))
    y = 3 * x[:, 0] if number else np.digitize(x[:, 0], [-0.4, 0.4])
    task = Regression() if number else CLASSES
    fold = folds_of(np.arange(150), np.zeros(150, np.intp) if number else y, folds=3)
    said = out_of_fold(model, task, x, y, fold)
    assert said.shape == ((150,) if number else (150, 3))
    assert (np.abs(said - y).mean() < 1) if number else ((said.argmax(axis=1) == y).mean() > 0.85)


@pytest.mark.parametrize("model", ["linear", "forest", "boosting", "svm"])
def test_a_class_of_one_row_and_a_single_class(model):
    x = random.normal(size=(41, 3))
    y = np.array([0, 1] * 20 + [2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = out_of_fold(model, CLASSES, x, y, folds_of(np.arange(41), y, folds=4))
        alone = fitted(model, CLASSES, x, np.ones(41, int))(x)
    assert said.sum(axis=1) == pytest.approx(np.ones(41))
    assert (alone == [0, 1, 0]).all()


def test_no_row_is_answered_by_a_model_of_its_group():
    groups = np.repeat(np.arange(30), 5)
    x = np.eye(30)[groups] + 0.01 * random.normal(size=(150, 30))
    y = random.normal(size=30)[groups]
    said = out_of_fold("linear", Regression(), x, y, folds_of(groups, np.zeros(150, np.intp)))
    # A model that saw the group would know its number by heart.
    assert np.abs(said - y).mean() > 0.5


def test_what_is_left_out():
    assert "boosting" not in usable(Classification(classes=tuple(map(str, range(21)))), 100)
    assert "svm" not in usable(CLASSES, 5001)
    assert usable(Choice(choices=4), 100) == ()


def test_the_constant_guess():
    assert constant(CLASSES, np.array([0, 2, 2, 2])) == pytest.approx(np.array([[0.25, 0, 0.75]]))
    assert constant(Regression(), np.array([1.0, 2, 50])) == pytest.approx([2])


@pytest.mark.parametrize("model", ["linear", "forest"])
def test_soft_answers_of_one_class_a_row_are_labels(model):
    x = random.normal(size=(120, 3))
    y = np.digitize(x[:, 0], [-0.4, 0.4])
    hard, soft = fitted(model, CLASSES, x[:80], y[:80])(x[80:]), soft_fitted(model, CLASSES, x[:80], np.eye(3)[y[:80]])(x[80:])
    assert (hard.argmax(axis=1) == soft.argmax(axis=1)).mean() > 0.9
    assert np.abs(hard - soft).max() < (1e-6 if model == "linear" else 0.5)


def corpus_of(folder, rows=90, groups=None):
    a, noise = random.normal(size=(2, rows, 3)).astype(np.float32)
    cells = {name: Cells("vector", values, np.ones(rows, bool)) for name, values in (("a", a), ("noise", noise))}
    schema = Schema(CLASSES, {name: Modality("vector", width=3) for name in cells}, grouped=groups is not None)
    target = np.digitize(a[:, 0], [-0.4, 0.4]).tolist()
    corpus = write_corpus(folder, schema, ids=list(map(str, range(rows))), targets=target, cells=cells, groups=groups)
    return corpus, Split("s", np.arange(60), np.arange(60, rows), np.arange(60))


def test_baselines_of_a_split(tmp_path):
    corpus, split = corpus_of(tmp_path / "c")
    found = baselines_of(corpus, split, ["a"])
    assert list(found) == ["constant", "simple"]
    target = corpus.target[split.test]
    right = (target == 1)[None].repeat(3, axis=0).astype(float)
    said = against(CLASSES, found, corpus.ids[split.test].astype(str), target, None, right)
    assert said["simple"]["metric"] == (found["simple"].values.argmax(axis=1) == target).mean() > 0.7
    assert said["simple"]["difference"] == pytest.approx(right.mean() - said["simple"]["metric"])
    assert said["simple"]["verdict"] == "worse"
    assert said["constant"]["metric"] < 0.7


def test_one_group_and_few_rows_leave_the_constant(tmp_path):
    corpus, split = corpus_of(tmp_path / "one", groups=["g"] * 60 + ["h"] * 30)
    assert list(baselines_of(corpus, split, ["a"])) == ["constant"]
    corpus, split = corpus_of(tmp_path / "few")
    assert list(baselines_of(corpus, Split("s", split.train, split.test, split.train[:5]), ["a"])) == ["constant"]


def results(verdict, plain, distilled, higher=True, **baselines):
    metric = {"name": "m", "higher_is_better": higher}
    systems = {name: {"metrics": {"m": {"mean": mean}}} for name, mean in (("plain", plain), ("distilled", distilled))}
    beside = {name: {"model": "forest", "metric": reached} for name, reached in baselines.items()}
    return {"comparison": {"verdict": verdict}, "metric": metric, "systems": systems, "baselines": beside}


def test_what_is_recommended():
    assert recommended(results("better", 0.5, 0.7, constant=0.4, simple=0.6)) == Recommended("distilled")
    assert recommended(results("better", 0.5, 0.7, constant=0.4, simple=0.7)) == Recommended("distilled", "simple")
    assert recommended(results("worse", 0.5, 0.3, constant=0.1, simple=0.4)) == Recommended("plain")
    assert recommended(results("not distinguishable", 2.0, 1.9, higher=False, simple=1.5)) == Recommended("plain", "simple")
    assert recommended(results("not distinguishable", 0.5, 0.5)) == Recommended("plain")
    assert recommended(results("one training run", 0.5, 0.9, simple=0.1)) is None
