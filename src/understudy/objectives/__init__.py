"""Objectives: one idea, one file; outputs and a batch in, (sum, count) out."""

from understudy.objectives.supervised import Supervised

__all__ = ["Supervised"]
