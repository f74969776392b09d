"""Methods: one paper, one file. A method's name on the command line is its file's name: `kd`, `self_distillation`."""

from understudy.methods.kd import KD
from understudy.methods.method import Method
from understudy.methods.self_distillation import SelfDistillation
from understudy.methods.supervised import Supervised

__all__ = ["KD", "SelfDistillation", "Supervised"]

CATALOGUE: dict[str, type[Method]] = {m.__module__.rpartition(".")[2]: m for m in (KD, SelfDistillation, Supervised)}
"""Command-line name -> class; its keyword-only arguments are its options, and one that takes a `teacher` needs one."""
