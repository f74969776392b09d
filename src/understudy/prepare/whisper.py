"""WhisperMel: sound as the log-mel spectrogram of a fixed time that Whisper reads; equal to transformers' feature extractor."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.view import FieldArrays, View
from understudy.prepare.waveform import resampled

ASSET = "filters.npy"
FLOOR, RANGE = 1e-10, 8.0
"""Smallest power; and how far, in powers of ten, a clip's quietest point is below its loudest at most."""


@dataclass(frozen=True, eq=False)
class WhisperMel(View):
    """Fields `values` [N mels T], and `length` [N], how many of the `longest` samples are the clip's; the rest is cut.

    rate: of the corpus's audio, samples a second. into: of what the model reads. window, hop, longest: samples of that.
    filters: [window / 2 + 1, mels], from powers to mels.
    """

    rate: int
    into: int
    window: int
    hop: int
    longest: int
    filters: NDArray[np.float32] = field(repr=False)

    kind: ClassVar[Kind] = "audio"

    def __post_init__(self) -> None:
        if (
            min(self.rate, self.into, self.hop) < 1
            or self.longest < self.hop
            or self.filters.shape[:1] != (self.window // 2 + 1,)
        ):
            raise ValueError(
                f"a spectrogram of windows of {self.window} every {self.hop} of {self.longest} samples by filters of shape "
                f"{self.filters.shape}: expected a hop, time for one, and a filter a frequency"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a row's values."""
        return (self.filters.shape[1], self.longest // self.hop)

    def fit(self, cells: Cells) -> "WhisperMel":
        return self

    def prepare(self, cells: Cells) -> FieldArrays:
        values, length = np.zeros((len(cells), *self.shape), dtype=np.float32), np.zeros(len(cells), dtype=np.int64)
        for row in np.flatnonzero(cells.present):
            clip = resampled(cells.values[row], self.rate, self.into)[: self.longest]
            values[row], length[row] = self._log_mel(clip), len(clip)
        return {"values": values, "length": length}

    def _log_mel(self, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        """[mels T], of the clip and silence behind it."""
        whole = np.pad(clip.astype(np.float64), (0, self.longest - len(clip)))
        around = np.pad(whole, self.window // 2, mode="reflect")
        frames = sliding_window_view(around, self.window)[:: self.hop][: self.shape[1]]
        power = np.abs(np.fft.rfft(frames * np.hanning(self.window + 1)[:-1])) ** 2
        mels = np.log10(np.maximum(self.filters.T.astype(np.float64) @ power.T, FLOOR))
        return ((np.maximum(mels, mels.max() - RANGE) + 4) / 4).astype(np.float32)

    def truncated(self, cells: Cells) -> int:
        most = self.longest * self.rate / self.into
        return sum(len(cells.values[row]) > most + 1 for row in np.flatnonzero(cells.present))

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("rate", "into", "window", "hop", "longest")}

    def assets(self) -> dict[str, bytes]:
        file = io.BytesIO()
        np.save(file, self.filters)
        return {ASSET: file.getvalue()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "WhisperMel":
        return cls(**state, filters=np.load(io.BytesIO(assets[ASSET]), allow_pickle=False))
