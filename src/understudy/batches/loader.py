"""Loader: corpus, rows and views to batches. The order of an epoch is a function of (seed, epoch) and nothing else."""

from collections.abc import Iterator, Sequence
from typing import TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.batches.ahead import Found, fields_of, prepared
from understudy.batches.ahead import Steps as Prepared
from understudy.batches.batch import Batch, Fields
from understudy.batches.cache import Cache
from understudy.batches.order import Steps, in_turn, order_steps
from understudy.corpus.corpus import Corpus
from understudy.prepare.view import FieldArrays, View, Views, trim
from understudy.tasks import Task


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
    batches ahead, where there is something to prepare that is not cached; order and values do not depend on it. part: those of
    an epoch's steps that are asked for at all.
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
        part: slice = slice(None),
    ) -> None:
        self.rows = _checked(rows, len(corpus))
        if batch_size < 1 or not 0 <= process < processes:
            raise ValueError(f"batch_size {batch_size} must be at least 1, and process {process} one of 0..{processes - 1}")
        self.corpus, self.views, self.seed = corpus, _fitting(corpus, views), seed
        if workers < 0:
            raise ValueError(f"workers {workers}: expected 0 (prepare in this process) or more")
        self.process, self.processes = process, processes
        self.training, self.workers, self.part = training, workers, part
        has = corpus.has_target[self.rows]
        known = has if labelled is None else has & np.isin(self.rows, np.asarray(labelled, dtype=np.intp))
        if labelled is not None and known.sum() != len(np.unique(np.asarray(labelled))):
            raise ValueError("labelled names rows that this loader does not read or that have no target")
        if not shuffle and (labelled_only or similar_length is not None):
            raise ValueError("labelled_only and similar_length order an epoch, so they have no effect with shuffle=False")
        self._steps = Steps(known, batch_size, labelled_only=labelled_only) if shuffle else None
        self._natural = in_turn(len(known), batch_size)
        self._sizes = None if similar_length is None else corpus.lengths(similar_length)[self.rows]
        self._ids = corpus.ids[self.rows]
        self._known = known
        self._task = task
        # Of all targets, so that loaders of any rows agree.
        double = task.fit(corpus.target[corpus.has_target]).double
        kind = np.int64 if task.discrete else np.float64 if double else np.float32
        self._target = task.filled(corpus.target[self.rows], known).astype(kind)
        self._present = {modality: corpus.present(modality)[self.rows] for modality in views}
        self._weight = None if corpus.weights is None else corpus.weights[self.rows].astype(np.float32)
        self._cache: dict[tuple[str, str], Cache | None] = {}

    def __len__(self) -> int:
        """Steps in an epoch."""
        return len(range(len(self._natural) if self._steps is None else self._steps.count)[self.part])

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch; the first `start` are skipped without being prepared."""
        steps = self._natural
        if self._steps is not None:
            steps = order_steps(self._steps, seed=self.seed, epoch=epoch, sizes=self._sizes)
        shares = [self._share(chosen) for chosen in steps[self.part][start:]]
        rows = [self.rows[chosen] for chosen, _ in shares]
        anew = Prepared(self.corpus, rows, self._uncached(), self.seed, epoch if self.training else None)
        for step, ((chosen, filler), found) in enumerate(zip(shares, prepared(anew, workers=self.workers), strict=True)):
            self._fill(shares, step)
            yield self._batch(chosen, filler, found)

    def _uncached(self) -> dict[tuple[str, str], View]:
        """The views that are prepared for each batch; the others are kept as they are asked for."""
        views = {(modality, key): view for modality, by_key in self.views.items() for key, view in by_key.items()}
        for (modality, key), view in views.items():
            if (modality, key) not in self._cache:
                random = self.training and view.random
                self._cache[modality, key] = None if random else Cache(view, self.corpus, modality, self.rows)
        return {each: view for each, view in views.items() if not _keeps(self._cache[each])}

    def _fill(self, shares: Sequence[tuple[NDArray[np.intp], int]], step: int) -> None:
        """Have the caches what this step needs, and so much of the next ones that few rows are never prepared alone."""
        for cache in self._cache.values():
            if _keeps(cache) and not cache.whole and len(few := cache.missing(shares[step][0])):
                for chosen, _ in shares[step + 1 :]:
                    more = np.union1d(few, cache.missing(chosen))
                    if len(more) > cache.block:
                        break
                    few = more
                cache.fill(few)

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
            weight=None if self._weight is None else torch.from_numpy(self._weight[chosen]),
        )

    def _fields(self, found: FieldArrays | None, each: tuple[str, str], chosen: NDArray[np.intp]) -> Fields:
        """Fields that were prepared for this batch, or else those that are kept."""
        cache = self._cache[each]
        if found is None and _keeps(cache):
            found = trim(cache.take(chosen))
        elif found is None:
            # It began to be kept, until a long row said that not all would fit.
            found = fields_of(self.views[each[0]][each[1]], self.corpus, each[0], self.rows[chosen], None)
        return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in found.items()}


def _keeps(cache: Cache | None) -> TypeGuard[Cache]:
    return cache is not None and cache.kept is not None


def _checked(rows: NDArray[np.intp] | Sequence[int], count: int) -> NDArray[np.intp]:
    found = np.asarray(rows, dtype=np.intp)
    if not len(found):
        raise ValueError("a loader needs at least one row; the part of the split that it was given is empty")
    there = np.zeros(count, np.bool_)
    there[found[(found >= 0) & (found < count)]] = True
    if np.count_nonzero(there) < len(found):
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
