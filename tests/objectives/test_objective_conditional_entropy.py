"""Conditional entropy: bounds against closed forms, a calibrated discriminator, and who moves whom."""

import math

import pytest
import torch
from torch import Tensor, nn
from two_players import two_players

from understudy.objectives import AdversarialEntropy, GaussianEntropy
from understudy.objectives.adversary import SURE, tells_apart
from understudy.objectives.conditional_entropy import Game, conditional_entropy, gaussian_bound
from understudy.objectives.objective import Objective, levelled

GAMES: tuple[Game, ...] = ("alice", "cgan", "repr_gan")
EVERY = [lambda v=v, **more: AdversarialEntropy(3, 4, variant=v, **more) for v in GAMES] + [
    lambda **more: GaussianEntropy(3, 4, **more)
]


def players(rows: int = 12, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, width, generator=draw).requires_grad_() for width in (3, 4))


def moved(objective: Objective) -> set[str]:
    return {name.split(".")[0] for name, p in objective.named_parameters() if p.grad is not None}


def fit(objective: AdversarialEntropy | GaussianEntropy, draw, *, steps: int, rate: float) -> None:
    """Train what a step trains while the players stand still: the discriminator, or the Gaussian."""
    optimiser = torch.optim.Adam(objective.parameters(), lr=rate)
    asked = objective.critic if isinstance(objective, AdversarialEntropy) else objective
    for _ in range(steps):
        optimiser.zero_grad()
        term = asked(*two_players(*draw()))
        (term.total / term.count).backward()
        optimiser.step()


def test_the_gaussian_bound_is_the_entropy_for_the_true_conditional_and_above_it_for_any_other():
    torch.manual_seed(0)
    s, e = torch.randn(2, 100_000, 3, dtype=torch.float64)
    variance = torch.tensor([0.1, 1.0, 4.0], dtype=torch.float64)
    t = 2 * s + e * variance.sqrt()
    known = float(0.5 * (2 * math.pi * math.e * variance).log().mean())
    assert float(gaussian_bound(t, 2 * s, variance).mean()) == pytest.approx(known, abs=0.02)
    assert float(gaussian_bound(t, 1.9 * s, variance).mean()) > known + 0.003
    assert float(gaussian_bound(t, 2 * s, variance * 1.5).mean()) > known + 0.003


def test_the_gaussian_learns_the_conditional_entropy_per_feature():
    torch.manual_seed(0)

    def draw() -> tuple[Tensor, Tensor]:
        s = torch.randn(256, 1)
        return s, torch.cat([s, torch.zeros(256, 1)], dim=1) + 0.5 * torch.randn(256, 2)

    objective = GaussianEntropy(1, 2, hidden=16, scaled=False)
    fit(objective, draw, steps=250, rate=0.02)
    found = sum(float(t.total.detach() / t.count) for t in (objective(*two_players(*draw())) for _ in range(10))) / 10
    assert found == pytest.approx(math.log(2 * math.pi * math.e * 0.25) / 2, abs=0.05)


def test_the_discriminator_is_calibrated():
    torch.manual_seed(0)
    objective = AdversarialEntropy(1, 1, variant="repr_gan", hidden=32, noise=0.0, steepness=0.0, scaled=False)
    objective.generator = nn.Sequential()
    fit(objective, lambda: (torch.randn(512, 1) + 1, torch.randn(512, 1)), steps=300, rate=0.01)
    x = torch.linspace(-1, 2, 13)[:, None]
    # Asked for no more than SURE, it says less of the real than p / q: D = SURE p / (p + q) at its best.
    real, fake = (torch.distributions.Normal(mean, 1.0).log_prob(x[:, 0]).exp() for mean in (0.0, 1.0))
    told, known = objective.discriminator(x)[:, 0].detach(), (SURE * real / (real + fake)).logit()
    assert (told - known).abs().max() < 0.35
    assert (told - known).abs().mean() < 0.15


@pytest.mark.parametrize("variant", GAMES)
def test_the_generator_is_pulled_towards_the_teacher(variant):
    torch.manual_seed(0)
    objective = AdversarialEntropy(1, 1, variant=variant, hidden=32, noise=0.3, scaled=False)
    s = torch.randn(256, 1)
    made = (s + 2).requires_grad_()
    objective.made = lambda s: made  # pyright: ignore
    fit(objective, lambda: (s, s), steps=60, rate=0.01)
    term = objective(*two_players(s, s))
    term.total.backward()
    assert made.grad is not None
    assert made.grad.mean() > 0, "less of made is less to pay, and the teacher lies below it"


