"""The puppet theatre: a small, real, raw corpus whose best possible scores are known. Torch-free."""

from understudy.worlds.theatre.observer import ceilings, ideal, subsets
from understudy.worlds.theatre.script import World
from understudy.worlds.theatre.stage import Stage, make_theatre

__all__ = ["Stage", "World", "ceilings", "ideal", "make_theatre", "subsets"]
