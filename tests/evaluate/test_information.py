"""Information against the closed form of correlated Gaussians, at independence, and what is refused."""

import numpy as np
import pytest
import torch

from understudy.evaluate.critic import pair_nats
from understudy.evaluate.information import gaussian, gaussian_nats, infonce, ksg, ksg_nats, of_label

ESTIMATORS = {"gaussian": gaussian, "ksg": ksg, "infonce": infonce}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def correlated(rows, rho, width, *, seed=0):
    """Pairs of columns of correlation `rho`, and the nats that they share."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, width))
    y = rho * x + np.sqrt(1 - rho**2) * random.normal(size=(rows, width))
    return x, y, -width / 2 * np.log(1 - rho**2)


@pytest.mark.parametrize(("rho", "width"), [(0.8, 1), (0.5, 2)])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_closed_form(name, rho, width):
    x, y, truth = correlated(600, rho, width)
    found = ESTIMATORS[name](x, y)
    assert found.low <= truth <= found.high
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(truth, abs=0.12)
    assert found.value <= truth + 0.05 or name != "infonce"


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("width", [1, 4])
def test_independent_inputs_give_an_interval_that_holds_0(name, width):
    held = []
    for seed in range(3 if name == "infonce" else 12):
        x, y, _ = correlated(300, 0.0, width, seed=seed)
        found = ESTIMATORS[name](x, y, seed=seed)
        held.append(found.low <= 0 <= found.high)
        assert abs(found.value) < 0.12
    assert np.mean(held) > 0.9


def test_estimates_do_not_depend_on_units_order_or_sides():
    x, y, _ = correlated(200, 0.7, 2)
    order = np.random.default_rng(1).permutation(200)
    for estimate in (lambda a, b: gaussian(a, b).value, lambda a, b: ksg(a, b).value):
        value = estimate(x, y)
        assert estimate(y, x) == pytest.approx(value)
        assert estimate(1000 * x - 3, y / 70) == pytest.approx(value)
        assert estimate(x[order], y[order]) == pytest.approx(value)
    mixed = x @ np.array([[2.0, 1], [-1, 1]])
    assert gaussian(mixed, y).value == pytest.approx(gaussian(x, y).value)
    repeated = np.concatenate([x, x[:, :1] - x[:, 1:]], axis=1)
    assert gaussian(repeated, y).value == pytest.approx(gaussian(x, y).value)


def test_the_gaussian_is_unbiased_and_shrinks_where_columns_are_many():
    values, plain = [], []
    for seed in range(40):
        x, y, truth = correlated(60, 0.5, 3, seed=seed)
        values.append(gaussian_nats(x, y, shrunk=False))
        r = np.corrcoef(np.concatenate([x, y], axis=1).T)
        plain.append(np.linalg.slogdet(r[:3, :3])[1] / 2 + np.linalg.slogdet(r[3:, 3:])[1] / 2 - np.linalg.slogdet(r)[1] / 2)
    assert np.mean(values) == pytest.approx(truth, abs=0.05)
    assert np.mean(plain) > truth + 0.06
    x, y, _ = correlated(80, 0.0, 60)
    assert gaussian(x, y).estimator == "Gaussian, shrunk"
    assert abs(gaussian(x, y).value) < 0.05


def test_ksg_against_its_definition():
    from scipy.special import digamma

    x, y, _ = correlated(60, 0.7, 2)
    near = [np.abs(side[:, None] - side[None]).max(axis=2) for side in (x, y)]
    joint = np.maximum(*near)
    radius = np.sort(joint, axis=1)[:, 3]
    counts = [(each < radius[:, None]).sum(axis=1) - 1 for each in near]
    expected = digamma(3) + digamma(60) - np.mean(digamma(counts[0] + 1) + digamma(counts[1] + 1))
    assert ksg_nats(x, y, k=3) == pytest.approx(expected)


def test_ksg_sees_what_is_not_linear_and_keeps_the_first_components():
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, 400)
    circle = np.stack([np.cos(angle), np.sin(angle)]) + 0.1 * random.normal(size=(2, 400))
    assert ksg(circle[0], circle[1]).low > 0.3
    assert gaussian(circle[0], circle[1]).high < 0.1
    x, y, _ = correlated(200, 0.9, 1)
    wide = x @ np.ones((1, 30)) + 0.01 * random.normal(size=(200, 30))
    assert ksg(wide, y, dimensions=1).value == pytest.approx(ksg(x, y).value, abs=0.1)


def test_infonce_per_row_and_its_ceiling():
    scores = np.eye(4) * 1e4
    np.testing.assert_allclose(pair_nats(scores), np.log(4))
    np.testing.assert_allclose(pair_nats(np.zeros((4, 4))), 0)
    x, _, _ = correlated(200, 0.0, 3)
    same = infonce(x, x)
    assert same.ceiling == pytest.approx(np.log(50))
    assert 2 < same.value <= same.ceiling


def test_the_state_of_other_random_numbers_is_left_alone():
    torch.manual_seed(3)
    first = torch.rand(2)
    torch.manual_seed(3)
    x, y, _ = correlated(60, 0.5, 1)
    one = infonce(x, y, steps=10)
    assert torch.equal(torch.rand(2), first)
    assert infonce(x, y, steps=10) == one


def test_the_classifier_bound():
    random = np.random.default_rng(0)
    label = np.arange(300) % 3
    nothing = of_label(random.normal(size=(300, 4)), label)
    assert nothing.low <= 0 <= nothing.high
    assert nothing.ceiling == pytest.approx(np.log(3))
    clear = of_label(4 * np.eye(3)[label] + random.normal(size=(300, 3)), label)
    assert 0.9 < clear.value <= np.log(3)
    some = of_label(np.eye(3)[label] + random.normal(size=(300, 3)), label)
    assert nothing.high < some.low < some.value < clear.value
    # Two normal classes at +-1: I = H(Y) - H(Y|X) by numerical integration.
    sign = np.where(np.arange(600) % 2, 1, -1)
    bound = of_label(sign + random.normal(size=600), sign)
    grid = np.linspace(-9, 9, 20001)
    density = [np.exp(-((grid - side) ** 2) / 2) / np.sqrt(2 * np.pi) for side in (-1, 1)]
    mean = (density[0] + density[1]) / 2
    truth = sum(np.trapezoid(each * np.log(each / mean), grid) for each in density) / 2
    assert bound.low <= truth <= bound.high


def test_groups_are_held_out_together():
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 15)
    label = np.repeat(np.arange(20) % 2, 15)
    voice = random.normal(size=(20, 30))[group] + 0.1 * random.normal(size=(300, 30))
    assert of_label(voice, label).value > 0.5
    apart = of_label(voice, label, groups=group.astype(str))
    assert apart.low <= 0.2
    assert of_label(voice, label, groups=np.zeros(300)).value > 0.5


@pytest.mark.parametrize("name", ESTIMATORS)
def test_refusals(name):
    estimate = ESTIMATORS[name]
    x, y, _ = correlated(60, 0.5, 2)
    with pytest.raises(ValueError, match="20 rows are too few"):
        estimate(x[:20], y[:20])
    with pytest.raises(ValueError, match="numbers differ: 60, 50"):
        estimate(x, y[:50])
    broken = x.copy()
    broken[7, 1] = np.nan
    with pytest.raises(ValueError, match="representation 2, row 7 is not finite"):
        estimate(y, broken)
    still = x.copy()
    still[:, 1] = 5
    with pytest.raises(ValueError, match="representation 1: 1 columns never change, the first is 1"):
        estimate(still, y)
    with pytest.raises(ValueError, match=r"shape \(60, 0\)"):
        estimate(x[:, :0], y)


def test_other_refusals():
    x, y, _ = correlated(60, 0.5, 2)
    with pytest.raises(ValueError, match="no bound"):
        gaussian(x, x[:, :1] * 3 + 1)
    with pytest.raises(ValueError, match="numbers that differ"):
        ksg(np.repeat(x[:12], 5, axis=0), np.repeat(y[:12], 5, axis=0))
    with pytest.raises(ValueError, match="k=0"):
        ksg(x, y, k=0)
    with pytest.raises(ValueError, match="dimensions=0"):
        ksg(x, y, dimensions=0)
    with pytest.raises(ValueError, match="60 rows but 59 labels"):
        of_label(x, np.arange(59) % 2)
    with pytest.raises(ValueError, match="1 classes"):
        of_label(x, np.zeros(60, int))
    with pytest.raises(ValueError, match="the smallest of 3 rows"):
        of_label(x, (np.arange(60) < 3).astype(int))
