"""Teachers that never saw the row they answer: cross-fitted, calibrated, or computed elsewhere. All are frozen answers."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.batches.batch import Batch, Output
from understudy.prepare.view import Views
from understudy.tasks import Task
from understudy.teachers.teacher import Ensemble, Teacher, mean_probability, mean_value


class CrossFitted(Teacher):
    """Several teachers of one task; a row is answered by those that did not learn from it, together.

    fold: id -> the teacher that never saw this row; any other row was seen by none and is answered by the mean of all. Gives no
    embedding: those of several teachers are not of one space.
    """

    width = None

    def __init__(self, teachers: Sequence[Teacher], fold: Mapping[str, int]) -> None:
        self.all, self.teachers, self.fold = Ensemble(teachers), tuple(teachers), dict(fold)
        self.task, self.modalities = self.all.task, self.all.modalities

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Output:
        outputs = [teacher(batch) for teacher in self.teachers]
        logits = torch.stack([output.need("logits").float() for output in outputs])
        asked = torch.tensor([[self.fold.get(key, k) == k for key in batch.id] for k in range(len(outputs))])
        valid = torch.stack([output.valid for output in outputs]) & asked.to(logits.device)
        join = mean_probability if self.task.discrete else mean_value
        return Output(valid=valid.any(dim=0), logits=join(logits, valid), source="cross-fitted teachers")

    @property
    def views(self) -> Views:
        return self.all.views

    @property
    def identity(self) -> str:
        return digest(self.all.identity, *(f"{key} {fold}" for key, fold in sorted(self.fold.items())))


class Calibrated(Teacher):
    """A teacher of classes whose logits are divided by a temperature (Guo et al., ICML 2017); gives no embedding."""

    width = None

    def __init__(self, teacher: Teacher, temperature: float) -> None:
        self.teacher, self.temperature = teacher, temperature
        self.task, self.modalities = teacher.task, teacher.modalities

    def __call__(self, batch: Batch) -> Output:
        output = self.teacher(batch)
        return Output(valid=output.valid, logits=output.need("logits") / self.temperature, source=output.source)

    @property
    def views(self) -> Views:
        return self.teacher.views

    @property
    def identity(self) -> str:
        return digest(self.teacher.identity, repr(self.temperature))


class Computed(Teacher):
    """Answers that were computed elsewhere: logits `[N C]`, and embeddings `[N D]` if any, by id; one without is not valid."""

    def __init__(
        self,
        ids: Sequence[str],
        logits: NDArray[np.float32],
        embedding: NDArray[np.float32] | None = None,
        *,
        task: Task,
        modalities: Sequence[str],
    ) -> None:
        self.place, self.logits = {key: row for row, key in enumerate(ids)}, torch.from_numpy(logits)
        self.embedding = None if embedding is None else torch.from_numpy(embedding)
        self.width = None if embedding is None else embedding.shape[1]
        self.task, self.modalities = task, tuple(modalities)

    def __call__(self, batch: Batch) -> Output:
        rows = torch.tensor([self.place.get(key, -1) for key in batch.id])
        valid = rows >= 0
        logits, embedding = (
            None if said is None else said[rows.clamp(min=0)] * valid[:, None] for said in (self.logits, self.embedding)
        )
        return Output(valid, logits, embedding, source="computed answers").to(batch.labelled.device)

    @property
    def views(self) -> Views:
        return {}

    @property
    def identity(self) -> str:
        said = [each.numpy().tobytes().hex() for each in (self.logits, self.embedding) if each is not None]
        return digest(*self.place, *said)


def digest(*parts: str) -> str:
    """A short hash of several texts."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]
