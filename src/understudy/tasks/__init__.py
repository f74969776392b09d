"""Tasks: what a target is, how an answer is scored against it. Without torch until a loss is asked for."""

from collections.abc import Mapping
from typing import Any

from understudy.process.document import Shape, refuse_misfit
from understudy.tasks.choice import Choice
from understudy.tasks.classification import Classification
from understudy.tasks.multilabel import MultiLabel
from understudy.tasks.regression import Regression
from understudy.tasks.retrieval import Retrieval, Space
from understudy.tasks.task import OneOf, Task

__all__ = ["Choice", "Classification", "MultiLabel", "OneOf", "Regression", "Retrieval", "Space", "Task", "task_from_json"]


TASK: Shape = {
    "kind": str,
    "classes?": [str],
    "branches?": [str],
    "space?": str,
    "choices?": int,
    "entries?": int,
    "unit?": str,
    "low?": float,
    "high?": float,
    "sentiment?": bool,
    "mean?": float,
    "scale?": float,
}


def task_from_json(document: Mapping[str, Any]) -> Task:
    """The task that `to_json` wrote; ValueError for anything else."""
    kinds: dict[str, type[Task]] = {t.kind: t for t in (Regression, Classification, Retrieval, Choice, MultiLabel)}
    refuse_misfit(document, TASK, "the task")
    options = dict(document)
    kind = options.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"unknown task kind {kind!r}; known: {', '.join(kinds)}")
    options |= {name: tuple(options[name]) for name in ("classes", "branches") if name in options}
    try:
        return kinds[kind](**options)
    except TypeError as error:
        raise ValueError(f"task {kind!r} does not take these settings: {error}") from None
