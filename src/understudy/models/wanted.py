"""Wanted: what a model is asked to say beside its answer, each as a feature of its Output."""

from collections.abc import Sequence
from typing import NamedTuple

Subset = tuple[str, ...]
"""Modalities that are shown while all others are blank."""


class Wanted(NamedTuple):
    """subsets: of each its logits, as if no other modality were present, under the name `shown(subset)`."""

    subsets: tuple[Subset, ...] = ()


NOTHING = Wanted()


def shown(subset: Sequence[str]) -> str:
    """The feature that holds the logits of a model which is shown these modalities alone."""
    return f"{'+'.join(subset)}.shown"
