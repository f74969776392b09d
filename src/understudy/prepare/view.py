"""The abstract View: a modality as one encoder wants it. Torch-free, so that `predict` uses the very same object."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind

FieldArrays = dict[str, NDArray[Any]]
"""Field name -> array with the N rows first. A ragged view has `mask` [N T]; its other fields are padded along axis 1 alike."""


class UnreadableCell(ValueError):
    """A cell that a view cannot read; row: its place among the cells that were given."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"cell {row}: {reason}")
        self.row, self.reason = row, reason


class View(ABC):
    """Fit on train rows, then prepare any rows, deterministically. Fields of absent rows are 0 (mask False).

    Subclasses are frozen dataclasses; `state` holds settings and fitted parts as JSON, `assets` larger files (a tokenizer).
    """

    kind: ClassVar[Kind]
    """The corpus kind that it reads."""

    @abstractmethod
    def fit(self, cells: Cells) -> "View":
        """A copy fitted on these rows (the train split's); a view with nothing to fit returns itself."""

    @abstractmethod
    def prepare(self, cells: Cells) -> FieldArrays: ...

    def prepare_for(self, cells: Cells, fields: Collection[str]) -> FieldArrays:
        """What `prepare` makes, of which `fields` and a mask are read: others may be left out where they cost time."""
        return self.prepare(cells)

    @property
    def random(self) -> bool:
        """Whether `draw` differs from `prepare`."""
        return False

    def draw(self, cells: Cells, seeds: list[int]) -> FieldArrays:
        """The fields as training sees them, random through `seeds` (one a row) and nothing else."""
        return self.prepare(cells)

    @abstractmethod
    def state(self) -> dict[str, Any]: ...

    def assets(self) -> dict[str, bytes]:
        return {}

    @classmethod
    @abstractmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "View": ...

    def keeping(self, folder: Path) -> "View":
        """The same view, which keeps in `folder` what is slow to prepare and asks there first; most have nothing to keep."""
        return self

    def truncated(self, cells: Cells) -> int:
        """How many of these rows `prepare` cuts short."""
        return 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "View":
        """Itself, since it never changes: a copied model shares it."""
        return self

    @cached_property
    def key(self) -> str:
        """Views with equal keys prepare equal fields, so they are prepared once."""
        digest = hashlib.sha256(json.dumps([type(self).__name__, self.state()], sort_keys=True).encode())
        for name, content in sorted(self.assets().items()):
            digest.update(name.encode() + hashlib.sha256(content).digest())
        return f"{type(self).__name__}-{digest.hexdigest()[:12]}"


Views = dict[str, dict[str, View]]
"""Modality -> view key -> view: what a loader must prepare."""


def merge_views(*several: Views) -> Views:
    """What all of them want; equal views once."""
    wanted: Views = {}
    for views in several:
        for modality, by_key in views.items():
            wanted.setdefault(modality, {}).update(by_key)
    return wanted


def trim(fields: FieldArrays) -> FieldArrays:
    """Ragged fields cut to the longest row among them (at least one step); others as they are."""
    if "mask" not in fields:
        return fields
    steps = max(1, int(np.max(np.sum(fields["mask"], axis=1), initial=1)))
    return {name: values[:, :steps] for name, values in fields.items()}
