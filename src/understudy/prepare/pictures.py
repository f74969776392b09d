"""Pictures: images as a published encoder was trained with them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.picture import CLIP_MEAN, CLIP_STD, Resample, Square, standardised
from understudy.prepare.view import FieldArrays, View


@dataclass(frozen=True)
class Pictures(View):
    """Field `values` [N 3 H W].

    size: H and W in pixels. short: the short side is resized to it, at least `size`, and the centre is cut out; 0 squeezes the
    whole picture into the square instead, or into one of `whole`, whose centre is cut out. mean, std: of each colour in [0, 1].
    """

    size: int = 224
    short: int = 224
    resample: Resample = "bicubic"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    whole: int = 0

    kind: ClassVar[Kind] = "image"

    def __post_init__(self) -> None:
        if min(self.std) <= 0:
            raise ValueError(f"pictures with std={self.std}; expected deviations above 0")
        Square(self.size, self.short, self.whole, self.resample)

    def fit(self, cells: Cells) -> "Pictures":
        return self

    def prepare(self, cells: Cells) -> FieldArrays:
        values = np.zeros((len(cells), 3, self.size, self.size), dtype=np.float32)
        for row in np.flatnonzero(cells.present):
            values[row] = standardised(self._square(cells.values[row]), self.mean, self.std)
        return {"values": values}

    def _square(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`[H W 3]`."""
        from PIL import Image as Pillow

        loaded = Pillow.fromarray(np.ascontiguousarray(picture[:, :, 0] if picture.shape[2] == 1 else picture))
        return Square(self.size, self.short, self.whole, self.resample).of(loaded)

    def state(self) -> dict[str, Any]:
        return picture_state(self)

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Pictures":
        return cls(**{**state, "mean": tuple(state["mean"]), "std": tuple(state["std"])})


def picture_state(view: Any) -> dict[str, Any]:
    """The settings of a view of pictures; how they are cut, where earlier versions knew one way, only where it is another."""
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(view).items()}
    return {name: value for name, value in settings.items() if (name, value) not in (("whole", 0), ("short", None))}
