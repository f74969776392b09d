"""Boxes: where the regions of a picture are, in shares of its width and height."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CORNERS = 4
"""Numbers of a box, before a region's features: x1 y1 x2 y2."""


def check_regions(regions: NDArray[Any], width: int) -> None:
    """ValueError for anything but `[R 4+D]` with D = `width`, whose boxes lie in the picture; a missing feature may be NaN."""
    if regions.ndim != 2 or not len(regions) or regions.shape[1] != CORNERS + width:
        raise ValueError(f"regions of shape {regions.shape}; expected one or more, each a box and {width} features")
    boxes = regions[:, :CORNERS]
    inside = ((boxes >= 0) & (boxes <= 1)).all(axis=1)
    wrong = ~inside | (boxes[:, 0] >= boxes[:, 2]) | (boxes[:, 1] >= boxes[:, 3])
    if wrong.any():
        region = int(np.argmax(wrong))
        raise ValueError(f"box {boxes[region].tolist()} of region {region}: expected 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1")
    if np.isinf(regions).any():
        raise ValueError(f"a feature of region {int(np.argmax(np.isinf(regions).any(axis=1)))} is infinite")
