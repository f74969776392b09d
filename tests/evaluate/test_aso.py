"""Almost stochastic order: closed forms, a brute-force integral, and the bounds of eps_min."""

import numpy as np
import pytest
from scipy import integrate, stats

from understudy.evaluate.aso import described, eps_min, violation

random = np.random.default_rng(0)


def brute(a: np.ndarray, b: np.ndarray, steps: int = 200_000) -> float:
    """The definition, by midpoints of a fine grid over both inverse distribution functions."""
    t = (np.arange(steps) + 0.5) / steps
    qa, qb = (np.sort(x)[np.ceil(t * len(x)).astype(int) - 1] for x in (a, b))
    return float((np.maximum(qb - qa, 0) ** 2).mean() / ((qb - qa) ** 2).mean())


@pytest.mark.parametrize(("n", "m"), [(5, 5), (3, 7), (8, 5), (2, 2)])
def test_equals_the_integral_over_quantile_functions(n, m):
    a, b = random.normal(size=n), random.normal(size=m)
    assert violation(a, b) == pytest.approx(brute(a, b), abs=1e-3)
    assert violation(a, b) + violation(b, a) == pytest.approx(1)


def test_by_hand():
    # Sorted pairs (1, 2), (3, 3), (6, 4): below by 1, level, above by 2.
    assert violation(np.array([3.0, 1.0, 6.0]), np.array([4.0, 2.0, 3.0])) == pytest.approx(1 / 5)


def test_two_normals_have_a_closed_form():
    # Quantiles cross at z* = (m_b - m_a) / (s_a - s_b); the squared gap is integrated against the normal density.
    m_a, s_a, m_b, s_b = 0.3, 2.0, 0.0, 1.0

    def square(z: float) -> float:
        return ((m_b - m_a) + (s_b - s_a) * z) ** 2 * stats.norm.pdf(z)

    crossing = (m_b - m_a) / (s_a - s_b)
    expected = integrate.quad(square, -12, crossing)[0] / ((m_b - m_a) ** 2 + (s_b - s_a) ** 2)
    quantile = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert violation(m_a + s_a * quantile, m_b + s_b * quantile) == pytest.approx(expected, abs=2e-3)


def test_clear_cases():
    low, high = np.array([1.0, 1.1, 1.2, 0.9, 1.05]), np.array([2.0, 2.1, 1.9, 2.2, 2.05])
    assert eps_min(high, low) == 0
    assert eps_min(low, high) == 1
    assert violation(low, low) == 0.5
    assert eps_min(low, low) >= 0.5


def test_the_bound_lies_above_the_estimate_and_repeats():
    a, b = np.array([0.1, 0.4, 0.5, 0.2, 0.6]), np.array([0.2, 0.3, 0.35, 0.25, 0.45])
    assert violation(a, b) < eps_min(a, b) <= 1
    assert eps_min(a, b) == eps_min(a, b)
    assert eps_min(a, b, level=0.8) < eps_min(a, b, level=0.99)


def test_the_deviation_is_the_bootstraps():
    a, b = random.normal(0.5, 1, size=12), random.normal(size=12)
    draw = np.random.default_rng(5)
    drawn = [brute(draw.choice(a, 12), draw.choice(b, 12), steps=1200) for _ in range(2000)]
    expected = violation(a, b) + 1.645 * np.std(drawn)
    assert eps_min(a, b, draws=4000) == pytest.approx(min(1.0, float(expected)), abs=0.03)


def test_it_favours_from_a_fifth_down():
    low, high = np.array([1.0, 1.1, 1.2, 0.9, 1.05]), np.array([2.0, 2.1, 1.9, 2.2, 2.05])
    for better, other in ((high, low), (low, high), (low, low + 0.05)):
        found = described(better, other)
        assert found is not None
        assert found["favours"] == (found["eps_min"] <= 0.2)
    assert described(high, low)["favours"]  # pyright: ignore[reportOptionalSubscript]


def test_one_seed_says_nothing():
    assert described(np.array([1.0]), np.array([2.0, 3.0])) is None
    assert described(np.arange(4.0), np.arange(9.0)) is None
    with pytest.raises(ValueError, match="at least 2 each"):
        eps_min(np.array([1.0]), np.array([2.0]))
