"""Data at rest: schema, writing, reading, splits, checks."""

from understudy.corpus.check import Findings, check
from understudy.corpus.corpus import Corpus, corpus_at
from understudy.corpus.draw import given_split, leave_one_group_out, make_folds, make_split
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus

__all__ = [
    "Corpus",
    "Findings",
    "Schema",
    "Split",
    "check",
    "corpus_at",
    "given_split",
    "leave_one_group_out",
    "make_folds",
    "make_split",
    "write_corpus",
]
