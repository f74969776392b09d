"""Feeds: prepared rows on their way into a graph, in batches sized by their steps. No torch."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.artifact.contract import GraphInput
from understudy.prepare.view import FieldArrays

STEPS_AT_ONCE = 2048
"""Steps (a text's tokens, say) of one run, padding included: more of them leave a processor's caches."""
Places = NDArray[np.intp] | slice


class Feed:
    """How prepared rows enter one graph."""

    def __init__(self, inputs: Sequence[GraphInput], reads: Collection[str]) -> None:
        named = {each.name: (*each.name.rsplit(".", 1), each.axes[1:2]) for each in inputs}
        self.inputs = {name: (modality, field) for name, (modality, field, _) in named.items() if modality in reads}
        self.ragged = {
            n: self.inputs[n][0] for n, (*_, axis) in named.items() if n in self.inputs and isinstance((*axis, 0)[0], str)
        }
        """Those that are padded along axis 1, and the modality whose steps they are."""
        self.fields = {modality: tuple(f for m, f in self.inputs.values() if m == modality) for modality in reads}
        """What is read of each modality."""

    def batches(self, prepared: Mapping[str, FieldArrays], rows: int, most: int) -> Iterator[tuple[Places, FieldArrays]]:
        """Places of rows and the graph's inputs for them, without padding that none of them needs: rows of like length together.

        prepared: the fields of each modality; of a ragged one with its `mask`. most: rows of one batch.
        """
        inputs = {name: prepared[modality][field] for name, (modality, field) in self.inputs.items()}
        if not self.ragged:
            if rows <= most:
                yield slice(None), inputs
                return
            yield from ((slice(a, a + most), {n: v[a : a + most] for n, v in inputs.items()}) for a in range(0, rows, most))
            return
        lengths = {modality: lengths_of(prepared[modality]["mask"]) for modality in set(self.ragged.values())}
        for some in alike(sum(lengths.values(), start=np.zeros(rows, dtype=np.int64)), most):
            steps = {modality: max(1, int(each[some].max())) for modality, each in lengths.items()}
            cut = {name: inputs[name][some, : steps[modality]] for name, modality in self.ragged.items()}
            yield some, {name: values[some] for name, values in inputs.items()} | cut


def lengths_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Steps of each row of a mask `[N T]`; of several texts a row, `[N T K]`, those of the longest."""
    found = mask.sum(axis=1)
    return found if found.ndim == 1 else found.max(axis=1)


def alike(cost: NDArray[np.int64], most: int) -> Iterator[Places]:
    """Every row's place once, in batches of at most `most` rows and `STEPS_AT_ONCE` steps where each is as long as the longest.

    All rows in their order where they fit into one.
    """
    if len(cost) <= most and len(cost) * int(cost.max()) <= STEPS_AT_ONCE:
        yield slice(None)
        return
    order = np.argsort(cost, kind="stable")
    start, sizes = 0, cost[order].tolist()
    for end in range(1, len(order) + 1):
        if end == len(order) or end - start == most or (end - start + 1) * sizes[end] > STEPS_AT_ONCE:
            yield order[start:end]
            start = end
