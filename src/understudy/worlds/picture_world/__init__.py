"""The picture world: pictures of shapes with captions, claims, questions and choices, whose best scores are known. Torch-free."""

from understudy.worlds.picture_world.album import make_album
from understudy.worlds.picture_world.ceilings import ceilings
from understudy.worlds.picture_world.scene import painted
from understudy.worlds.picture_world.world import World, caption

__all__ = ["World", "caption", "ceilings", "make_album", "painted"]
