"""Views and cells: from a user's values to the arrays an encoder reads. Torch-free."""

from understudy.prepare.audio import LogMel
from understudy.prepare.catalogue import restore, view_for
from understudy.prepare.choices import Choices
from understudy.prepare.image import Image
from understudy.prepare.knots import Knots
from understudy.prepare.pictures import Pictures
from understudy.prepare.regions import Regions
from understudy.prepare.sequence import Sequence
from understudy.prepare.table import Table
from understudy.prepare.terms import Terms
from understudy.prepare.text import Text
from understudy.prepare.vector import Vector
from understudy.prepare.video import Frames

__all__ = [
    "Choices",
    "Frames",
    "Image",
    "Knots",
    "LogMel",
    "Pictures",
    "Regions",
    "Sequence",
    "Table",
    "Terms",
    "Text",
    "Vector",
    "restore",
    "view_for",
]