@pytest.mark.parametrize("variant", GAMES)
def test_a_perfect_generator_cannot_be_told(variant):
    objective = AdversarialEntropy(3, 4, variant=variant, noise=0.1)
    s, t = (x.detach() for x in players())
    real, fake = objective.seen(s, t, t)
    assert torch.equal(real, fake), "the noise is one draw for both"
    logits = objective.discriminator(real)[:, 0]
    assert float(tells_apart(logits, logits).detach().min()) >= 2 * math.log(2) - 1e-6
    if variant == "alice":
        assert not torch.equal(real[:, :4], real[:, 4:]), "(t, t) is not told by exact equality"
        assert torch.equal(*objective.eval().seen(s, t, t)[0].split(4, dim=1)), "without training there is no noise"


def test_size_tells_nothing():
    torch.manual_seed(0)
    s, t = (x.detach() for x in players())
    for scaled in (True, False):
        objective = AdversarialEntropy(3, 4, scaled=scaled, noise=0.0)
        one = objective.critic(*two_players(s, t)).total.item()
        last = objective.generator[-1]
        with torch.no_grad():
            last.weight.mul_(10)
            last.bias.mul_(10)
        assert (objective.critic(*two_players(s, 7 * t)).total.item() == pytest.approx(one, rel=1e-5)) == scaled
    torch.testing.assert_close(levelled(t).square().mean(dim=1), torch.ones(len(t)))


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize("detach", [True, False])
def test_who_gets_a_gradient(make, detach):
    torch.manual_seed(0)
    objective = make(detach_teacher=detach)
    s, t = players()
    adversarial = isinstance(objective, AdversarialEntropy)
    if adversarial:
        objective.critic(*two_players(s, t)).total.backward()
        assert s.grad is None
        assert t.grad is None
        assert moved(objective) == {"discriminator"}
        objective.zero_grad()
    objective(*two_players(s, t)).total.backward()
    assert s.grad is not None
    assert (t.grad is None) == detach
    assert moved(objective) == ({"generator"} if adversarial else {"generator", "variance"})


@pytest.mark.parametrize("make", EVERY[:-1])
def test_a_critic_is_finite_ignores_what_does_not_count_and_is_zero_with_nothing(make):
    torch.manual_seed(0)
    objective = make().eval()
    s, t = (x.detach() for x in players())
    some = torch.arange(12) < 7
    expected = objective.critic(*two_players(s[:7], t[:7]))
    s[7:], t[7:] = float("nan"), float("nan")
    found = objective.critic(*two_players(s, t, valid=some))
    torch.testing.assert_close(found.total, expected.total)
    found.total.backward()
    assert all(p.grad.isfinite().all() for p in objective.parameters() if p.grad is not None)
    objective.zero_grad()
    none = objective.critic(*two_players(s, t, valid=torch.zeros(12, dtype=torch.bool)))
    none.total.backward()
    assert float(none.total.detach()) == float(none.count) == 0
    assert all((p.grad == 0).all() for p in objective.parameters() if p.grad is not None)
    for rows, scale in ((1, 1.0), (12, 200.0)):
        s, t = (x.detach() * scale for x in players(rows))
        assert objective.critic(*two_players(s.bfloat16(), t.bfloat16())).total.isfinite()
        assert objective.critic(*two_players(torch.ones_like(s), torch.ones_like(t))).total.isfinite()


def test_noise_and_latents_are_drawn_in_training_alone():
    torch.manual_seed(0)
    s, t = players()
    for variant in GAMES:
        objective = AdversarialEntropy(3, 4, variant=variant)
        one, two = (objective(*two_players(s, t)).total.item() for _ in range(2))
        assert one != two
        objective.eval()
        one, two = (objective(*two_players(s, t)).total.item() for _ in range(2))
        assert one == two


def test_the_variant_chooses():
    assert isinstance(conditional_entropy("gaussian", 3, 4, detach_teacher=False), GaussianEntropy)
    for variant in GAMES:
        assert conditional_entropy(variant, 3, 4).variant == variant
    with pytest.warns(UserWarning, match="noise 0.5 has no effect"):
        conditional_entropy("gaussian", 3, 4, noise=0.5)


def test_impossible_noise_is_refused():
    with pytest.raises(ValueError, match="noise -1"):
        AdversarialEntropy(3, 4, noise=-1.0)
