"""Chosen: the split that is meant, by name, as it is, or because there is one only."""

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import make_split
from understudy.corpus.opened import Given, opened
from understudy.corpus.split import PARTS, Split

DRAWN = "default"
"""The split that is drawn of data which names none."""


def opened_split(given: Given, split: Split | str = "", *, target: str = "") -> tuple[Corpus, Split]:
    """The corpus and one of its splits: by name, as it is, or the only one when "".

    Data without one has the split `default` drawn: a tenth of the rows validate, a fifth test, and groups stay together.
    """
    corpus = opened(given, target=target)
    if isinstance(split, Split):
        return corpus, fitting(corpus, split)
    if target and not split and not corpus.splits:
        return corpus, corpus.save_split(make_split(corpus, name=DRAWN))
    return corpus, corpus.split(split or only_split(corpus))


def fitting(corpus: Corpus, split: Split) -> Split:
    """The split; ValueError where it names rows that this corpus has not."""
    last = max((int(rows.max()) for part in PARTS if len(rows := getattr(split, part))), default=-1)
    if last >= len(corpus):
        raise ValueError(
            f"split {split.name!r} names row {last + 1}, and {corpus.folder} has {len(corpus)} rows: it is of another corpus"
        )
    return split


def only_split(corpus: Corpus) -> str:
    """The name of the corpus's one split; ValueError when there is none or a choice."""
    if len(corpus.splits) == 1:
        return corpus.splits[0]
    if not corpus.splits:
        raise ValueError(f"{corpus.folder} has no split yet; `understudy split {corpus.folder}` or us.make_split makes one")
    raise ValueError(f"{corpus.folder} has several splits; choose one of {', '.join(corpus.splits)}")
