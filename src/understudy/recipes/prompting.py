"""From what a user says of a teacher's class prompts to its head."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from understudy.encoders.class_text import class_features, published_prompting
from understudy.prompts import PromptHead
from understudy.recipes.options import typed
from understudy.task import Regression, Task

SETTINGS: dict[str, Any] = {
    "tokens_of": str,
    "classes": int,
    "prompts": list,
    "text_encoder": str,
    "anchors": list | Literal["margin"],
    "regression": Literal["classes", "mlp", "prompt"],
    "alpha": float,
    "layers": int,
    "heads": int,
    "logit_scale": float,
}
"""What a user may say of a head of class prompts; any of it makes one."""
SENTIMENT: dict[int, tuple[str, ...]] = {
    2: ("negative", "positive"),
    3: ("negative", "neutral", "positive"),
    7: (
        "strongly negative",
        "negative",
        "weakly negative",
        "neutral",
        "weakly positive",
        "positive",
        "strongly positive",
    ),
}
"""Prompts of a sentiment in [-3, 3] by number of classes."""


def check_head(task: Task, head: Mapping[str, Any], modalities: Sequence[str]) -> dict[str, Any]:
    """The settings, checked against task and modalities, with `classes` and `prompts` filled in; empty stays empty.

    ValueError and KeyError say what cannot be.
    """
    if not head:
        return {}
    found = typed("teacher_head", head, SETTINGS)
    if isinstance(found.get("anchors"), list):
        found["anchors"] = [float(u) for u in found["anchors"]]
    if found.get("tokens_of", modalities[0]) not in modalities:
        raise KeyError(f"tokens_of is {found['tokens_of']!r}; the teacher reads {', '.join(modalities)}")
    prompts = found.get("prompts", [])
    found["classes"] = found.get("classes", len(prompts) or (7 if isinstance(task, Regression) else task.outputs))
    if not prompts and found.get("text_encoder"):
        prompts = list(default_prompts(task, found["classes"]))
    if prompts and len(prompts) != found["classes"]:
        raise ValueError(f"{len(prompts)} prompts for {found['classes']} classes; give one a class, in their order")
    if prompts and not found.get("text_encoder"):
        raise ValueError("prompts need a text_encoder, a transformers folder or hub id; without one, classes are learnt vectors")
    width = 8 * found.get("heads", 8)
    anchors = None if not isinstance(task, Regression) else found.get("anchors")
    PromptHead(task, tokens_of="", width=width, classes=found["classes"], anchors=anchors, heads=found.get("heads", 8))
    return found | ({"prompts": prompts} if prompts else {})


def default_prompts(task: Task, classes: int) -> Sequence[str]:
    """The classes' own names, or the words of a sentiment; ValueError where there are none."""
    if isinstance(task, Regression):
        if not task.sentiment or classes not in SENTIMENT:
            raise ValueError(f"no prompts are known for {classes} classes of this target; give prompts, a text for each class")
        return SENTIMENT[classes]
    return getattr(task, "classes")  # noqa: B009


def resolved(task: Task, head: Mapping[str, Any], modalities: Sequence[str]) -> dict[str, Any]:
    """What a blueprint keeps: `PromptHead`'s own arguments, and `text_encoder`, whose prompt generator a new head starts from.

    The text tower is asked here, once.
    """
    found = check_head(task, head, modalities)
    if not found:
        return {}
    prompts, name = found.pop("prompts", None), found.get("text_encoder", "")
    if name:
        found = {**published_prompting(name)[0], **found}
        found["class_features"] = class_features(name, prompts).tolist()
    return {"tokens_of": modalities[0]} | found


def prompt_head(
    task: Task, head: Mapping[str, Any], widths: Mapping[str, int], fused: int, dropout: float, weights: bool
) -> PromptHead:
    """The head of a model whose encoders are so wide; weights: start from a published prompt generator where one fits."""
    settings = dict(head)
    name, features = settings.pop("text_encoder", ""), settings.pop("class_features", None)
    built = PromptHead(
        task,
        width=widths[settings["tokens_of"]],
        class_features=None if features is None else torch.tensor(features),
        fused=fused if len(widths) > 1 else None,
        dropout=dropout,
        **settings,
    )
    if name and weights:
        generator = published_prompting(name)[1]
        own = built.generator.state_dict()
        if {key: w.shape for key, w in generator.items()} == {key: w.shape for key, w in own.items()}:
            built.generator.load_state_dict(generator)
    return built
