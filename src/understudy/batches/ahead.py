"""What the rows of each step hold, prepared where it is asked for or by processes that work ahead; the values are the same."""

import hashlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from understudy.corpus.corpus import Corpus
from understudy.prepare.cells import Cells
from understudy.prepare.view import FieldArrays, UnreadableCell, View, trim

Found = dict[tuple[str, str], FieldArrays]
"""(modality, view key) -> the fields of a step's rows."""


@dataclass(frozen=True, eq=False)
class Steps(Dataset[Any]):
    """The steps of an epoch by number. rows: positions in the corpus, by step. views: what is prepared anew for each step.

    seed, epoch: what a random view draws from, with the row's id; epoch None = nothing is drawn.
    """

    corpus: Corpus
    rows: Sequence[NDArray[np.intp]]
    views: Mapping[tuple[str, str], View]
    seed: int
    epoch: int | None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, step: int) -> Found:
        if not self.views:
            return {}
        rows = self.rows[step]
        seeds = None if self.epoch is None else [drawn_from(self.seed, self.epoch, key) for key in self.corpus.ids[rows]]
        return {
            (modality, key): fields_of(view, self.corpus, modality, rows, seeds) for (modality, key), view in self.views.items()
        }


@dataclass(frozen=True, eq=False)
class Guarded(Dataset[Any]):
    """Answers a fault of the user's data instead of raising it: torch would bury its words in a traceback."""

    steps: Steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, step: int) -> Found | ValueError:
        try:
            return self.steps[step]
        except ValueError as error:
            return error


def prepared(steps: Steps, *, workers: int) -> Iterator[Found]:
    """Every step in order; `workers` processes prepare the next ones meanwhile. ValueError for a row that cannot be read."""
    if not workers or not steps.views:
        yield from (steps[step] for step in range(len(steps)))
        return
    # Fields travel through pipes as NumPy: tensors would need shared memory, of which containers have little.
    loader = DataLoader(Guarded(steps), batch_size=None, num_workers=workers, collate_fn=as_it_is, worker_init_fn=begin)
    try:
        for found in loader:
            if isinstance(found, ValueError):
                raise found
            yield found
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RuntimeError(
            f"a process that prepares batches died ({error}); it may have run out of memory: use fewer workers or smaller batches"
        ) from None


def as_it_is(found: Any) -> Any:
    """torch would make tensors of arrays."""
    return found


def begin(worker: int) -> None:
    """Workers share the machine with training, and end when it does: Ctrl-C is for the process that trains."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def drawn_from(seed: int, epoch: int, key: str) -> int:
    """The seed of a row in an epoch."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{epoch}\0{key}".encode(), digest_size=8).digest())


def fields_of(view: View, corpus: Corpus, modality: str, rows: NDArray[np.intp], seeds: list[int] | None) -> FieldArrays:
    """One view's fields, drawn where there are seeds; ValueError names the row that cannot be read.

    What rows share is prepared once.
    """
    if seeds is None and corpus.modalities[modality].shared:
        _, first, back = np.unique(corpus.items(modality)[rows], return_index=True, return_inverse=True)
        if len(first) < len(rows):
            found = fields_of(view, corpus, modality, rows[first], None)
            return {name: values[back] for name, values in found.items()}
    cells: Cells = corpus.cells(modality, rows)
    try:
        return trim(view.prepare(cells) if seeds is None else view.draw(cells, seeds))
    except UnreadableCell as error:
        raise ValueError(f"modality {modality!r}, row {corpus.ids[rows[error.row]]!r}: {error.reason}") from None
