"""The grid of every benchmark: it brackets where a best is, spends one budget, and says so when the best is at an end."""

import math

import pytest
from benchmarks.grid import TRIES, Scale, at_an_end, best_of, bracketed


def scale(factor: float = 4.0) -> Scale:
    return Scale(1.0, factor, lambda strength: {"weight": strength})


@pytest.mark.parametrize("best", [0.02, 0.3, 1.0, 3.0, 60.0])
def test_the_best_ends_between_two_that_were_tried(best):
    found = bracketed(lambda strength: -abs(math.log(strength / best)), scale(), tries=6)
    assert len(found) == 6
    assert at_an_end(found) == ""
    assert abs(math.log(best_of(found) / best)) <= math.log(4.0) / 2 + 1e-9


def test_a_best_that_no_budget_brackets_is_said():
    assert at_an_end(bracketed(lambda strength: strength, scale())) == "most"
    assert at_an_end(bracketed(lambda strength: -strength, scale())) == "least"
    assert len(bracketed(lambda strength: strength, scale())) == TRIES


def test_every_method_spends_the_same_whatever_it_finds():
    asked = []
    for merit in (lambda strength: strength, lambda strength: -strength, lambda strength: 0.0):
        bracketed(lambda strength, merit=merit: asked.append(strength) or merit(strength), scale())
    assert len(asked) == 3 * TRIES


def test_of_equals_the_least_is_taken():
    assert best_of({4.0: 1.0, 0.25: 0.5, 1.0: 1.0}) == 1.0
