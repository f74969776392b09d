"""The scikit-learn estimator: its contract, and the artifact and data frames behind it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

import understudy as us

PLAN = {"epochs": 2, "batch_size": 32, "rate": 0.01}


def frame(rows: int = 60) -> pd.DataFrame:
    """Words that say the class nearly always, and numbers that say it too; the index is not that of positions."""
    draw = np.random.default_rng(0)
    truth = np.arange(rows) % 2
    said = np.where(draw.random(rows) < 0.9, truth, 1 - truth)
    numbers = draw.normal(size=(rows, 3)) + truth[:, None]
    columns = {"note": [f"{('cold', 'warm')[word]} day today {row}" for row, word in enumerate(said)]}
    return pd.DataFrame(columns | {f"x{at}": numbers[:, at] for at in range(3)}, index=range(100, 100 + rows))


Y = np.where(np.arange(60) % 2, "yes", "no")


@pytest.fixture(scope="module")
def fitted() -> us.Understudy:
    return us.Understudy(student="note", plan=PLAN | {"epochs": 8}).fit(frame(), Y)


def test_it_predicts_through_the_artifact_with_the_students_columns_alone(fitted):
    said = fitted.predict(frame()[["note"]])
    assert (said == fitted.predict(frame())).all()
    assert said.tolist() == fitted.artifact_.predict(frame())["prediction"].tolist()
    shares = fitted.predict_proba(frame())
    kept = fitted.artifact_.predict(frame())[["probability_no", "probability_yes"]].to_numpy()
    np.testing.assert_allclose(shares, kept, atol=1e-6)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.score(frame(), Y) == accuracy_score(Y, said) > 0.8
    assert "note: text" in fitted.guessed_
    assert fitted.results_["systems"]["teacher"]["modalities"] == ["note", "x"]
    with pytest.raises(ValueError, match="modality 'note' needs the missing column note"):
        fitted.predict(frame()[["x0"]])


def test_a_row_that_says_nothing_gets_the_shares_of_the_classes(fitted):
    silent = frame().assign(note=lambda rows: rows["note"].where(rows.index != 103))
    assert fitted.predict_proba(silent)[3].tolist() == [0.5, 0.5]


def test_it_is_cloned_without_and_pickled_with_what_it_learnt(fitted):
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    assert not hasattr(fresh, "artifact_")
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(frame()), fitted.predict_proba(frame()))


def test_a_search_over_what_the_student_reads_in_a_pipeline():
    steps = [("lower", FunctionTransformer(lambda rows: rows.assign(note=rows["note"].str.lower()))), ("model", us.Understudy())]
    grid = {"model__student": ["note", "x"], "model__plan": [PLAN]}
    cut = ShuffleSplit(1, test_size=20, random_state=0)
    found = GridSearchCV(Pipeline(steps), grid, cv=cut, refit=False, error_score="raise").fit(frame(), Y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert list(found.cv_results_["param_model__student"]) == ["note", "x"]


def test_numbers_of_an_array_are_one_modality():
    x = np.random.default_rng(1).normal(size=(60, 2))
    x[3, 0] = np.nan
    model = us.Understudy(plan=PLAN).fit(x, 5 + 3 * x[:, 1])
    assert (model.task_, model.n_features_in_, list(model.artifact_.modalities)) == ("regression", 2, ["x"])
    assert np.abs(model.predict(x) - 5).mean() < 10
    assert not hasattr(model, "predict_proba")
    with pytest.raises(ValueError, match="has 3 features, but Understudy is expecting 2"):
        model.predict(np.zeros((4, 3)))


def test_rows_without_weight_teach_nothing():
    x = np.random.default_rng(2).normal(size=(120, 2))
    wrong = np.arange(120) % 3 > 0  # most labels are the opposite of what holds
    y = np.where((x[:, 0] > 0) != wrong, "up", "down")
    model = us.Understudy(plan=PLAN | {"epochs": 12})
    assert model.fit(x, y, sample_weight=np.where(wrong, 0.0, 3.0)).score(x[~wrong], y[~wrong]) > 0.9
    with pytest.raises(ValueError, match="the corpus weighs its rows, and rkd compares rows with one another"):
        us.Understudy(method="rkd").fit(x, y, sample_weight=np.ones(120))
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        us.Understudy().fit(x, y, sample_weight=-np.ones(120))


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (frame(), None, "requires y to be passed"),
        (frame(), ["a"] * 60, "y holds one class, 'a'"),
        (frame(), ["a", "NA"] * 30, "which a table reads as \\['NA|None"),
        (frame()[:3], Y[:3], "n_samples = 3; give 5 or more"),
        (frame(), Y[:9], "inconsistent numbers of samples"),
        (np.zeros(9), Y[:9], "Expected 2D array"),
    ],
)
def test_what_cannot_be_learnt_is_one_sentence(x, y, said):
    with pytest.raises(ValueError, match=said):
        us.Understudy().fit(x, y)


WITHOUT_A_FIT = (
    *("check_estimator_cloneable", "check_no_attributes_set_in_init", "check_parameters_default_constructible"),
    *("check_get_params_invariance", "check_set_params", "check_estimator_repr", "check_valid_tag_types"),
    *("check_do_not_raise_errors_in_init_or_set_param", "check_estimators_unfitted", "check_mixin_order"),
    *("check_fit1d", "check_estimators_empty_data_messages", "check_complex_data", "check_requires_y_none"),
)
"""Those of scikit-learn's checks that train nothing; `benchmarks/doors.py` runs them all."""


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_scikit_learns_checks_that_train_nothing(task):
    done = set()
    for estimator, check in estimator_checks_generator(us.Understudy(task=task), legacy=True):
        if check.func.__name__ in WITHOUT_A_FIT:
            check(estimator)
            done.add(check.func.__name__)
    assert len(done) >= 10
