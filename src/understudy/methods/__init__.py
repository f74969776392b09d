"""Methods: one paper, one file. A method's name on the command line is its file's name: `kd`, `self_distillation`."""

from understudy.methods.amid import AMID
from understudy.methods.c2kd import C2KD
from understudy.methods.crd import CRD
from understudy.methods.dkd import DKD
from understudy.methods.kd import KD
from understudy.methods.mad import MAD
from understudy.methods.method import Method
from understudy.methods.pkt import PKT
from understudy.methods.rkd import RKD
from understudy.methods.self_distillation import SelfDistillation
from understudy.methods.supervised import Supervised
from understudy.methods.vid import VID
from understudy.methods.videoadviser import VideoAdviser

__all__ = ["AMID", "C2KD", "CRD", "DKD", "KD", "MAD", "PKT", "RKD", "VID", "SelfDistillation", "Supervised", "VideoAdviser"]

CATALOGUE: dict[str, type[Method]] = {
    m.__module__.rpartition(".")[2]: m
    for m in (AMID, C2KD, CRD, DKD, KD, MAD, PKT, RKD, SelfDistillation, Supervised, VID, VideoAdviser)
}
"""Command-line name -> class; its keyword-only arguments are its options, and one that takes a `teacher` needs one."""
