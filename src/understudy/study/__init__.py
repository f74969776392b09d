"""The main job: from a corpus and settings to a run, and what is asked of a run."""

from understudy.study.distill import distill
from understudy.study.run import Run, load

__all__ = ["Run", "distill", "load"]
