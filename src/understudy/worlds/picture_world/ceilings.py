"""Ceilings: the best accuracy that words alone, the picture alone, and both together allow; exact, from how the world is drawn.

The ideal observer sees things and cloth exactly. `given`: its accuracy on rows like the training rows. `shifted`: what the same
rules, which nobody told that the habit has changed, score on shifted rows.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from understudy.worlds.picture_world.lines import FORMS, HUES, KINDS
from understudy.worlds.picture_world.scene import COUNTS
from understudy.worlds.picture_world.world import (
    ANNOTATORS,
    ANSWERS,
    ASKED,
    CHOICES,
    LABELS,
    YES_NO,
    Name,
    World,
    beside,
    credit,
    peaked,
)

Array = NDArray[np.float64]
SUBSETS = ("text", "picture", "both")


def ceilings(world: World, name: Name) -> dict[str, dict[str, float]]:
    """ "text", "picture", "both" -> {"given", "shifted"}: expected accuracy (of questions: the official VQA accuracy)."""
    of: dict[str, Callable[[World], dict[str, dict[str, float]]]] = {
        "entailment": of_claims,
        "question": of_questions,
        "choice": of_choices,
    }
    return of[name](world)


def followed(chances: Sequence[Array], worth: Array) -> dict[str, float]:
    """The best rule under the first chances `[evidence truth]`, and what it scores there and under the second, shifted ones.

    worth: of each answer when each is the truth `[truth answer]`.
    """
    seen, shifted = chances
    answer = (seen @ worth).argmax(axis=1)
    scored = worth[:, answer].T
    return {"given": float((seen * scored).sum()), "shifted": float((shifted * scored).sum())}


def of_claims(world: World) -> dict[str, dict[str, float]]:
    """Words: the cue. Picture: whether there is a cloth. Both: everything."""
    right, labels = np.eye(len(LABELS)), len(LABELS)
    cue = [np.stack([peaked(labels, label, world.rate(s)) for label in range(labels)], axis=1) / labels for s in (False, True)]
    cloth = np.array([[1 / 6, 1 / 3, 0], [1 / 6, 0, 1 / 3]])
    sure = np.eye(labels) / labels
    return {"text": followed(cue, right), "picture": followed((cloth, cloth), right), "both": followed((sure, sure), right)}


def of_choices(world: World) -> dict[str, dict[str, float]]:
    """Words: which choice repeats the question. Picture: nothing, without the choices. Both: everything."""
    right = np.eye(CHOICES)
    cue = [np.stack([peaked(CHOICES, place, world.rate(s)) for place in range(CHOICES)], axis=1) / CHOICES for s in (False, True)]
    nothing, sure = np.full((1, CHOICES), 1 / CHOICES), np.eye(CHOICES) / CHOICES
    return {"text": followed(cue, right), "picture": followed((nothing, nothing), right), "both": followed((sure, sure), right)}


def of_questions(world: World) -> dict[str, dict[str, float]]:
    """Words: the usual answers. Picture: which questions have which answers in it, over every set of things. Both: the truth."""
    worth = expected_credit(world)
    asked = [by_question(world, s) for s in (False, True)]
    pictures = [by_picture(world, s) for s in (False, True)]
    sure = [np.diag(each.sum(axis=0)) for each in asked]
    return {"text": followed(asked, worth), "picture": followed(pictures, worth), "both": followed(sure, worth)}


def expected_credit(world: World) -> Array:
    """`[truth answer]`: the official accuracy of an answer, over the annotators."""
    chance = np.array(
        [comb(ANNOTATORS, n) * world.agree**n * (1 - world.agree) ** (ANNOTATORS - n) for n in range(ANNOTATORS + 1)]
    )
    earned = np.array([credit(n) for n in range(ANNOTATORS + 1)])
    worth = np.zeros((len(ANSWERS), len(ANSWERS)))
    for truth in range(len(ANSWERS)):
        worth[truth, truth] = chance @ earned
        worth[truth, beside(truth)] = chance @ earned[::-1]
    return worth


def by_question(world: World, shifted: bool) -> Array:
    """Chance `[question truth]` of every question that can be asked; synonyms say nothing."""
    rows, start = [], 0
    for asked in ASKED:
        for chances in (found := world.usual_answers(shifted)[asked]):
            row = np.zeros(len(ANSWERS))
            row[start : start + len(chances)] = chances / len(ASKED) / len(found)
            rows.append(row)
        start += found.shape[1]
    return np.stack(rows)


def by_picture(world: World, shifted: bool) -> Array:
    """Chance `[picture truth]` of every set of one, two or three kinds, and of the answer to whatever was asked about it."""
    usual, found = world.usual_answers(shifted), []
    number_at, yes_at = len(HUES) + len(FORMS), len(HUES) + len(FORMS) + len(COUNTS)
    for count in COUNTS:
        things = np.array(list(combinations(range(KINDS), count)))
        hues, forms, each = things // len(FORMS), things % len(FORMS), np.arange(len(things))[:, None]
        rows = np.zeros((len(things), len(ANSWERS)))
        # The colour of a shape can be asked where one thing has that shape; the others were drawn from those without it.
        colour = usual["colour"][forms, hues] / len(FORMS) / comb(KINDS - len(HUES), count - 1)
        shape = usual["shape"][hues, forms] / len(HUES) / comb(KINDS - len(FORMS), count - 1)
        np.add.at(rows, (each, hues), np.where(alone(forms), colour, 0) / len(COUNTS))
        np.add.at(rows, (each, len(HUES) + forms), np.where(alone(hues), shape, 0) / len(COUNTS))
        rows[:, number_at + count - 1] += usual["number"][0, count - 1] / len(things)
        rows[:, yes_at : yes_at + len(YES_NO)] += usual["yes/no"][0] / len(things) / len(COUNTS)
        found.append(rows / len(ASKED))
    return np.concatenate(found)


def alone(values: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Which of a row's values `[N K]` stand there once."""
    return (values[:, :, None] == values[:, None]).sum(axis=2) == 1
