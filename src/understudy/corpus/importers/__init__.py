"""Importers: one published format, one file."""

from understudy.corpus.importers.av_digits import import_av_digits
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.corpus.importers.mosi import import_mosi
from understudy.corpus.importers.table import import_table

__all__ = ["import_av_digits", "import_mfeat", "import_mosi", "import_table"]
