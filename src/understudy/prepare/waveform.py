"""Waveform: sound as the samples that a published speech model was trained with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.view import FieldArrays, View

MAX_SECONDS = 10.0
"""What comes later in a clip is cut off."""
QUIET = 1e-7
"""Added to a clip's variance, as transformers' Wav2Vec2FeatureExtractor has it."""


@dataclass(frozen=True)
class Waveform(View):
    """Fields `values` [N T], samples, 0 behind a clip's end; and `length` [N], how many of them are the clip's.

    rate: samples a second of the corpus's audio. into: of what the model reads. normalised: each clip to mean 0 and variance 1.
    scale: what samples in [-1, 1] are multiplied by, such as 32768 for a model of 16-bit numbers.
    seconds: T / into, the longest train clip, MAX_SECONDS at most; the time is the same for every row, so that a row's answer
    never depends on its neighbours, even in models that normalise over time.
    """

    rate: int
    into: int
    normalised: bool = True
    seconds: float = MAX_SECONDS
    scale: float = 1.0

    kind: ClassVar[Kind] = "audio"

    def __post_init__(self) -> None:
        if self.rate < 1 or self.into < 1 or self.longest < 1:
            raise ValueError(f"sound at {self.rate} Hz into {self.into} Hz of {self.seconds} s; expected some samples of both")

    @property
    def longest(self) -> int:
        """T."""
        return round(self.seconds * self.into)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a row's values."""
        return (self.longest,)

    def fit(self, cells: Cells) -> "Waveform":
        lengths = [len(cells.values[row]) for row in np.flatnonzero(cells.present)]
        if not lengths:
            raise ValueError("no train row has this sound, so nobody knows how long it lasts")
        return replace(self, seconds=min(self.seconds, max(lengths) / self.rate))

    def prepare(self, cells: Cells) -> FieldArrays:
        values, length = np.zeros((len(cells), self.longest), dtype=np.float32), np.zeros(len(cells), dtype=np.int64)
        for row in np.flatnonzero(cells.present):
            clip = resampled(cells.values[row], self.rate, self.into)[: self.longest].astype(np.float64)
            if self.normalised:
                clip = (clip - clip.mean()) / np.sqrt(clip.var() + QUIET)
            values[row, : len(clip)], length[row] = clip * self.scale, len(clip)
        return {"values": values, "length": length}

    def truncated(self, cells: Cells) -> int:
        most = self.seconds * self.rate
        return sum(len(cells.values[row]) > most + 1 for row in np.flatnonzero(cells.present))

    def state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Waveform":
        return cls(**state)


def resampled(clip: NDArray[np.float32], rate: int, into: int) -> NDArray[np.float32]:
    """A clip at another rate, by its spectrum: what the lower rate cannot hold is left out."""
    if rate == into:
        return clip
    many = max(1, round(len(clip) * into / rate))
    spectrum = np.fft.rfft(clip)[: many // 2 + 1]
    return (np.fft.irfft(spectrum, many) * (many / len(clip))).astype(np.float32)
