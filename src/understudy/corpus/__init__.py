"""Data at rest: schema, writing, reading, splits, checks. Called, `us.corpus(data, target=...)`, it is what makes a corpus."""

import sys
from types import ModuleType
from typing import Any

from understudy.corpus.check import Findings, check
from understudy.corpus.chosen import only_split, opened_split
from understudy.corpus.corpus import Corpus, corpus_at
from understudy.corpus.draw import given_split, leave_one_group_out, make_folds, make_split
from understudy.corpus.opened import Given, named, opened
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus

__all__ = [
    "Corpus",
    "Findings",
    "Given",
    "Schema",
    "Split",
    "check",
    "corpus_at",
    "given_split",
    "leave_one_group_out",
    "make_folds",
    "make_split",
    "named",
    "only_split",
    "opened",
    "opened_split",
    "write_corpus",
]


class _Room(ModuleType):
    """`us.corpus` names this room and, for users, the function that makes a corpus: a package has one attribute of a name."""

    def __call__(self, data: Any, **asked: Any) -> Corpus:
        from understudy.corpus.importers.memory import corpus

        return corpus(data, **asked)


sys.modules[__name__].__class__ = _Room
