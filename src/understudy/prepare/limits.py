"""What a file of a stranger may be and cost: formats, pixels, seconds of playing and seconds of reading."""

import time
from dataclasses import dataclass
from io import BytesIO

CONTAINERS = "mov,matroska,avi,mpeg,mpegts,flv,asf,ogg,wav,flac,mp3,aac,aiff,amr,au,caf,w64"
"""Formats that libav may find in a file. Playlists and scripts, which name other files, are not among them."""


@dataclass(frozen=True)
class Limits:
    """What one clip may cost. megapixels: of a picture. longest: seconds that it plays. patience: seconds of reading it."""

    megapixels: float = 9.0
    longest: float = 3600.0
    patience: float = 60.0

    def __post_init__(self) -> None:
        if min(self.megapixels, self.longest, self.patience) <= 0:
            raise ValueError(f"{self}: every limit must be above 0")

    @property
    def pixels(self) -> int:
        return round(self.megapixels * 1e6)


LIMITS = Limits()


class TimedFile(BytesIO):
    """Bytes that cannot be read any more when the time is up."""

    def __init__(self, content: bytes, seconds: float) -> None:
        super().__init__(content)
        self.seconds, self.ends = seconds, time.monotonic() + seconds

    def check(self) -> None:
        """ValueError when the time is up."""
        if time.monotonic() > self.ends:
            raise ValueError(f"reading it takes longer than {self.seconds:g} seconds")

    def read(self, size: int | None = -1, /) -> bytes:
        self.check()
        return super().read(size)
