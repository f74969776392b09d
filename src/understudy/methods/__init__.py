"""Methods: one paper, one file. A method's name on the command line is its file's name: `kd`, `self_distillation`."""

from understudy.methods.amid import AMID as AMID
from understudy.methods.c2kd import C2KD as C2KD
from understudy.methods.cet import CET as CET
from understudy.methods.crd import CRD as CRD
from understudy.methods.dkd import DKD as DKD
from understudy.methods.ifd import IFD as IFD
from understudy.methods.kd import KD as KD
from understudy.methods.lskd import LSKD as LSKD
from understudy.methods.mad import MAD as MAD
from understudy.methods.method import Method as Method
from understudy.methods.msd import MSD as MSD
from understudy.methods.pkt import PKT as PKT
from understudy.methods.rkd import RKD as RKD
from understudy.methods.self_distillation import SelfDistillation as SelfDistillation
from understudy.methods.supervised import Supervised as Supervised
from understudy.methods.umi import UMI as UMI
from understudy.methods.vid import VID as VID
from understudy.methods.videoadviser import VideoAdviser as VideoAdviser

CATALOGUE: dict[str, type[Method]] = {
    each.__module__.rpartition(".")[2]: each
    for each in list(globals().values())
    if isinstance(each, type) and issubclass(each, Method) and each is not Method
}
"""Command-line name -> class of each method above; its keyword-only arguments are its options, and one that takes a `teacher`
needs one.
"""
