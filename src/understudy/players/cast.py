"""The cast of a method: which players its constructor asks for, what each reads, and whether all go together untrained."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from zlib import crc32

import torch

from understudy.corpus import Corpus, Split
from understudy.methods import CATALOGUE, Method
from understudy.models.model import Model
from understudy.players.blueprint import Blueprint, draw, for_retrieval
from understudy.players.player import Player
from understudy.tasks import Retrieval, Space, Task
from understudy.teachers.teacher import Ensemble, Frozen, Teacher

DRAWN = {"joint_teacher": "teacher", "plain": "student", "distilled": "student", "tried": "student"}
"""System -> the player that it is, where it is not called so."""


def player_of(system: str) -> str:
    """By which player a system is drawn: `student` of `plain`, `teacher` of `teacher/fold-0`."""
    name = system.partition("/")[0]
    return DRAWN.get(name, name)


def drawn(name: str, players: Mapping[str, Player], corpus: Corpus, split: Split, *, space: Space | Literal[""]) -> Blueprint:
    """The player `name` before training, its views fitted on the train rows. space: where the branches of a retrieval meet."""
    reads, own = list(players[name].modalities), list(players["student"].modalities)
    found = draw(corpus, split, players[name], name=name)
    if not isinstance(found.task, Retrieval):
        return found
    return for_retrieval(found, own, space=space, fused=name == "teacher" or reads != own)


def rehearse(method: str, options: Mapping[str, Any], cast: Mapping[str, Blueprint], *, ensemble: bool) -> None:
    """ValueError where the players cannot be built, or the method cannot bind them, with these options; nobody is trained."""
    kind = CATALOGUE[method]
    built = {name: each.build(0, weights=False) for name, each in cast.items()}
    kind.lead(built["teacher"], **options)
    frozen = Ensemble([Frozen(built["teacher"])]) if ensemble else Frozen(built["teacher"])
    if kind.assisted(**options):
        kind.assist(built["assistant"], frozen, **options)
        frozen = Frozen(built["assistant"])
    others = {"teacher": built["teacher"] if kind.beside(**options) else frozen, "auxiliary": built.get("auxiliary")}
    method_of(method, options, 0, built["student"], others)


def method_of(
    name: str, options: Mapping[str, Any], seed: int, student: Model, others: Mapping[str, Teacher | Model | None]
) -> Method:
    """The distilling method by its name with those of the other players that its constructor asks for.

    others: `teacher`, a Model where it trains, else a frozen Teacher; `auxiliary`, a Model. The initialisation of the method's
    own layers depends on (seed, name) alone.
    """
    method = CATALOGUE[name]
    asked = inspect.signature(method).parameters
    with torch.random.fork_rng():
        torch.manual_seed(crc32(f"{seed}/{name}".encode()))
        return method(student, **{each: player for each, player in others.items() if each in asked}, **options)


def copied(blueprint: Blueprint, seed: int, trained: Model | None) -> Model:
    """A model of this blueprint and seed: untrained, or with the weights of `trained`."""
    model = blueprint.build(seed, weights=trained is None)
    if trained:
        model.load_state_dict(trained.state_dict())
    return model


def asks_for(method: str, player: str) -> bool:
    """Whether a method plays with a `teacher`, or with an `auxiliary`."""
    return player in inspect.signature(CATALOGUE[method]).parameters


def auxiliary_modalities(method: str, task: Task, student: Sequence[str], teacher: Sequence[str]) -> tuple[str, ...]:
    """What the auxiliary player of a method reads; () if the method has none.

    That is what the teacher reads and the student does not. Where that is nothing, branches that search each other are each
    other's auxiliary: the student's own modalities. ValueError for any other task.
    """
    if not asks_for(method, "auxiliary"):
        return ()
    extra = tuple(modality for modality in teacher if modality not in student)
    if extra:
        return extra
    if isinstance(task, Retrieval):
        return tuple(student)
    read = f"teacher {', '.join(teacher)}, student {', '.join(student)}"
    raise ValueError(f"{method} needs a modality that only the teacher reads ({read}); leave the student one out")
