"""Slots and branches: shares, sums, halves that never meet, and the mean of two answers, against loops in float64."""

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from toy import CLASSES, NUMBER, toy_batch, toy_slots
from understudy.batches.batch import Tokens
from understudy.encoders.encoder import Encoded
from understudy.models.slots import BRANCHES, MEAN, Branches, Layout, Slots
from understudy.tasks import Choice, MultiLabel

HERE, GONE = torch.ones(5, dtype=torch.bool), torch.zeros(5, dtype=torch.bool)


def fusion(**options) -> Slots:
    torch.manual_seed(0)
    return Slots({"a": 3, "b": 4}, width=8, slots=6, depth=1, heads=2, **options).eval()


def encoded(seed: int = 1) -> dict[str, Encoded]:
    """Of `a` seven tokens, some of them masked, of `b` a vector."""
    draw = torch.Generator().manual_seed(seed)
    mask = torch.arange(7) < torch.tensor([[7], [5], [1], [3], [7]])
    tokens = Tokens(torch.randn(5, 7, 3, generator=draw), mask)
    return {"a": Encoded(torch.zeros(5, 3), tokens), "b": Encoded(torch.randn(5, 4, generator=draw))}


def test_shares_of_a_token_add_up_to_one_over_the_slots_and_any_number_of_tokens_fits():
    layout = Layout(3, width=8, slots=6, depth=1, heads=2, dropout=0.0).eval()
    for many in (1, 2, 9):
        values, mask = torch.randn(5, many, 3), torch.rand(5, many) < 0.7
        shares = layout.laid(torch.randn(5, many, 8), mask)
        torch.testing.assert_close(shares.sum(dim=2), mask.float())
        assert layout(values, mask).shape == (5, 6, 8)


def test_a_layout_is_what_a_loop_in_float64_says():
    layout = fusion().layouts["a"]
    said = encoded()["a"].tokens
    with torch.no_grad():
        states = layout.transformer(layout.enter(said.values), said.mask)
        found = layout(said.values, said.mask).double().numpy()
    w = {name: value.double().numpy() for name, value in layout.state_dict().items()}
    e = states.double().numpy()
    for row in range(5):
        slots = np.zeros((6, 8))
        for token in np.flatnonzero(said.mask[row]):
            share = softmax(w["shares.weight"] @ e[row, token] + w["shares.bias"])
            slots += share[:, None] * e[row, token]
        np.testing.assert_allclose(found[row], slots @ w["leave.weight"].T + w["leave.bias"], atol=1e-5)


def test_what_a_row_has_is_added_up_in_any_order_and_the_absent_adds_nothing():
    join, said = fusion(), encoded()
    with torch.no_grad():
        laid = {
            m: join.layouts[m](t.values, t.mask)
            for m, t in (("a", said["a"].tokens), ("b", Tokens(said["b"].pooled[:, None], HERE[:, None])))
        }
        both = join(said, {"a": HERE, "b": HERE})
        torch.testing.assert_close(both.embedding, join.read(join.places + laid["b"] + laid["a"]))
        torch.testing.assert_close(both.features["a" + MEAN], laid["a"].mean(dim=1))
        alone = join(said, {"a": HERE, "b": GONE})
        torch.testing.assert_close(alone.embedding, join.read(join.places + laid["a"]))
        assert not alone.features["b" + MEAN].any()
        nan = Encoded(torch.full((5, 4), torch.nan))
        assert torch.equal(join(said | {"b": nan}, {"a": HERE, "b": GONE}).embedding, alone.embedding)
        assert torch.equal(join({"a": said["a"]}, {"a": HERE, "b": GONE}).embedding, alone.embedding)


@pytest.mark.parametrize("half", [0, 1])
def test_neither_half_can_attend_to_the_other(half):
    join = fusion()
    slots = torch.randn(5, 6, 8)
    moved = slots.clone()
    moved[:, 3 * half : 3 * half + 3] = torch.randn(5, 3, 8)
    with torch.no_grad():
        one, other = (join.read(each).chunk(2, dim=1) for each in (slots, moved))
    assert torch.equal(one[1 - half], other[1 - half])
    assert not torch.allclose(one[half], other[half], atol=1e-3)


@pytest.mark.parametrize("slots", [0, 1, 7])
def test_slots_that_two_branches_cannot_share_are_refused(slots):
    with pytest.raises(ValueError, match=f"slots={slots}: expected an even number"):
        Slots({"a": 3}, width=8, slots=slots)


def test_what_is_said_is_the_mean_of_both_branches():
    one, other = torch.randn(4, 3) * 3, torch.randn(4, 3) * 3
    a, b = one.double().numpy(), other.double().numpy()
    found = Branches(CLASSES, 8, dropout=0.0).mean(one, other)
    np.testing.assert_allclose(CLASSES.decode(found), (softmax(a, axis=1) + softmax(b, axis=1)) / 2, atol=1e-6)
    torch.testing.assert_close(CLASSES.decode(found).sum(dim=1), torch.ones(4))
    apart = MultiLabel(classes=("a", "b", "c"), entries=2)
    np.testing.assert_allclose(
        apart.decode(Branches(apart, 8, dropout=0.0).mean(one, other)), (expit(a) + expit(b)) / 2, atol=1e-6
    )
    number = Branches(NUMBER, 8, dropout=0.0).mean(one[:, :1], other[:, :1])
    np.testing.assert_allclose(number, (a[:, :1] + b[:, :1]) / 2, atol=1e-6)
    rows = [each.reshape(12, 1) for each in (one, other)]
    chosen = Branches(Choice(choices=3), 8, dropout=0.0).mean(*rows).view(4, 3)
    np.testing.assert_allclose(chosen.softmax(dim=1), (softmax(a, axis=1) + softmax(b, axis=1)) / 2, atol=1e-6)
    sure = Branches(CLASSES, 8, dropout=0.0).mean(one * 1e4, other * 1e4)
    assert sure.isfinite().all()


def test_a_model_says_each_branch_and_each_modality_s_mean_slot():
    model = toy_slots(CLASSES, "x", "y").eval()
    batch = toy_batch(CLASSES, 12)
    with torch.no_grad():
        said = model(batch)
    halves = said.need("embedding").chunk(2, dim=1)
    for name, half, layer in zip(BRANCHES, halves, model.head.branches, strict=True):
        torch.testing.assert_close(said.need(name), layer(half))
    for modality in "xy":
        assert torch.equal(said.need(modality + MEAN).any(dim=1), batch.present[modality])
