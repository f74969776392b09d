"""Standardisation against scikit-learn, and at the edges of numbers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from understudy.prepare.standardisation import LIMIT, Standardisation

TABLES = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-1e6, 1e6) | st.just(float("nan")))


@settings(max_examples=40)
@given(TABLES, st.integers(1, 20))
def test_chunks_agree_with_scikit_learn(values, size):
    known = StandardScaler().fit(np.where(np.isnan(values).all(axis=0), 0.0, values))
    fitted = Standardisation.fit(values[start : start + size] for start in range(0, len(values), size))
    np.testing.assert_allclose(fitted.mean, known.mean_, rtol=1e-9, atol=1e-9)
    ordinary = known.var_ > 1e-6
    np.testing.assert_allclose(fitted.scale[ordinary], known.scale_[ordinary], rtol=1e-6)


def test_columns_of_very_different_size():
    draw = np.random.default_rng(0)
    values = draw.normal([0, 1e6, 1e-6], [0.3, 3757, 1e-9], (500, 3))
    scores = Standardisation.fit([values]).apply(values).astype(np.float64)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scores.std(axis=0), 1, atol=1e-5)


def test_constant_missing_and_broken_values():
    train = np.array([[0.1, np.nan, 1, 1e200], [0.1, np.nan, np.inf, -1e200], [0.1, np.nan, 3, 1e300]])
    fitted = Standardisation.fit([train])
    assert fitted.scale.tolist()[:3] == [1, 1, 1]
    assert fitted.mean.tolist()[:3] == [pytest.approx(0.1), 0, 2]
    scores = fitted.apply(np.array([[0.1, 0.5, np.nan, 1e300], [1e30, -1e30, np.inf, -1e308]]))
    np.testing.assert_allclose(scores[:, :3], [[0, 0.5, 0], [LIMIT, -LIMIT, LIMIT]], atol=1e-7)
    assert np.isfinite(scores).all()
    assert np.isfinite(json.loads(json.dumps(fitted.state(), allow_nan=False))["scale"]).all()


def test_another_width_is_refused():
    with pytest.raises(ValueError, match="got 2 features a row; this view was fitted on 3"):
        Standardisation.fit([np.zeros((4, 3))]).apply(np.zeros((1, 2)))
