"""Loader: corpus, rows and views to batches. The order of an epoch is a function of (seed, epoch) and nothing else."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.batches.ahead import Found, fields_of, prepared
from understudy.batches.ahead import Steps as Prepared
from understudy.batches.batch import Batch, Fields
from understudy.batches.order import Steps, in_turn, order_steps
from understudy.corpus.corpus import Corpus
from understudy.prepare.view import FieldArrays, View, Views, trim
from understudy.tasks import Task

CACHE_BYTES = 2**30
"""Prepared fields are kept for the loader's life while they stay below this."""
BLOCK = 256
"""Rows that are prepared together while the cache is filled."""
VIDEO_BLOCK = 8
"""The same for video, where a row is large and slow."""


class Loader:
    """Batches of `rows` (positions in the corpus), each modality through its views.

    labelled: positions whose targets may be seen; None = every row that has one. With labelled and unlabelled rows each
    batch holds labelled rows (cycled; half a batch or their natural share if that is more, never a row twice), and every
    unlabelled row comes once an epoch. labelled_only: the *same* labelled rows in each batch without the unlabelled ones, in
    as many steps: the plain control. shuffle=False: natural order, each row once. similar_length: a modality (text, choices,
    sequence, regions, audio) whose rows of like length share batches. Batches of an epoch differ by at most one row in size,
    so none is tiny.
    process, processes: this process takes every `processes`-th row of each batch. Shares are equally long: a short one is
    filled with a row of the batch in which nothing is present and nothing labelled, which therefore counts nowhere.
    training: random views are drawn anew each epoch from (seed, epoch, id), and never cached. workers: processes that prepare
    batches ahead, where there is something to prepare that is not cached; order and values do not depend on it.
    """

    def __init__(
        self,
        corpus: Corpus,
        rows: NDArray[np.intp] | Sequence[int],
        views: Views,
        *,
        task: Task,
        batch_size: int,
        labelled: NDArray[np.intp] | Sequence[int] | None = None,
        seed: int = 0,
        shuffle: bool = True,
        labelled_only: bool = False,
        similar_length: str | None = None,
        process: int = 0,
        processes: int = 1,
        training: bool = False,
        workers: int = 0,
    ) -> None:
        self.rows = _checked(rows, len(corpus))
        if batch_size < 1 or not 0 <= process < processes:
            raise ValueError(f"batch_size {batch_size} must be at least 1, and process {process} one of 0..{processes - 1}")
        self.corpus, self.views, self.seed = corpus, _fitting(corpus, views), seed
        if workers < 0:
            raise ValueError(f"workers {workers}: expected 0 (prepare in this process) or more")
        self.process, self.processes = process, processes
        self.training, self.workers = training, workers
        has = corpus.has_target[self.rows]
        known = has if labelled is None else has & np.isin(self.rows, np.asarray(labelled, dtype=np.intp))
        if labelled is not None and known.sum() != len(np.unique(np.asarray(labelled))):
            raise ValueError("labelled names rows that this loader does not read or that have no target")
        if not shuffle and (labelled_only or similar_length is not None):
            raise ValueError("labelled_only and similar_length order an epoch, so they have no effect with shuffle=False")
        self._steps = Steps(known, batch_size, labelled_only=labelled_only) if shuffle else None
        self._natural = in_turn(len(known), batch_size)
        self._sizes = None if similar_length is None else _lengths(corpus, similar_length, self.rows)
        self._ids = corpus.ids[self.rows]
        self._known = known
        self._task = task
        # Of all targets, so that loaders of any rows agree.
        double = task.fit(corpus.target[corpus.has_target]).double
        kind = np.int64 if task.discrete else np.float64 if double else np.float32
        self._target = task.filled(corpus.target[self.rows], known).astype(kind)
        self._present = {modality: corpus.present(modality)[self.rows] for modality in views}
        self._cache: dict[tuple[str, str], FieldArrays | None] = {}

    def __len__(self) -> int:
        """Steps in an epoch."""
        return len(self._natural) if self._steps is None else self._steps.count

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch; the first `start` are skipped without being prepared."""
        steps = self._natural
        if self._steps is not None:
            steps = order_steps(self._steps, seed=self.seed, epoch=epoch, sizes=self._sizes)
        shares = [self._share(chosen) for chosen in steps[start:]]
        rows = [self.rows[chosen] for chosen, _ in shares]
        anew = Prepared(self.corpus, rows, self._uncached(), self.seed, epoch if self.training else None)
        for (chosen, filler), found in zip(shares, prepared(anew, workers=self.workers), strict=True):
            yield self._batch(chosen, filler, found)

    def _uncached(self) -> dict[tuple[str, str], View]:
        """The views that are prepared for each batch; the others are in the cache after this."""
        views = {(modality, key): view for modality, by_key in self.views.items() for key, view in by_key.items()}
        for (modality, key), view in views.items():
            if (modality, key) not in self._cache:
                random = self.training and view.random
                self._cache[modality, key] = None if random else _prepare_all(self.corpus, modality, view, self.rows)
        return {each: view for each, view in views.items() if self._cache[each] is None}

    def _share(self, chosen: NDArray[np.intp]) -> tuple[NDArray[np.intp], int]:
        """This process's rows of a batch, and how many of them are only filler."""
        mine = chosen[self.process :: self.processes]
        short = -(-len(chosen) // self.processes) - len(mine)
        return (np.append(mine, chosen[:1]), 1) if short else (mine, 0)

    def _batch(self, chosen: NDArray[np.intp], filler: int, found: Found) -> Batch:
        known = self._known[chosen]
        present = {modality: here[chosen] for modality, here in self._present.items()}
        target = self._target[chosen]
        if filler:
            known[-1] = False
            for here in present.values():
                here[-1] = False
        return Batch(
            inputs={
                m: {key: self._fields(found.get((m, key)), (m, key), chosen) for key in views} for m, views in self.views.items()
            },
            present={modality: torch.from_numpy(here) for modality, here in present.items()},
            target=torch.from_numpy(self._task.collate(target)),
            labelled=torch.from_numpy(known),
            id=tuple(self._ids[chosen].tolist()),
            truth=torch.from_numpy(target) if target.ndim > 1 else None,
        )

    def _fields(self, found: FieldArrays | None, view: tuple[str, str], chosen: NDArray[np.intp]) -> Fields:
        """Fields that were prepared for this batch, or else those of the cache."""
        if found is None:
            kept = self._cache[view]
            assert kept is not None
            found = trim({name: values[chosen] for name, values in kept.items()})
        return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in found.items()}


