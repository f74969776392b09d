"""StoredFrames: what a frozen video tower said of a clip, kept in the corpus as steps of numbers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.view import FieldArrays, UnreadableCell, View


@dataclass(frozen=True)
class StoredFrames(View):
    """Fields `frames` [N T D] and `patches` [N P D] of a cell whose steps are `views` times T frames and then P patches.

    The first view of a clip shows its centre frames, and is the one that evaluation sees; training draws among all of them.
    width: D. Numbers are left as the tower gave them.
    """

    frames: int
    patches: int
    width: int
    views: int = 1

    kind: ClassVar[Kind] = "sequence"

    def __post_init__(self) -> None:
        if min(self.frames, self.patches, self.width, self.views) < 1:
            raise ValueError(f"{self}: expected at least one of each")

    @property
    def random(self) -> bool:
        return self.views > 1

    def fit(self, cells: Cells) -> "StoredFrames":
        return self

    def prepare(self, cells: Cells) -> FieldArrays:
        return self._take(cells, [0] * len(cells))

    def draw(self, cells: Cells, seeds: list[int]) -> FieldArrays:
        return self._take(cells, [int(np.random.default_rng(seed).integers(self.views)) for seed in seeds])

    def _take(self, cells: Cells, chosen: list[int]) -> FieldArrays:
        """The chosen view of each row."""
        steps = self.frames + self.patches
        values = np.zeros((len(cells), steps, self.width), dtype=np.float32)
        for row in np.flatnonzero(cells.present).tolist():
            said: NDArray[np.float32] = cells.values[row]
            if said.shape != (self.views * steps, self.width):
                raise UnreadableCell(
                    row, f"{said.shape[0]} steps of width {said.shape[1]}; expected {self.views} x {steps} of width {self.width}"
                )
            values[row] = said[chosen[row] * steps : (chosen[row] + 1) * steps]
        return {"frames": values[:, : self.frames], "patches": values[:, self.frames :]}

    def state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "StoredFrames":
        return cls(**state)
