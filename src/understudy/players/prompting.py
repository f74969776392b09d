"""From what a user says of a teacher's class prompts to its head."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.encoders.class_text import class_features, published_prompting
from understudy.models.prompts import Answer, PromptHead, anchor_values, check_classes, check_settings
from understudy.players.options import typed
from understudy.prepare.cells import Kind
from understudy.tasks import Regression, Task

SETTINGS: dict[str, Any] = {
    "tokens_of": str,
    "classes": int,
    "prompts": list,
    "text_encoder": str,
    "anchors": list | Literal["means", "quantiles", "even", "margin"],
    "regression": Answer,
    "alpha": float,
    "layers": int,
    "heads": int,
    "logit_scale": float,
}
"""What a user may say of a head of class prompts; any of it makes one."""
FITTED = ("means", "quantiles", "even")
"""Words for anchors: means of the train labels by class, means of groups with as many labels each, or even ones."""
OF_PROMPTS = ("regression", "alpha", "layers", "heads", "logit_scale")
WITH_TOKENS: tuple[Kind, ...] = ("video", "text", "sequence")
"""Kinds whose every encoder gives tokens, the one that class prompts read first."""
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


def check_head(task: Task, head: Mapping[str, Any], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The settings, checked against task and modalities, with `classes` and `prompts` filled in; empty stays empty.

    kinds: of the modalities that the teacher reads; "video" also where the features of one are stored.
    ValueError and KeyError say what cannot be.
    """
    if not head:
        return {}
    found = typed("teacher_head", head, SETTINGS)
    tokens_of(found, kinds)
    if isinstance(found.get("anchors"), list):
        found["anchors"] = numbers(found["anchors"])
    prompts = found.get("prompts", [])
    found["classes"] = found.get("classes", len(prompts) or (7 if isinstance(task, Regression) else task.outputs))
    check_classes(task, found["classes"], None)
    said = found.get("anchors")
    if said in FITTED and not isinstance(task, Regression):
        raise ValueError(f"anchors={said!r} for a {task.kind} task; only classes that stand for numbers have them")
    # Quantiles need no range: any ascending numbers stand for what the labels will say.
    values = [float(place) for place in range(found["classes"])] if said == "quantiles" else None if said in FITTED else said
    check_settings(task, found["classes"], values, **{name: found[name] for name in OF_PROMPTS if name in found})
    if "prompts" not in found and found.get("text_encoder"):
        prompts = list(default_prompts(task, found["classes"]))
    if prompts or "prompts" in found:
        check_prompts(prompts, found["classes"])
    if prompts and not found.get("text_encoder"):
        raise ValueError("prompts need a text_encoder, a transformers folder or hub id; without one, classes are learnt vectors")
    return found | ({"prompts": prompts} if prompts else {})


def tokens_of(head: Mapping[str, Any], kinds: Mapping[str, Kind]) -> str:
    """The modality that class prompts read: the one named, else a video, else the first that has tokens."""
    able = [modality for modality in kinds if kinds[modality] in WITH_TOKENS]
    named = head.get("tokens_of")
    if named is not None and named not in kinds:
        raise KeyError(f"tokens_of is {named!r}; the teacher reads {', '.join(kinds)}")
    if not able:
        raise ValueError(f"class prompts need tokens, which only {', '.join(WITH_TOKENS)} have; the teacher reads {dict(kinds)}")
    if named is not None and named not in able:
        raise ValueError(
            f"tokens_of is {named!r}, a {kinds[named]}, whose encoder gives no tokens; choose from {', '.join(able)}"
        )
    return named or next((modality for modality in able if kinds[modality] == "video"), able[0])


def numbers(anchors: Sequence[Any]) -> list[float]:
    """Anchors as floats."""
    if not all(isinstance(u, int | float) and not isinstance(u, bool) for u in anchors):
        raise ValueError(f"anchors {list(anchors)} given; expected a number for each class")
    return [float(u) for u in anchors]


def check_prompts(prompts: Sequence[Any], classes: int) -> None:
    """ValueError unless each class has a text of its own."""
    if len(prompts) != classes:
        raise ValueError(f"{len(prompts)} prompts for {classes} classes; give one a class, in their order")
    if not all(isinstance(prompt, str) and prompt.strip() for prompt in prompts) or len(set(prompts)) != len(prompts):
        raise ValueError(f"prompts {list(prompts)} given; each class needs a text of its own, not empty")


def default_prompts(task: Task, classes: int) -> Sequence[str]:
    """The classes' own names, or the words of a sentiment; ValueError where there are none."""
    if isinstance(task, Regression):
        if not task.sentiment or classes not in SENTIMENT:
            raise ValueError(f"no prompts are known for {classes} classes of this target; give prompts, a text for each class")
        return SENTIMENT[classes]
    return getattr(task, "classes")  # noqa: B009


def fitted_anchors(task: Regression, classes: int, rule: str, labels: NDArray[Any]) -> dict[str, list[float]]:
    """`anchors` of a head, and the `places` by which a label finds its class, from the labels of the train rows.

    "means": classes lie evenly over the range, and each stands for the mean of its own labels; one without labels for its place.
    "quantiles": groups of as many labels each; a class stands for the mean of one, and a label's class is the nearest such mean.
    """
    if rule == "quantiles":
        groups = [each for each in np.array_split(np.sort(labels), classes) if len(each)]
        anchors = [float(each.mean()) for each in groups]
        if len(set(anchors)) < classes:
            raise ValueError(f"anchors='quantiles' finds {len(set(anchors))} different means for {classes} classes; take fewer")
        return {"anchors": anchors}
    places = anchor_values(task, classes, None).tolist()
    if rule == "even":
        return {"anchors": places}
    away = np.abs(labels[:, None] - np.array(places))
    near = away == away.min(axis=1, keepdims=True)
    near &= near.sum(axis=1, keepdims=True) == 1  # a label halfway between two places counts for neither
    anchors = [float(labels[own].mean()) if own.any() else place for own, place in zip(near.T, places, strict=True)]
    return {"anchors": anchors, "places": places}


def resolved(task: Task, head: Mapping[str, Any], kinds: Mapping[str, Kind], labels: NDArray[Any]) -> dict[str, Any]:
    """What a blueprint keeps: `PromptHead`'s own arguments, and `text_encoder`, whose prompt generator a new head starts from.

    The text tower is asked here, once. labels: of the train rows, to which anchors are fitted that the user does not give.
    """
    found = check_head(task, head, kinds)
    if not found:
        return {}
    rule = found.get("anchors", "means")
    if isinstance(task, Regression) and rule in FITTED:
        found |= fitted_anchors(task, found["classes"], rule, labels)
    prompts, name = found.pop("prompts", None), found.get("text_encoder", "")
    if name:
        found = {**published_prompting(name)[0], **found}
        found["class_features"] = class_features(name, prompts).tolist()
    return found | {"tokens_of": tokens_of(found, kinds)}


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
