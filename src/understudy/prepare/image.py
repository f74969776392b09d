"""Image: pictures at one size, standardised by channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.standardisation import UNFITTED, Standardisation
from understudy.prepare.view import FieldArrays, View

MODES: dict[int, str] = {1: "L", 3: "RGB"}


@dataclass(frozen=True, eq=False)
class Image(View):
    """Field `values` [N C H W]: resized (bilinear, with antialiasing), in [0, 1], then in train deviations from the train mean.

    size: (H, W) in pixels. channels: 1 (grey) or 3 (colour).
    """

    size: tuple[int, int] = (32, 32)
    channels: int = 3
    standard: Standardisation = UNFITTED

    kind: ClassVar[Kind] = "image"

    def __post_init__(self) -> None:
        if self.channels not in MODES or min(self.size) < 1:
            raise ValueError(
                f"image of size {self.size} with {self.channels} channels: expected sizes from 1 and 1 or 3 channels"
            )

    def fit(self, cells: Cells) -> "Image":
        pixels = (self._pixels(cells.values[row]).reshape(-1, self.channels) for row in np.flatnonzero(cells.present))
        return type(self)(self.size, self.channels, Standardisation.fit(pixels))

    def prepare(self, cells: Cells) -> FieldArrays:
        values = np.zeros((len(cells), self.channels, *self.size), dtype=np.float32)
        for row in np.flatnonzero(cells.present):
            values[row] = self.standard.apply(self._pixels(cells.values[row])).transpose(2, 0, 1)
        return {"values": values}

    def _pixels(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """`[H W C]` in [0, 1] at the view's size."""
        from PIL import Image as Pillow

        squeezed = np.ascontiguousarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
        height, width = self.size
        resized = Pillow.fromarray(squeezed).convert(MODES[self.channels]).resize((width, height), Pillow.Resampling.BILINEAR)
        return np.asarray(resized, dtype=np.float64).reshape(height, width, self.channels) / 255

    def state(self) -> dict[str, Any]:
        return {"size": list(self.size), "channels": self.channels, "standard": self.standard.state()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Image":
        height, width = state["size"]
        return cls((height, width), state["channels"], Standardisation.restore(state["standard"]))
