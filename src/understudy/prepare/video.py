"""Frames: a video clip as a few pictures, one from each of T equally long segments, prepared as CLIP reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.isolated import decoder
from understudy.prepare.limits import Limits
from understudy.prepare.picture import CLIP_MEAN, CLIP_STD, Resample, Square, standardised
from understudy.prepare.pictures import picture_state
from understudy.prepare.view import FieldArrays, UnreadableCell, View


@dataclass(frozen=True)
class Frames(View):
    """Field `values` [N T 3 H W]: what is shown in the middle of each of T segments; in training, somewhere inside of it.

    frames: T. size: H and W in pixels; the short side is resized to it, then the centre is cut out. jitter: whether training
    draws the moment inside a segment; without it frames are prepared once and kept. mean, std: of each colour in [0, 1].
    megapixels, longest, patience: the `Limits` of a clip. short, whole: another way into the square, as in `Square`. A clip with
    fewer pictures than T shows some repeatedly.
    """

    frames: int = 8
    size: int = 224
    jitter: bool = True
    resample: Resample = "bicubic"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    megapixels: float = 9.0
    longest: float = 3600.0
    patience: float = 60.0
    short: int | None = None
    whole: int = 0

    kind: ClassVar[Kind] = "video"

    def __post_init__(self) -> None:
        if self.frames < 1 or min(self.std) <= 0:
            raise ValueError(f"{self.frames} frames, std={self.std}: expected at least one frame, and deviations above 0")
        Square(self.size, self.short, self.whole, self.resample)
        Limits(self.megapixels, self.longest, self.patience)

    @property
    def random(self) -> bool:
        return self.jitter

    def fit(self, cells: Cells) -> "Frames":
        return self

    def prepare(self, cells: Cells) -> FieldArrays:
        return self._at(cells, np.full((len(cells), self.frames), 0.5))

    def draw(self, cells: Cells, seeds: list[int]) -> FieldArrays:
        if not self.jitter:
            return self.prepare(cells)
        inside = [np.random.default_rng(seed).random(self.frames) for seed in seeds]
        return self._at(cells, np.array(inside).reshape(len(cells), self.frames))

    def _at(self, cells: Cells, inside: NDArray[np.float64]) -> FieldArrays:
        """The frames at these places in [0, 1) of each segment."""
        places = (np.arange(self.frames) + inside) / self.frames
        limits = Limits(self.megapixels, self.longest, self.patience)
        square = Square(self.size, self.short, self.whole, self.resample)
        values = np.zeros((len(cells), self.frames, 3, self.size, self.size), dtype=np.float32)
        for row in np.flatnonzero(cells.present).tolist():
            try:
                # In a process of its own: a clip of a stranger must not end the one that trains or answers.
                pictures = decoder(limits).pictures(cells.values[row], places[row], square)
            except ValueError as error:
                raise UnreadableCell(row, str(error)) from None
            values[row] = standardised(pictures, self.mean, self.std)
        return {"values": values}

    def state(self) -> dict[str, Any]:
        return picture_state(self)

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Frames":
        return cls(**{**state, "mean": tuple(state["mean"]), "std": tuple(state["std"])})