def _checked(rows: NDArray[np.intp] | Sequence[int], count: int) -> NDArray[np.intp]:
    found = np.asarray(rows, dtype=np.intp)
    if not len(found):
        raise ValueError("a loader needs at least one row; the part of the split that it was given is empty")
    if found.min() < 0 or found.max() >= count or len(np.unique(found)) != len(found):
        raise ValueError(f"rows must be different positions in 0..{count - 1}")
    return found


def _fitting(corpus: Corpus, views: Views) -> Views:
    for modality, by_key in views.items():
        if modality not in corpus.modalities:
            raise KeyError(f"the corpus has no modality {modality!r}; it has {', '.join(corpus.modalities)}")
        for view in by_key.values():
            if view.kind != corpus.modalities[modality].kind:
                said = f"{type(view).__name__} reads {view.kind}"
                raise ValueError(f"modality {modality!r} is {corpus.modalities[modality].kind}, but its view {said}")
    return views


def _lengths(corpus: Corpus, modality: str, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Characters (of the longest choice), steps, regions or samples of each row, 0 where absent."""
    kind = corpus.modalities[modality].kind
    if kind not in ("text", "choices", "sequence", "regions", "audio"):
        raise ValueError(f"similar_length={modality!r}: rows of a {kind} have no length")
    length = max_length if kind == "choices" else len
    return np.array([0 if value is None else length(value) for value in corpus.cells(modality, rows).values], np.intp)


def max_length(texts: Sequence[str]) -> int:
    """Of the longest."""
    return max(map(len, texts))


def _prepare_all(corpus: Corpus, modality: str, view: View, rows: NDArray[np.intp]) -> FieldArrays | None:
    """Fields of every row, or None where they would not fit; then each batch is prepared as it comes."""
    blocks: list[FieldArrays] = []
    longest, most = 0, 0.0
    size = VIDEO_BLOCK if view.kind == "video" else BLOCK
    for start in range(0, len(rows), size):
        block = fields_of(view, corpus, modality, rows[start : start + size], None)
        blocks.append(block)
        steps = block["mask"].shape[1] if "mask" in block else 1
        longest = max(longest, steps)
        most = max(most, sum(values.nbytes for values in block.values()) / len(next(iter(block.values()))) / steps)
        if most * longest * len(rows) > CACHE_BYTES:
            return None
    return {name: np.concatenate([_padded(block, name, longest) for block in blocks]) for name in blocks[0]}


def _padded(block: FieldArrays, name: str, steps: int) -> NDArray[Any]:
    values = block[name]
    if "mask" not in block or values.shape[1] == steps:
        return values
    return np.pad(values, [(0, 0), (0, steps - values.shape[1]), *[(0, 0)] * (values.ndim - 2)])
