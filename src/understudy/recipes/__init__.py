"""Recipes: plain functions that put a corpus, a split, models, a method and a plan together."""

from understudy.recipes.distill import distill
from understudy.recipes.run import Run, load

__all__ = ["Run", "distill", "load"]
