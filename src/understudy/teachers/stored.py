"""A teacher whose answers lie on disk: it needs none of its modalities any more."""

from functools import cached_property
from itertools import repeat

import torch

from understudy.batches.batch import Batch, Output, Wanted, layer, shown
from understudy.prepare.view import Views
from understudy.teachers.store import FEATURES, Store
from understudy.teachers.teacher import Teacher

KEPT_BYTES = 2**28
"""Answers without tokens are read once and kept while they stay below this."""
UNKNOWN = ""
"""No row has this id, so that no store has an answer to it."""


class Stored(Teacher):
    """Answers from a store, by id. A batch needs none of the teacher's modalities; an id without an answer is not valid."""

    def __init__(self, store: Store) -> None:
        self.store, self.task, self.modalities, self.width = store, store.task, store.modalities, store.widths.get("embedding")

    def __call__(self, batch: Batch) -> Output:
        if self.kept is None:
            return self.store.answers(batch.id).to(batch.labelled.device)
        rows = torch.tensor([*map(self.store.place.get, batch.id, repeat(-1))])
        return self.kept.take(rows).to(batch.labelled.device)

    @cached_property
    def kept(self) -> Output | None:
        """Every answer, and behind them the one to an unknown id, which the row -1 finds; None where that is too much to keep."""
        size = 4 * len(self.store) * sum(self.store.widths.values())
        return None if self.store.ragged or size > KEPT_BYTES else self.store.answers([*self.store.place, UNKNOWN])

    @property
    def layers(self) -> dict[str, int]:
        names = [name.removeprefix(FEATURES) for name in self.store.widths]
        return {m: many for m in self.modalities if (many := sum(layer(m, k) in names for k in range(len(names))))}

    def saying(self, wanted: Wanted) -> "Stored":
        missing = [subset for subset in wanted.subsets if FEATURES + shown(subset) not in self.store.widths]
        if missing and len(self.store):
            lacks = "; ".join(", ".join(subset) for subset in missing)
            raise ValueError(f"{self.store.folder} has no answers to these modalities alone: {lacks}; ask the teacher about them")
        return self

    @property
    def experts(self) -> dict[str, int]:
        return self.store.experts

    @property
    def views(self) -> Views:
        return {}

    @property
    def identity(self) -> str:
        return self.store.fingerprint["teacher"]
