"""Tasks: what a target is, how an answer is scored against it. Without torch until a loss is asked for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from understudy.process.document import Shape, refuse_misfit
from understudy.tasks.choice import Choice
from understudy.tasks.classification import Classification
from understudy.tasks.multilabel import MultiLabel
from understudy.tasks.regression import Regression
from understudy.tasks.retrieval import Retrieval, Space
from understudy.tasks.task import OneOf, Task

ClassWeights = Literal["no", "balanced"]

__all__ = [
    "Choice",
    "ClassWeights",
    "Classification",
    "MultiLabel",
    "OneOf",
    "Regression",
    "Retrieval",
    "Space",
    "Task",
    "judged",
    "task_from_json",
]


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
    "balanced?": bool,
    "smoothing?": float,
    "weights?": [float],
    "metric?": str,
}


def judged(task: Task, *, metric: str = "", class_weights: ClassWeights = "no", label_smoothing: float = 0.0) -> Task:
    """The task chosen and judged by another of its metrics, and with another loss; ValueError for what it has not."""
    if class_weights == "no" and not label_smoothing:
        return replace(task, metric=metric) if metric else task
    if not isinstance(task, Classification):
        raise ValueError(f"class weights or label smoothing given, but the task is a {task.kind}; they are for classes")
    if class_weights not in ("no", "balanced"):
        raise ValueError(f"class weights are {class_weights!r}; choose no or balanced")
    return replace(task, metric=metric or task.metric, balanced=class_weights == "balanced", smoothing=float(label_smoothing))


def task_from_json(document: Mapping[str, Any]) -> Task:
    """The task that `to_json` wrote; ValueError for anything else."""
    kinds: dict[str, type[Task]] = {t.kind: t for t in (Regression, Classification, Retrieval, Choice, MultiLabel)}
    refuse_misfit(document, TASK, "the task")
    options = dict(document)
    kind = options.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"unknown task kind {kind!r}; known: {', '.join(kinds)}")
    options |= {name: tuple(options[name]) for name in ("classes", "branches", "weights") if name in options}
    try:
        return kinds[kind](**options)
    except TypeError as error:
        raise ValueError(f"task {kind!r} does not take these settings: {error}") from None
