"""Opened: what every public function does with the corpus and the modalities that it is given."""

from collections.abc import Sequence
from pathlib import Path

from understudy.corpus.corpus import Corpus
from understudy.prepare.frames import Data, framed

Given = Corpus | Data
"""A Corpus, its folder, or data as `us.corpus` takes it, with the name of its `target` beside it."""


def opened(given: Given, *, target: str = "") -> Corpus:
    """The corpus: as it is, of its folder, or made of data by `us.corpus(data, target=target)`, in the user's cache.

    ValueError for data without a target, and for a target beside a corpus, which has its own.
    """
    kept = isinstance(given, Corpus) or (isinstance(given, str | Path) and not Path(given).is_file())
    if kept and target:
        raise ValueError(f"target {target!r} given beside a corpus, which has its own: a target names a column of data")
    if isinstance(given, Corpus):
        return given
    if isinstance(given, str | Path) and kept:
        return Corpus(given)
    if not target:
        name = framed(given).name
        raise ValueError(f"{name} given without its target: say which column it is (target=...), or give us.corpus(data, ...)")
    from understudy.corpus.importers.memory import corpus

    return corpus(given, target=target)


def named(modalities: Sequence[str] | str) -> tuple[str, ...]:
    """Names of modalities; a text is one of them."""
    return (modalities,) if isinstance(modalities, str) else tuple(modalities)
