"""Significance: calibrated under the null, equal to SciPy and to closed forms where those exist."""

import numpy as np
import pytest
from scipy import stats

from understudy.evaluate.significance import (
    Error,
    Resampled,
    alike,
    crossed_bootstrap,
    holm,
    recovered_share,
    resample,
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
    [
        (2, 0.0, 0.0, 1.0),
        (2, 0.3, 0.3, 1.0),
        (3, 1.0, 0.1, 0.3),
        (5, 1.0, 0.1, 0.3),
        (5, 0.0, 1.0, 0.3),
        (5, 0.0, 0.0, 1.0),
        (5, 0.3, 1.0, 1.0),
    ],
)
def test_false_positive_rate(seeds, of_seed, of_group, of_row):
    draw = np.random.default_rng(7)
    groups = np.repeat(np.arange(12), 4)
    false = 0
    for turn in range(200):
        d = draw.normal(size=(seeds, 1)) * of_seed + draw.normal(size=12)[groups] * of_group
        d = d + draw.normal(size=(seeds, 48)) * of_row
        false += verdict(*crossed_bootstrap(d[None], groups, draws=300, seed=turn).interval(), seeds) != "not distinguishable"
    assert false / 200 < 0.1  # 0.05 with a standard error of 0.0154


def test_power():
    d = random.normal(0.5, 1, size=(5, 200))
    assert verdict(*crossed_bootstrap(d[None], draws=1000).interval(), 5) == "better"
    assert verdict(*crossed_bootstrap(-d[None], draws=1000).interval(), 5) == "worse"


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
    assert verdict(*found, 5) == "not distinguishable"
    assert crossed_bootstrap(np.zeros((1, 5, 20)), draws=100).p() == 1


def test_a_single_group_falls_back_to_rows():
    d = random.normal(size=(1, 1, 40))
    alone = crossed_bootstrap(d, np.zeros(40), draws=200).interval()
    assert alone == crossed_bootstrap(d, None, draws=200).interval()


def by_multinomial(d, draws, seed):
    """Draws of the mean with a count for every row, the plain way."""
    draw = np.random.default_rng(seed)
    seeds, rows = d.shape
    by_seed, by_row = (draw.multinomial(n, np.full(n, 1 / n), size=draws) for n in (seeds, rows))
    return np.einsum("ds,sn,dn->d", by_seed, d, by_row) / d.size


@pytest.mark.parametrize("score", ["right or wrong", "any"])
def test_draws_are_those_of_a_count_for_every_row(score):
    draw = np.random.default_rng(1)
    right = draw.random((2, 3, 400)) < 0.7
    d = right[0].astype(float) - right[1] if score == "right or wrong" else draw.normal(size=(3, 400))
    assert (len(alike(d[None], np.ones(400))[2]) < 400) == (score == "right or wrong")
    ours, theirs = resample(d[None], np.ones(400), draws=20_000, seed=0)[0], by_multinomial(d, 20_000, 5)
    assert np.quantile(ours, [0.025, 0.5, 0.975]) == pytest.approx(
        np.quantile(theirs, [0.025, 0.5, 0.975]), abs=0.03 * theirs.std()
    )
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)


def test_kinds_of_groups_are_equal_in_every_sum_and_in_size():
    sums = np.array([[[1.0, 0, 1, 1] * 20, [0.0, 0, 0, 1] * 20]])
    sizes = np.array([1.0, 1, 1, 1] * 20)
    sizes[2] = 5
    kinds, size, counts = alike(sums, sizes)
    found = {(*kinds[0, :, k], size[k]): counts[k] for k in range(len(counts))}
    assert found == {(1, 0, 1): 39, (0, 0, 1): 20, (1, 1, 1): 20, (1, 0, 5): 1}


def test_p_says_what_the_interval_says():
    draw = np.random.default_rng(3)
    said = []
    for turn in range(60):
        d = draw.normal(size=(draw.integers(1, 6), 40)) + draw.normal(size=40) + draw.normal() * 0.7
        found = crossed_bootstrap(d[None], draws=400, seed=turn)
        low, high = found.interval()
        said.append((low > 0 or high < 0, found.p() < 0.05))
    assert {(True, True), (False, False)} == set(said)


def test_p_of_seeds_alone_is_that_of_the_t_test():
    by_seed = np.array([0.1, 0.3, 0.2, 0.25, 0.05])
    d = np.repeat(by_seed[:, None], 50, axis=1) * 0.2 - 0.005
    expected = stats.ttest_1samp(by_seed * 0.2 - 0.005, 0).pvalue
    assert crossed_bootstrap(d[None], draws=20_000).p() == pytest.approx(expected, rel=0.35)


def test_the_interval_is_never_narrower_than_that_of_the_seeds_means():
    draw = np.random.default_rng(4)
    for turn in range(40):
        d = draw.normal(size=(2, 100))
        low, high = crossed_bootstrap(d[None], draws=400, seed=turn).interval()
        alone = stats.t.interval(0.95, 1, loc=d.mean(), scale=stats.sem(d.mean(axis=1)))
        assert high - low >= (alone[1] - alone[0]) * (1 - 1e-9)


def test_the_interval_is_never_narrower_than_that_of_the_groups_means():
    draw = np.random.default_rng(4)
    groups = np.repeat(np.arange(4), 25)
    for turn in range(40):
        d = draw.normal(size=(5, 100)) + 0.3 * draw.normal(size=4)[groups]
        low, high = crossed_bootstrap(d[None], groups, draws=400, seed=turn).interval()
        means = d.mean(axis=0).reshape(4, 25).mean(axis=1)
        alone = stats.t.interval(0.95, 3, loc=d.mean(), scale=stats.sem(means))
        assert high - low >= (alone[1] - alone[0]) * (1 - 1e-9)


def test_one_seed_has_no_verdict_and_no_share():
    d = random.normal(3, 1, size=(1, 50))
    found = crossed_bootstrap(np.stack([d, d]), draws=200)
    assert verdict(*found.interval(), found.seeds) == "one training run"
    assert recovered_share(found) is None


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
    deviations = np.stack([random.normal(0, 0.1, 4000), random.normal(0, 0.49, 4000)])
    both = Resampled(np.array([0.5, 1.0]), deviations, [Error(0.1, 1000.0), Error(0.49, 1000.0)], 9)
    found = recovered_share(both)
    assert found is not None
    assert np.isfinite(list(found.values())).all()


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
    ps = random.uniform(size=9).tolist()
    assert all(adjusted >= p for adjusted, p in zip(holm(ps), ps, strict=True))
