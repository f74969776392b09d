"""Importers: one published format, one file."""

from understudy.corpus.importers.activitynet import import_activitynet
from understudy.corpus.importers.av_digits import import_av_digits
from understudy.corpus.importers.av_hdf5 import import_av_hdf5
from understudy.corpus.importers.csd import import_csd
from understudy.corpus.importers.iemocap import import_iemocap
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.corpus.importers.mmsa import import_mmsa
from understudy.corpus.importers.mosi import import_mosi
from understudy.corpus.importers.mult import import_mult
from understudy.corpus.importers.raw_clips import import_raw
from understudy.corpus.importers.snli_ve import import_snli_ve
from understudy.corpus.importers.stamps import import_stamps
from understudy.corpus.importers.table import import_table
from understudy.corpus.importers.ucf import import_ucf
from understudy.corpus.importers.vcr import import_vcr
from understudy.corpus.importers.vqa import import_vqa
from understudy.corpus.importers.wikipedia import import_wikipedia

__all__ = [
    "import_activitynet",
    "import_av_digits",
    "import_av_hdf5",
    "import_csd",
    "import_iemocap",
    "import_mfeat",
    "import_mmsa",
    "import_mosi",
    "import_mult",
    "import_raw",
    "import_snli_ve",
    "import_stamps",
    "import_table",
    "import_ucf",
    "import_vcr",
    "import_vqa",
    "import_wikipedia",
]
