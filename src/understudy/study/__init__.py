"""The main job: from a corpus and settings to a run, and what is asked of a run."""

from understudy.study.distill import distill
from understudy.study.run import Run, load
from understudy.study.settings import Settings

__all__ = ["Run", "Settings", "distill", "load"]
