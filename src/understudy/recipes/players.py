"""Players: who takes part in a distillation beside the student, and with which weights each begins."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import torch

from understudy.methods import CATALOGUE, Method
from understudy.model import Model
from understudy.recipes.blueprint import Blueprint
from understudy.task import Retrieval, Task
from understudy.teachers import Teacher


def method_of(arguments: Mapping[str, Any], seed: int, student: Model, others: Mapping[str, Teacher | Model | None]) -> Method:
    """The distilling method by its name with those of the other players that its constructor asks for.

    others: `teacher`, a Model where it trains, else a frozen Teacher; `auxiliary`, a Model. The initialisation of the method's
    own layers depends on (seed, name) alone.
    """
    method = CATALOGUE[arguments["method"]]
    asked = inspect.signature(method).parameters
    with torch.random.fork_rng():
        torch.manual_seed(crc32(f"{seed}/{arguments['method']}".encode()))
        return method(student, **{name: player for name, player in others.items() if name in asked}, **arguments["options"])


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
