"""Choice and MultiLabel: targets, losses and metrics against PyTorch, scikit-learn and plain loops."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from understudy.evaluate.predictions import Predictions
from understudy.evaluate.score import joined, score
from understudy.tasks import Choice, MultiLabel, metrics, task_from_json
from understudy.tasks.entries import dense, entries_of
from understudy.teachers.teacher import mean_value

SEVERAL = MultiLabel(classes=("yes", "no", "two", "red", "blue"), entries=3)
IDS = [f"q{row}" for row in range(9)]


def made(rows: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and entries."""
    random = np.random.default_rng(seed)
    listed = []
    for _ in range(rows):
        named = random.permutation(5)[: random.integers(0, 4)]
        listed.append([(name, *random.uniform(0, 1, 2)) for name in named])
    return random.uniform(0, 1, (rows, 5)).astype(np.float32), entries_of(listed, 3, [str(row) for row in range(rows)])


def test_tasks_come_back_from_json():
    for task in (Choice(4), SEVERAL):
        assert task_from_json(task.to_json()) == task
        assert task.fit(np.zeros(0)) is task
    assert (Choice(4).outputs, SEVERAL.outputs) == (1, 5)


@pytest.mark.parametrize(
    "make", [lambda: Choice(1), lambda: Choice(), lambda: MultiLabel(("a", "a"), 2), lambda: MultiLabel(("a", "b"))]
)
def test_tasks_that_ask_nothing_are_refused(make):
    with pytest.raises(ValueError, match="at least 2"):
        make()


def test_entries_from_lists_and_from_an_array():
    listed = [[(3, 1, 0.9), (0, 0.3, 0.3)], [], None]
    found = entries_of(listed, 3, IDS)
    assert found.shape == (3, 3, 3)
    assert found[0].tolist() == [[3, 1, pytest.approx(0.9)], [0, pytest.approx(0.3), pytest.approx(0.3)], [-1, 0, 0]]
    assert (found[1] == [-1, 0, 0]).all()
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(entries_of(found.astype(np.float64), 3, IDS), found)
    np.testing.assert_allclose(SEVERAL.collate(found[:2]), [[0.3, 0, 0, 1, 0], [0] * 5])
    assert dense(found[:0], 5).shape == (0, 5)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ([(5, 1, 1)], "no index of 0..4"),
        ([(-2, 0, 0)], "no index of 0..4"),
        ([(0.5, 1, 1)], "no index of 0..4"),
        ([(0, 1.1, 1)], r"outside of \[0, 1\]"),
        ([(0, 1, -0.1)], r"outside of \[0, 1\]"),
        ([(0, np.nan, 1)], "a number is missing"),
        ([(1, 1, 1), (1, 0.3, 0.3)], "a class stands twice"),
        ([(-1, 0.3, 0)], "no class, yet"),
    ],
)
def test_impossible_entries_are_refused(entry, words):
    SEVERAL.check(entries_of([[(0, 1, 1)]], 3, IDS))
    with pytest.raises(ValueError, match=f"labelled row 1: .*{words}"):
        SEVERAL.check(entries_of([[], entry], 3, IDS))


def test_entries_that_do_not_fit_name_the_row():
    with pytest.raises(ValueError, match="4 entries in the target of row 'q1'; the task holds at most 3"):
        entries_of([[], [(0, 1, 1)] * 4], 3, IDS)
    with pytest.raises(ValueError, match=r"of row 'q0': expected \(class, soft target, credit\)"):
        entries_of([["yes"]], 3, IDS)
    with pytest.raises(ValueError, match=r"shape \(2, 4, 3\); expected \(2, 3, 3\)"):
        entries_of(np.zeros((2, 4, 3)), 3, IDS)


def test_loss_sums_over_classes_and_prefers_the_soft_target():
    _, target = made(6)
    soft = torch.from_numpy(SEVERAL.collate(target))
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    p = SEVERAL.decode(logits).double()
    expected = -(soft * p.log() + (1 - soft) * (1 - p).log()).sum(dim=1)
    torch.testing.assert_close(SEVERAL.loss(logits, soft).double(), expected, rtol=1e-5, atol=1e-5)
    best = SEVERAL.loss(torch.logit(soft.clamp(1e-6, 1 - 1e-6)), soft)
    assert (best <= SEVERAL.loss(logits, soft)).all()
    assert SEVERAL.loss(torch.full((6, 5), 1e4), soft).isfinite().all()


def test_several_answers_are_scored_as_a_loop_would(monkeypatch):
    monkeypatch.setattr(metrics, "ROWS_AT_ONCE", 7)
    prediction, target = made(50)
    accuracy, ceiling, bce = [], [], []
    for said, row in zip(prediction.astype(float), target.astype(float), strict=True):
        credit = {int(name): worth for name, _, worth in row if name >= 0}
        accuracy.append(credit.get(int(said.argmax()), 0.0))
        ceiling.append(max(credit.values(), default=0.0))
        soft = np.zeros(5)
        for name, share, _ in row:
            if name >= 0:
                soft[int(name)] = share
        bce.append(-(soft * np.log(said) + (1 - soft) * np.log(1 - said)).sum())
    found = SEVERAL.metrics(prediction, target)
    assert found == pytest.approx({"accuracy": np.mean(accuracy), "ceiling": np.mean(ceiling), "bce": np.mean(bce)})
    np.testing.assert_allclose(SEVERAL.per_row(prediction, target), accuracy)
    assert next(iter(found)) == SEVERAL.primary


def test_choices_are_scored_as_scikit_learn_does():
    random = np.random.default_rng(1)
    p, y = random.dirichlet(np.ones(4), 60), random.integers(0, 4, 60)
    found = Choice(4).metrics(p, y)
    assert found["accuracy"] == pytest.approx(Choice(4).per_row(p, y).mean())
    assert found["nll"] == pytest.approx(log_loss(y, p, labels=range(4)))
    with pytest.raises(ValueError, match=r"class index 4 in labelled row 1: expected 0\.\.3"):
        Choice(4).check(np.array([0, 4]))


def test_predictions_of_thousands_of_classes_are_float32_and_not_copied(tmp_path):
    prediction, target = made(9)
    parts = [
        Predictions(np.array(IDS[part]), prediction[part], target[part], np.ones(3, bool), np.ones(3, bool))
        for part in (slice(0, 3), slice(3, 6), slice(6, 9))
    ]
    whole = joined(parts)
    assert not parts
    assert whole.values.dtype == np.float32
    np.testing.assert_array_equal(whole.values, prediction)
    assert whole.take(np.ones(9, bool)) is whole
    assert whole.ordered(whole.id) is whole
    whole.save(tmp_path / "p.npz")
    back = Predictions.load(tmp_path / "p.npz")
    np.testing.assert_array_equal(back.target, target)
    np.testing.assert_array_equal(back.ordered(np.array(IDS[::-1])).target, target[::-1])
    assert score(SEVERAL, back) == pytest.approx(SEVERAL.metrics(prediction, target) | {"coverage": 1.0})
    back.values[4, 2] = np.nan
    with pytest.raises(ValueError, match="prediction of row q4 is not finite"):
        score(SEVERAL, back)


def test_an_ensemble_means_the_logits_of_classes_apart():
    logits = torch.randn(3, 4, 5)
    valid = torch.tensor([[True, True, False, False], [True, False, False, True], [True, True, False, True]])
    found = mean_value(logits, valid)
    torch.testing.assert_close(found[0], logits[:, 0].mean(dim=0))
    torch.testing.assert_close(found[1], logits[[0, 2], 1].mean(dim=0))
    assert not found[2].any()
