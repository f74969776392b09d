"""Methods: one paper, one file. A method's name on the command line is its file's name: `kd`, `self_distillation`."""

from understudy.methods.kd import KD
from understudy.methods.method import Method
from understudy.methods.self_distillation import SelfDistillation
from understudy.methods.supervised import Supervised
from understudy.methods.videoadviser import VideoAdviser

__all__ = ["KD", "SelfDistillation", "Supervised", "VideoAdviser"]

CATALOGUE: dict[str, type[Method]] = {
    m.__module__.rpartition(".")[2]: m for m in (KD, SelfDistillation, Supervised, VideoAdviser)
}
"""Command-line name -> class; its keyword-only arguments are its options, and one that takes a `teacher` needs one."""
