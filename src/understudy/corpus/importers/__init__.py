"""Importers: one published format, one file."""

from understudy.corpus.importers.mfeat import import_mfeat

__all__ = ["import_mfeat"]
