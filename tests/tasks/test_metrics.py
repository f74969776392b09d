"""Metrics against the card's examples and scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from understudy.tasks import Regression
from understudy.tasks.calibration import reliability, trend
from understudy.tasks.metrics import (
    binned,
    classification_metrics,
    regression_metrics,
    rounded,
    sentiment_metrics,
    sims_metrics,
    weighted_f1,
)

random = np.random.default_rng(0)


def test_worked_example_of_the_card():
    y, p = np.array([-1.0, 0.0, 2.0]), np.array([-0.5, 0.1, -0.2])
    assert regression_metrics(p, y)["mae"] == pytest.approx((0.5 + 0.1 + 2.2) / 3)
    found = sentiment_metrics(p, y)
    assert found["acc2_has0"] == pytest.approx(2 / 3)
    assert found["acc2_non0"] == pytest.approx(1 / 2)
    assert (found["n_has0"], found["n_non0"]) == (3, 2)


def test_perfect_prediction():
    y = np.array([-3, -1.2, 0, 0.4, 2.6])
    found = regression_metrics(y, y) | sentiment_metrics(y, y)
    ones = ["corr", "r2", "acc2_has0", "acc2_non0", "f1_has0", "f1_non0", "acc7", "acc7_binned", "acc5"]
    assert [found[name] for name in ones] == pytest.approx([1.0] * len(ones))
    assert found["mae"] == 0


def test_zero_truth_and_zero_prediction():
    found = sentiment_metrics(np.array([0.0, -1.0]), np.array([1.0, 0.0]))
    assert (found["n_has0"], found["n_non0"]) == (2, 1)
    assert found["acc2_has0"] == 0.5  # the zero prediction of a positive is right here ...
    assert found["acc2_non0"] == 0.0  # ... and wrong here


def test_accuracy_clips_and_error_does_not():
    assert sentiment_metrics(np.array([5.0]), np.array([3.0]))["acc7"] == 1
    assert regression_metrics(np.array([5.0, 0]), np.array([3.0, 0]))["mae"] == 1.0


def test_bins_and_rounding_at_the_edges():
    assert binned(np.array([-2, -2.01, -1, -0.01, 0, 0.01, 1, 1.01, 2, 2.01])).tolist() == [-2, -3, -1, -1, 0, 1, 1, 2, 2, 3]
    assert rounded(np.array([0.3, 0.5, 0.51, 1.5, 2.5, -2.5]), 3).tolist() == [0, 0, 1, 2, 2, -2]
    assert rounded(np.array([2.9, -2.9, 1.4]), 2).tolist() == [2, -2, 1]
    assert sentiment_metrics(np.array([0.3]), np.array([0.0]))["acc7"] == 1
    assert sentiment_metrics(np.array([0.3]), np.array([0.0]))["acc7_binned"] == 0


def test_weighted_f1_is_not_symmetric_and_equals_scikit_learn():
    truth, said = np.array([1, 1, 1, 1, 0, 0]), np.array([1, 1, 1, 1, 1, 1])
    assert weighted_f1(truth, said) == pytest.approx(sk.f1_score(truth, said, average="weighted"))
    assert weighted_f1(truth, said) != pytest.approx(weighted_f1(said, truth))


def test_sims_classes_hold_their_upper_ends():
    y = np.array([-1, -0.71, -0.7, -0.69, -0.1, -0.09, 0, 0.1, 0.11, 0.7, 0.71, 1])
    classes = {5: [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4], 3: [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2], 2: [0] * 7 + [1] * 5}
    p = np.clip(random.normal(size=len(y)), -0.999, 0.999)
    for number, cuts in {2: [0], 3: [-0.1, 0.1], 5: [-0.7, -0.1, 0.1, 0.7]}.items():
        said = [sum(value > cut for cut in cuts) for value in p]
        assert sims_metrics(p, y)[f"acc{number}"] == pytest.approx(sk.accuracy_score(classes[number], said))
        if number == 2:
            assert sims_metrics(p, y)["f1"] == pytest.approx(sk.f1_score(classes[2], said, average="weighted"))
    outside = sims_metrics(np.array([7.0, -7.0]), np.array([1.0, -1.0]))
    assert outside == pytest.approx(dict.fromkeys(["acc2", "acc3", "acc5", "f1", "corr_clipped"], 1.0) | {"mae_clipped": 0.0})
    assert sims_metrics(np.array([0.05, 0.5]), np.array([np.float32(0.1), 0.2], np.float64))["acc3"] == 1


def test_a_regression_has_the_metrics_of_its_range():
    y = np.array([-1.0, 0.0, 1.0])
    assert "acc7" in Regression(low=-3.0, high=3.0, sentiment=True).metrics(y, y)
    assert "acc7" not in Regression(low=-1.0, high=1.0, sentiment=True).metrics(y, y)
    assert Regression(low=-1.0, high=1.0, sentiment=True).metrics(y, y)["acc3"] == 1
    assert set(Regression().metrics(y, y)) == {"mae", "rmse", "corr", "r2"}


def test_row_order_does_not_matter():
    y, p = random.uniform(-3, 3, 50), random.uniform(-3, 3, 50)
    order = random.permutation(50)
    assert regression_metrics(p, y) | sentiment_metrics(p, y) == pytest.approx(
        regression_metrics(p[order], y[order]) | sentiment_metrics(p[order], y[order])
    )


def test_constant_prediction_warns_and_has_no_correlation():
    y = np.array([1.0, 2.0, 4.0])
    with pytest.warns(RuntimeWarning, match="prediction is constant"):
        found = regression_metrics(np.full(3, 2.0), y)
    assert np.isnan(found["corr"])
    assert found["mae"] == pytest.approx(np.abs(y - 2).mean())


def test_all_neutral_truth_leaves_non0_empty():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sentiment_metrics(np.array([0.2, -0.1]), np.zeros(2))
    assert np.isnan(found["acc2_non0"])
    assert np.isnan(found["f1_non0"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regression_against_scikit_learn(dtype):
    y, p = random.normal(size=300), random.normal(size=300).astype(dtype)
    found = regression_metrics(p, y)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, p))
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(y, p))
    assert found["corr"] == pytest.approx(np.corrcoef(p, y)[0, 1])
    assert found["r2"] == pytest.approx(sk.r2_score(y, p))
    assert next(iter(found)) == "mae"


def test_classification_against_scikit_learn():
    p = random.dirichlet(np.ones(4), 500)
    y = random.integers(0, 4, 500)
    found = classification_metrics(p.astype(np.float32), y)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, p.argmax(1)))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(y, p.argmax(1), average="macro"))
    assert found["nll"] == pytest.approx(sk.log_loss(y, p), rel=1e-6)
    assert next(iter(found)) == "accuracy"


def test_wa_and_ua_of_emotion_recognition():
    found = classification_metrics(np.eye(2)[[0, 0, 0, 0]], np.array([0, 0, 0, 1]))
    assert (found["accuracy"], found["balanced_accuracy"]) == (0.75, 0.5)
    perfect = classification_metrics(np.eye(3)[[0, 1, 2]], np.array([0, 1, 2]))
    assert (perfect["accuracy"], perfect["balanced_accuracy"]) == (1, 1)
    p, y = random.dirichlet(np.ones(4), 400), np.repeat(np.arange(4), 100)
    found = classification_metrics(p, y)
    assert found["accuracy"] == pytest.approx(found["balanced_accuracy"])  # balanced: they are one
    y = random.permutation(np.repeat(np.arange(4), (40, 80, 120, 160)))
    found, order = classification_metrics(p, y), random.permutation(4)
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, p.argmax(1)))
    assert found["weighted_f1"] == pytest.approx(sk.f1_score(y, p.argmax(1), average="weighted"))
    renamed = classification_metrics(p[:, order], np.argsort(order)[y])
    for name in ("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1"):
        assert renamed[name] == pytest.approx(found[name])


def test_a_class_without_a_test_row_is_left_out_of_ua_and_counted():
    found = classification_metrics(np.eye(4)[[0, 1, 3, 1]], np.array([0, 1, 1, 1]))
    assert found["balanced_accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["absent_classes"] == 2


def test_two_classes_have_an_f1_of_the_second():
    p = random.dirichlet(np.ones(2), 200)
    y = random.integers(0, 2, 200)
    found = classification_metrics(p, y)
    assert found["f1_positive"] == pytest.approx(sk.f1_score(y, p.argmax(1)))
    assert np.isnan(classification_metrics(np.eye(2)[[0, 0]], np.array([0, 0]))["f1_positive"])
    assert "f1_positive" not in classification_metrics(np.eye(3)[[0, 0]], np.array([0, 0]))


def test_macro_f1_counts_only_classes_that_occur():
    p = np.eye(5)[[0, 1, 1]]
    assert classification_metrics(p, np.array([0, 1, 1]))["macro_f1"] == 1.0


def test_certain_mistake_costs_a_finite_amount():
    assert 0 < classification_metrics(np.array([[1.0, 0.0]]), np.array([1]))["nll"] < 30


def test_calibration_error_by_hand():
    p = np.array([[0.9, 0.1]] * 4 + [[0.55, 0.45]] * 4)
    y = np.array([0, 0, 0, 1, 0, 0, 1, 1])
    assert classification_metrics(p, y)["ece"] == pytest.approx((4 * abs(0.75 - 0.9) + 4 * abs(0.5 - 0.55)) / 8)


def test_reliability_bins_end_where_they_say():
    found = reliability(np.array([[0.2] * 5, [1.0, 0, 0, 0, 0]], dtype=np.float32), np.array([0, 0]), bins=5)
    assert found.count.tolist() == [1, 0, 0, 0, 1]
    assert found.error == pytest.approx(0.8 / 2)


def test_calibrated_probabilities_have_little_error():
    confidence = random.uniform(0.5, 1, 20_000)
    y = (random.uniform(size=20_000) > confidence).astype(int)
    assert reliability(np.stack([confidence, 1 - confidence], 1), y).error < 0.02


def test_trend_groups_rows_by_prediction():
    p = np.arange(100.0)[::-1]
    found = trend(p, 2 * p, parts=4)
    assert found.prediction.tolist() == [12, 37, 62, 87]
    assert found.target.tolist() == [24, 74, 124, 174]
    assert len(trend(np.array([1.0]), np.array([2.0])).prediction) == 1
