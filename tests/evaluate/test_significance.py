"""Significance: calibrated under the null, equal to SciPy and to closed forms where those exist."""

import itertools

import numpy as np
import pytest
from scipy import stats

from understudy.evaluate.significance import (
    Resampled,
    crossed_bootstrap,
    holm,
    recovered_share,
    sign_flip_p,
    verdict,
)

random = np.random.default_rng(0)


def test_one_seed_without_groups_equals_scipy():
    d = random.exponential(size=60) - 0.7
    ours = crossed_bootstrap(d[None, None], draws=20_000).interval()
    theirs = stats.bootstrap((d,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    # The t and n / (n - 1) corrections of 60 rows widen it by 3 %.
    width = theirs.high - theirs.low
    assert ours[0] == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours[1] == pytest.approx(theirs.high, abs=0.05 * width)
    assert ours[1] - ours[0] > width * 1.005


def test_one_seed_interval_is_the_t_interval_of_normal_rows():
    d = random.normal(0.3, 1, size=12)
    low, high = crossed_bootstrap(d[None, None], draws=20_000).interval()
    expected = stats.t.interval(0.95, 11, loc=d.mean(), scale=stats.sem(d))
    assert (low, high) == pytest.approx(expected, abs=0.06)


def test_seeds_alone_give_the_t_interval_over_seeds():
    by_seed = np.array([0.1, 0.3, 0.2, 0.25, 0.05])
    d = np.repeat(by_seed[:, None], 50, axis=1)
    low, high = crossed_bootstrap(d[None], draws=20_000).interval()
    expected = stats.t.interval(0.95, 4, loc=by_seed.mean(), scale=stats.sem(by_seed))
    assert (low, high) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("seeds", "of_seed", "of_group", "of_row"),
    [(1, 0.0, 1.0, 1.0), (3, 1.0, 0.1, 0.3), (5, 1.0, 0.1, 0.3), (5, 0.0, 1.0, 0.3), (5, 0.0, 0.0, 1.0), (5, 0.3, 1.0, 1.0)],
)
def test_false_positive_rate(seeds, of_seed, of_group, of_row):
    draw = np.random.default_rng(7)
    groups = np.repeat(np.arange(12), 4)
    false = 0
    for turn in range(200):
        d = draw.normal(size=(seeds, 1)) * of_seed + draw.normal(size=12)[groups] * of_group
        d = d + draw.normal(size=(seeds, 48)) * of_row
        false += verdict(*crossed_bootstrap(d[None], groups, draws=300, seed=turn).interval()) != "not distinguishable"
    assert false / 200 < 0.1  # 0.05 with a standard error of 0.0154


def test_power():
    d = random.normal(0.5, 1, size=(5, 200))
    assert verdict(*crossed_bootstrap(d[None], draws=1000).interval()) == "better"
    assert verdict(*crossed_bootstrap(-d[None], draws=1000).interval()) == "worse"


def test_groups_widen_the_interval():
    groups = np.repeat(np.arange(20), 10)
    d = random.normal(size=20)[groups][None] + random.normal(size=(3, 200)) * 0.1
    narrow, wide = (np.ptp(crossed_bootstrap(d[None], g, draws=2000).interval()) for g in (None, groups))
    assert wide > 2 * narrow


def test_estimate_is_the_mean_of_rows_with_unequal_groups():
    d = random.normal(size=(2, 3, 30))
    groups = random.integers(0, 4, 30)
    assert crossed_bootstrap(d, groups, draws=10).estimate == pytest.approx(d.mean(axis=(1, 2)))


def test_seeded_and_independent_of_row_order():
    d, order = random.normal(size=(1, 2, 30)), random.permutation(30)
    groups = np.repeat(np.arange(5), 6)
    one = crossed_bootstrap(d, groups, draws=500, seed=3).interval()
    assert one == crossed_bootstrap(d, groups, draws=500, seed=3).interval()
    assert one == pytest.approx(crossed_bootstrap(d[..., order], groups[order], draws=500, seed=3).interval())
    assert one != crossed_bootstrap(d, groups, draws=500, seed=4).interval()


def test_no_difference_at_all():
    found = crossed_bootstrap(np.zeros((1, 5, 20)), draws=100).interval()
    assert found == (0, 0)
    assert verdict(*found) == "not distinguishable"
    assert sign_flip_p(np.zeros((5, 20))) == 1


def test_a_single_group_falls_back_to_rows():
    d = random.normal(size=(1, 1, 40))
    alone = crossed_bootstrap(d, np.zeros(40), draws=200).interval()
    assert alone == crossed_bootstrap(d, None, draws=200).interval()


@pytest.mark.parametrize("rows", [8, 13])
def test_exact_sign_flips_equal_scipy(rows):
    d = random.normal(0.4, 1, size=rows)
    theirs = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(d[None]) == pytest.approx(theirs.pvalue)


def test_random_sign_flips_are_near_the_exact_ones():
    d = random.normal(0.25, 1, size=16)
    signs = np.array(list(itertools.product([1, -1], repeat=16)))
    exact = (np.abs(signs @ d) >= abs(d.sum()) - 1e-9).mean()
    assert sign_flip_p(d[None], draws=20_000) == pytest.approx(exact, abs=0.01)


def test_sign_flips_flip_groups_whole():
    groups = np.repeat(np.arange(6), 5)
    d = random.normal(1, 0.1, size=(3, 30))
    assert sign_flip_p(d, groups) == pytest.approx(2 / 2**6)


def test_random_p_is_never_zero():
    assert sign_flip_p(np.ones((1, 60)), draws=999) == pytest.approx(1 / 1000)


def test_recovered_share():
    gain, advantage = random.normal(0.5, 0.1, (2, 4, 300)) * np.array([1, 2])[:, None, None]
    found = recovered_share(crossed_bootstrap(np.stack([gain, advantage]), draws=2000))
    assert found is not None
    assert found["value"] == pytest.approx(gain.mean() / advantage.mean())
    assert found["low"] < found["value"] < found["high"]
    assert found["high"] - found["low"] < 0.1
    assert recovered_share(crossed_bootstrap(np.stack([gain, advantage - 1]), draws=500)) is None


def test_recovered_share_covers_the_truth():
    draw = np.random.default_rng(5)
    hits = 0
    for turn in range(120):
        both = draw.normal(size=(2, 3, 60)) * 0.5 + draw.normal(size=(2, 3, 1)) * 0.1 + np.array([0.5, 1.0])[:, None, None]
        found = recovered_share(crossed_bootstrap(both, draws=300, seed=turn))
        assert found is not None
        hits += found["low"] <= 0.5 <= found["high"]
    assert hits / 120 > 0.9


def test_share_stays_finite_where_some_draws_have_no_advantage():
    both = Resampled(np.array([0.5, 1.0]), np.stack([random.normal(0.5, 0.1, 4000), random.normal(1, 0.49, 4000)]))
    found = recovered_share(both)
    assert found is not None
    assert np.isfinite(list(found.values())).all()


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
    ps = random.uniform(size=9).tolist()
    assert all(adjusted >= p for adjusted, p in zip(holm(ps), ps, strict=True))
