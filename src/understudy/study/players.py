"""Players: who takes part in a distillation, what each reads, how it looks untrained, and whether all go together."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import torch

from understudy.corpus import Corpus, Split
from understudy.methods import CATALOGUE, Method
from understudy.models.model import Model
from understudy.players.blueprint import Blueprint, draw, for_retrieval
from understudy.tasks import Retrieval, Task
from understudy.teachers.teacher import Ensemble, Frozen, Teacher


def cast(corpus: Corpus, split: Split, arguments: Mapping[str, Any]) -> dict[str, Blueprint]:
    """Every player before training, by its blueprint's name."""
    names = ["student", "teacher", *(["auxiliary"] if asks_for(arguments["method"], "auxiliary") else [])]
    return {name: blueprint_of(name, corpus, split, arguments) for name in names}


def blueprint_of(name: str, corpus: Corpus, split: Split, arguments: Mapping[str, Any]) -> Blueprint:
    """A player before training, its views fitted on the train rows. The auxiliary reads by what the teacher would read by."""
    own, method = arguments["student"], arguments["method"]
    named = arguments["encoders"] if name == "student" else arguments["encoders"] | arguments["teacher_encoders"]
    reads = arguments.get(name) or auxiliary_modalities(method, corpus.task, own, arguments["teacher"])
    told = {"head": arguments["teacher_head"]} if name == "teacher" else {}
    fusion = {"student": "fusion", "teacher": "teacher_fusion"}.get(name)
    told |= {"fusion": arguments[fusion]} if fusion else {}
    drawn = draw(corpus, split, reads, name=name, named=named, sizes=arguments["sizes"], **told)
    if not isinstance(drawn.task, Retrieval):
        return drawn
    return for_retrieval(drawn, own, space=arguments["space"], fused=name == "teacher" or list(reads) != own)


def rehearse(arguments: Mapping[str, Any], cast: Mapping[str, Blueprint]) -> None:
    """ValueError where the players cannot be built, or the method cannot bind them, with these settings; nobody is trained."""
    method, options = CATALOGUE[arguments["method"]], arguments["options"]
    built = {name: each.build(0, weights=False) for name, each in cast.items()}
    method.lead(built["teacher"], **options)
    several = arguments["ensemble"] == "yes" or arguments["answers"] == "crossfit"
    frozen = Ensemble([Frozen(built["teacher"])]) if several else Frozen(built["teacher"])
    others = {"teacher": built["teacher"] if method.beside(**options) else frozen, "auxiliary": built.get("auxiliary")}
    method_of(arguments, 0, built["student"], others)


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
