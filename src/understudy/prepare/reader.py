"""MediaReader: the one way in which importers read media files, with a list of those that cannot be read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.limits import LIMITS, Limits
from understudy.prepare.media import read_array, read_audio, read_image, read_video
from understudy.prepare.medium import Medium

OnError = Literal["fail", "skip"]
"""What a cell that cannot be read does: end the whole, or stand as absent and be named."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class FileError:
    """A file that was skipped: where it was named, its path as it was named ("" of bytes), and why."""

    where: str
    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


@dataclass(eq=False)
class MediaReader:
    """Reads media files; a broken, cut, empty, silent or absurd one is one ValueError ("fail") or noted and None ("skip").

    `errors` are those that were skipped, for `write_corpus(errors=...)`: their cells are absent, their rows stay.
    Video and sound are decoded in a process of their own, so that nothing in a file can hang or crash this one.
    """

    on_error: OnError = "fail"
    limits: Limits = LIMITS
    errors: list[FileError] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.on_error not in ("fail", "skip"):
            raise ValueError(f"on_error={self.on_error!r}: expected 'fail' (the import) or 'skip' (the file)")

    def video(self, path: Medium, *, where: str = "") -> bytes | None:
        """The bytes of a video file that was probed."""
        return self.read(partial(read_video, limits=self.limits), path, where=where)

    def audio(self, path: Medium, rate: int, *, where: str = "") -> NDArray[np.float32] | None:
        """Samples of a sound file, or of the sound of a video file."""
        return self.read(partial(read_audio, rate=rate, limits=self.limits), path, where=where)

    def image(self, path: Medium, *, where: str = "") -> NDArray[np.uint8] | None:
        """A picture."""
        return self.read(read_image, path, where=where)

    def array(self, path: Path, *, where: str = "") -> NDArray[Any] | None:
        """A `.npy` array."""
        return self.read(read_array, path, where=where)

    def read(self, read: Callable[[Any], Value], path: Medium, *, where: str = "") -> Value | None:
        """`read(path)`, or what is done about its fault."""
        try:
            return read(path)
        except (ValueError, FileNotFoundError) as error:
            found = FileError(where, path.name if isinstance(path, Path) else "", str(error))
            if self.on_error == "fail":
                raise type(error)(str(found)) from None
            self.errors.append(found)
            return None
