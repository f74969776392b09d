"""Draws are even, independent and never from what is left out; the cost is that of gathering rows, and so is its gradient."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch.nn.functional import softplus

from understudy.objectives.negatives import WORD, drawn, negative_cost, scrambled


def test_scrambling_is_one_to_one_and_looks_random():
    words = scrambled(torch.arange(2**16) + 5)
    assert len(words.unique()) == 2**16
    assert int(words.min()) >= 0
    assert int(words.max()) <= WORD
    for bit in range(0, 32, 5):
        share = (words >> bit & 1).double().mean()
        assert abs(share - 0.5) < 4 * 0.5 / 2**8
    assert int(scrambled(torch.tensor(WORD))) <= WORD


def words(count: int, key: int) -> torch.Tensor:
    return scrambled((torch.arange(count) + key * 10**6) & WORD)


@pytest.mark.parametrize(("first", "length"), [(0, 3), (4, 5), (7, 3), (2, 1)])
def test_draws_are_even_over_all_rows_but_those_left_out(first, length):
    ones = torch.ones(40, dtype=torch.long)
    found = drawn(words(1000, 1), words(40, 2), ones * first, ones * length, 10)
    counts = np.bincount(found.flatten().numpy(), minlength=10)
    out = np.arange(10)
    out = (out >= first) & (out < first + length)
    assert counts[out].sum() == 0
    assert chisquare(counts[~out]).pvalue > 1e-3


def test_draws_of_two_rows_and_two_places_are_independent():
    many, ones = 4000, torch.ones(2, dtype=torch.long)
    pairs = np.stack([drawn(words(2, 2 * n), words(2, 2 * n + 1), ones * 0, ones, 5).numpy() for n in range(many)])
    for one, two in (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 0), (1, 1))):
        table = np.bincount(pairs[:, *one] * 5 + pairs[:, *two], minlength=25).reshape(5, 5)[1:, 1:]
        assert chisquare(table.flatten()).pvalue > 1e-3


def test_large_banks_are_reached_to_both_ends():
    size = 2**20
    found = drawn(words(2**15, 1), words(64, 2), torch.zeros(64, dtype=torch.long), torch.ones(64, dtype=torch.long), size)
    assert found.min() >= 1
    assert found.max() < size
    assert found.min() < 20
    assert found.max() > size - 20


@pytest.mark.parametrize("chunk", [1, 2**20])
def test_the_cost_and_its_gradient_are_those_of_gathered_rows(chunk, monkeypatch):
    monkeypatch.setattr("understudy.objectives.negatives.CHUNK", chunk)
    torch.manual_seed(0)
    anchors = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    bank, negatives = torch.randn(9, 4, dtype=torch.float64), torch.randint(9, (5, 30))
    shift = torch.tensor(0.3, dtype=torch.float64)
    expected = softplus(torch.einsum("bd,bkd->bk", anchors, bank[negatives]) / 0.5 - shift).sum(dim=1)
    found, slope = negative_cost(anchors, bank, negatives, shift, temperature=0.5, sloped=True)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(slope, torch.autograd.grad(expected.sum(), anchors)[0])
    again, none = negative_cost(anchors, bank, negatives, shift, temperature=0.5, sloped=False)
    assert torch.equal(again, found)
    assert (none == 0).all()


def test_extreme_scores_stay_finite():
    anchors = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    places = torch.zeros(2, 3, dtype=torch.long)
    found, slope = negative_cost(anchors, anchors, places, torch.tensor(0.0), temperature=1e-3, sloped=True)
    torch.testing.assert_close(found, torch.tensor([3000.0, 0.0]))
    torch.testing.assert_close(slope, torch.tensor([[3000.0, 0.0], [0.0, 0.0]]))
