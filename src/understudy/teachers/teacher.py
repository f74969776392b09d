"""Teachers: frozen answers to a batch. Plain objects, never modules: so they are in no checkpoint and no optimiser.

A network that trains beside the student (joint, auxiliary, EMA) is a player of its method, not a Teacher.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from understudy.batches.batch import NOTHING, Batch, Output, Wanted, shown
from understudy.models.experts import Experts
from understudy.models.model import Model, views_of
from understudy.prepare.view import Views, merge_views
from understudy.tasks import Task


class Teacher(ABC):
    """`Batch -> Output` without gradient, on the batch's device."""

    task: Task
    """With its standardisation, which gives the logits their unit."""
    modalities: tuple[str, ...]
    """What its answers rest on, whether or not a batch must hold it."""
    width: int | None
    """D of its embedding; None when it gives none."""

    @abstractmethod
    def __call__(self, batch: Batch) -> Output: ...

    @property
    def experts(self) -> dict[str, int]:
        """Width of each modality's own vector, of a teacher that says them (see `Experts`); {} of any other."""
        return {}

    def saying(self, wanted: Wanted) -> "Teacher":
        """The same teacher, which also says what is wanted; ValueError for one that has no more than its answers."""
        if wanted != NOTHING:
            raise ValueError(f"the method asks more of its teacher than answers, and {type(self).__name__} has none but these")
        return self

    @property
    def layers(self) -> dict[str, int]:
        """Modality -> how many inner layers of its encoder it says, of a teacher that says them; {} of any other."""
        return {}

    @property
    @abstractmethod
    def views(self) -> Views:
        """What a batch must hold for it to answer."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """A hash that changes when its answers would; a store is stale when it differs."""


class Frozen(Teacher):
    """A trained model as it is. It answers in evaluation mode even if somebody calls `train()` on the model."""

    def __init__(self, model: Model, wanted: Wanted = NOTHING) -> None:
        self.model, self.task, self.modalities, self.width = model, model.task, model.modalities, model.width
        self.wanted = wanted

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Output:
        # Asked first, since `eval` and `to` touch every module of a model and this runs at each step.
        if any(module.training for module in self.model.modules()):
            self.model.eval()
        if next(self.model.parameters()).device != batch.labelled.device:
            self.model.to(batch.labelled.device)
        return self.model(batch, self.wanted)

    @property
    def layers(self) -> dict[str, int]:
        return self.model.layers if self.wanted.layers else {}

    def saying(self, wanted: Wanted) -> "Frozen":
        return Frozen(self.model, wanted)

    @property
    def experts(self) -> dict[str, int]:
        return self.model.head.widths if isinstance(self.model.head, Experts) else {}

    @property
    def views(self) -> Views:
        return views_of(self.model)

    @property
    def identity(self) -> str:
        """Over weights, the views' keys, the task, and what is wanted."""
        more = [] if self.wanted == NOTHING else [self.wanted]
        return identity_of(self.model, [self.task.to_json(), keys_of(self.views), *more])


def identity_of(module: nn.Module, about: Any) -> str:
    """A hash over a module's weights and over whatever else, in JSON, its answers depend on."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, weight in sorted(module.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


class Ensemble(Teacher):
    """The mean answer of several teachers of one task: of probabilities for classes, of values for a number.

    A row counts the members that are valid for it, evenly, and is valid when any is. Gives no embedding. Of wanted subsets
    of modalities it says the mean, too.
    """

    width = None

    def __init__(self, teachers: Sequence[Teacher], wanted: Wanted = NOTHING) -> None:
        if not teachers:
            raise ValueError("an ensemble of no teachers given; it needs at least one")
        self.teachers, self.task, self.wanted = tuple(teachers), teachers[0].task, wanted
        for teacher in self.teachers:
            if teacher.task != self.task:
                raise ValueError(f"an ensemble answers one task; given {self.task} and {teacher.task}")
        self.modalities = tuple(dict.fromkeys(m for teacher in teachers for m in teacher.modalities))

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Output:
        outputs = [teacher(batch) for teacher in self.teachers]
        valid = torch.stack([output.valid for output in outputs])
        join = mean_probability if self.task.discrete else mean_value

        def mean(name: str) -> Tensor:
            return join(torch.stack([output.need(name).float() for output in outputs]), valid)

        features = {shown(subset): mean(shown(subset)) for subset in self.wanted.subsets}
        return Output(valid=valid.any(dim=0), logits=mean("logits"), features=features, source="ensemble")

    def saying(self, wanted: Wanted) -> "Ensemble":
        return Ensemble([teacher.saying(wanted) for teacher in self.teachers], wanted)

    @property
    def views(self) -> Views:
        return merge_views(*(teacher.views for teacher in self.teachers))

    @property
    def identity(self) -> str:
        return hashlib.sha256("/".join(teacher.identity for teacher in self.teachers).encode()).hexdigest()[:16]


def mean_probability(logits: Tensor, valid: Tensor) -> Tensor:
    """log of the mean probability [B C] over the valid members of [K B C]; finite for finite logits, 0 where none is valid."""
    weight = valid / valid.sum(dim=0).clamp(min=1)
    known = valid.any(dim=0)[:, None]
    # Rows without any member take every member, so that no -inf arises; `where` puts 0 over them.
    log_weight = weight.where(known[:, 0], 1.0).log()[:, :, None]
    clean = logits.where(valid[:, :, None], 0.0)
    return (clean.log_softmax(dim=-1) + log_weight).logsumexp(dim=0).where(known, 0.0)


def mean_value(logits: Tensor, valid: Tensor) -> Tensor:
    """Mean [B C] over the valid members of [K B C], 0 where none is."""
    return logits.where(valid[:, :, None], 0.0).sum(dim=0) / valid.sum(dim=0).clamp(min=1)[:, None]


def keys_of(views: Views) -> dict[str, list[str]]:
    """Modality -> sorted view keys: the preprocessing that answers rest on."""
    return {modality: sorted(by_key) for modality, by_key in sorted(views.items())}
