"""Pictures of a set whose rows share them: each file is read once, checked, shrunk, and held once."""

from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.held import Held
from understudy.prepare.media import read_image
from understudy.prepare.reader import MediaReader

Picture = NDArray[np.uint8]


class Pictures:
    """A folder of pictures; `rows` are those that were added. The first row that names a file is told of a fault.

    side: longest side of a picture in the corpus, in pixels. A picture of more pixels than the reader's limits is refused unread.
    """

    def __init__(self, folder: Path | str, *, side: int, reader: MediaReader) -> None:
        self.folder, self.side, self.reader = Path(folder), side, reader
        if side < 1:
            raise ValueError(f"side={side} pixels; expected 1 or more")
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no folder {folder} of pictures")
        self.rows = Held()
        self._first: dict[str, int] = {}
        self._last: tuple[str, Picture | None] = ("", None)
        self._broken: set[str] = set()
        self._read = partial(read_image, megapixels=reader.limits.megapixels)

    def path(self, name: str, where: str) -> Path:
        """Where the file is; a name that leads out of the folder is refused."""
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or not place.name:
            raise ValueError(f"{where}: {name!r} is no name of a file in {self.folder}")
        return self.folder / place

    def whole(self, name: str, *, where: str) -> Picture | None:
        """The picture as it is; None where it cannot be read and is to be skipped."""
        if name in self._broken:
            return None
        if self._last[0] != name:
            self._last = name, self.reader.read(self._read, self.path(name, where), where=where)
            if self._last[1] is None:
                self._broken.add(name)
        return self._last[1]

    def add(self, name: str, *, where: str) -> None:
        """A row with this picture as the corpus holds it."""
        if name in self._first:
            self.rows.repeat(self._first[name])
            return
        self._first[name] = len(self.rows)
        pixels = self.whole(name, where=where)
        self.rows.append(None if pixels is None else shrunk(pixels, self.side))


def shrunk(pixels: Picture, side: int) -> Picture:
    """The picture, smaller where its longer side exceeds `side`; a picture of 1 x 4000 keeps a pixel of its short side."""
    longest = max(pixels.shape[:2])
    if longest <= side:
        return pixels
    height, width = (max(1, round(length * side / longest)) for length in pixels.shape[:2])
    return resized(pixels, width, height)


def resized(pixels: Picture, width: int, height: int, *, box: tuple[float, float, float, float] | None = None) -> Picture:
    """The picture, or the part in `box` (x1 y1 x2 y2 in pixels), in this size."""
    from PIL import Image

    whole = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    return np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR, box=box)).reshape(height, width, -1)
