"""Tasks that are chosen and judged by another metric, and learnt by another loss, against scikit-learn and PyTorch."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, log_loss
from torch.nn.functional import cross_entropy, one_hot

from understudy.tasks import Choice, Classification, Regression, Retrieval, judged, task_from_json

CLASSES = Classification(classes=("a", "b", "c"))


def answers(rows: int = 50) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.dirichlet(np.ones(3), rows), random.choice(3, rows, p=[0.8, 0.15, 0.05])


def test_of_each_metric_the_rows_mean_is_the_metric():
    said, truth = answers()
    expected = {
        "accuracy": (said.argmax(axis=1) == truth).mean(),
        "balanced_accuracy": balanced_accuracy_score(truth, said.argmax(axis=1)),
        "nll": log_loss(truth, said, labels=[0, 1, 2]),
    }
    for metric, value in expected.items():
        task = judged(CLASSES, metric=metric)
        assert (task.primary, task.higher_is_better) == (metric, metric != "nll")
        assert task.per_row(said, truth).mean() == pytest.approx(value)
        assert next(iter(task.metrics(said, truth).items())) == (metric, pytest.approx(value))
    number = judged(Regression(), metric="mse")
    assert number.per_row(said[:, 0], said[:, 1]).mean() == pytest.approx(((said[:, 0] - said[:, 1]) ** 2).mean())
    assert number.metrics(said[:, 0], said[:, 1])["mse"] == pytest.approx(((said[:, 0] - said[:, 1]) ** 2).mean())


def test_balanced_classes_count_alike_and_smoothed_labels_are_shared_out():
    _, truth = answers()
    task = judged(CLASSES, class_weights="balanced", label_smoothing=0.1).fit(truth)
    assert isinstance(task, Classification)
    weights = torch.tensor(task.weights)
    by_class = weights * torch.from_numpy(np.bincount(truth, minlength=3))
    torch.testing.assert_close(by_class, by_class.mean().expand(3))
    assert weights[torch.from_numpy(truth)].mean() == pytest.approx(1.0)
    logits, target = torch.randn(50, 3), torch.from_numpy(truth)
    smooth = 0.9 * one_hot(target, 3) + 0.1 / 3
    torch.testing.assert_close(task.loss(logits, target), cross_entropy(logits, smooth, reduction="none") * weights[target])


def test_a_class_without_a_row_weighs_nothing_and_is_no_division():
    task = judged(CLASSES, class_weights="balanced").fit(np.array([0, 0, 1]))
    assert task.to_json()["weights"] == [0.75, 1.5, 0.0]


def test_they_come_back_from_json_and_the_usual_says_nothing_of_it():
    for metric in ("", "nll"):
        task = judged(CLASSES, metric=metric, class_weights="balanced", label_smoothing=0.2).fit(answers()[1])
        assert task_from_json(task.to_json()) == task
    assert judged(CLASSES) is CLASSES
    assert set(CLASSES.to_json()) == {"kind", "classes"}


@pytest.mark.parametrize(
    ("task", "asked", "said"),
    [
        (CLASSES, {"metric": "macro_f1"}, "accuracy, balanced_accuracy, nll"),
        (CLASSES, {"metric": "mae"}, "a classification is chosen and judged by"),
        (Choice(3), {"metric": "nll"}, "judged by accuracy"),
        (Retrieval(classes=("a", "b")), {"metric": "accuracy"}, "judged by map"),
        (Regression(), {"label_smoothing": 0.1}, "they are for classes"),
        (CLASSES, {"label_smoothing": 1.0}, "from 0 to below 1"),
    ],
)
def test_what_a_task_has_not_is_said(task, asked, said):
    with pytest.raises(ValueError, match=said):
        judged(task, **asked)
