"""LogMel: sound as a log-mel spectrogram, in NumPy; equal to `transformers.audio_utils` (HTK mels, periodic Hann window)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.ragged import pad
from understudy.prepare.standardisation import UNFITTED, Standardisation
from understudy.prepare.view import FieldArrays, View

FLOOR = 1e-10
"""Smallest power: the logarithm of digital silence must be a number."""


@dataclass(frozen=True, eq=False)
class LogMel(View):
    """Fields `values` [N T mels], standardised natural logarithms of mel powers, and `mask` [N T]; one step every `hop` seconds.

    rate: samples a second of the corpus's audio. window, hop: seconds. max_seconds: what comes later in a clip is cut off.
    """

    rate: int
    mels: int = 40
    window: float = 0.025
    hop: float = 0.010
    max_seconds: float = 10.0
    standard: Standardisation = UNFITTED

    kind: ClassVar[Kind] = "audio"

    def __post_init__(self) -> None:
        if self.rate < 1 or self.mels < 1 or self.frame < 2 or self.stride < 1 or self.max_samples < 1:
            raise ValueError(
                f"log-mel of rate={self.rate} Hz, mels={self.mels}, window={self.window} s, hop={self.hop} s, "
                f"max_seconds={self.max_seconds}: expected a rate of the audio, and a window, hop and length of some samples"
            )

    @property
    def frame(self) -> int:
        """Samples in a window."""
        return round(self.window * self.rate)

    @property
    def stride(self) -> int:
        """Samples between two windows."""
        return round(self.hop * self.rate)

    @property
    def max_samples(self) -> int:
        return round(self.max_seconds * self.rate)

    @property
    def max_steps(self) -> int:
        """Longest T."""
        return 1 + self.max_samples // self.stride

    @property
    def points(self) -> int:
        """Length of the Fourier transform: the power of two that holds a window."""
        return 1 << (self.frame - 1).bit_length()

    def fit(self, cells: Cells) -> "LogMel":
        spectra = (self.log_mel(cells.values[row]) for row in np.flatnonzero(cells.present))
        return type(self)(self.rate, self.mels, self.window, self.hop, self.max_seconds, Standardisation.fit(spectra))

    def prepare(self, cells: Cells) -> FieldArrays:
        rows = [
            self.standard.apply(self.log_mel(clip)) if here else None
            for clip, here in zip(cells.values, cells.present, strict=True)
        ]
        values, mask = pad(rows, step=(self.mels,))
        return {"values": values, "mask": mask}

    def truncated(self, cells: Cells) -> int:
        return sum(len(cells.values[row]) > self.max_samples for row in np.flatnonzero(cells.present))

    def log_mel(self, clip: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Log-mel powers `[T mels]`, not standardised; windows are centred at 0, hop, 2 hop ... with silence around the clip."""
        before = self.frame // 2
        padded = np.pad(np.asarray(clip[: self.max_samples], dtype=np.float64), (before, self.frame - before))
        frames = sliding_window_view(padded, self.frame)[:: self.stride]
        power = np.abs(np.fft.rfft(frames * self._hann, n=self.points)) ** 2
        return np.log(np.maximum(power @ self._filters, FLOOR))

    @cached_property
    def _hann(self) -> NDArray[np.float64]:
        return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.frame) / self.frame)

    @cached_property
    def _filters(self) -> NDArray[np.float64]:
        """Triangles `[bins mels]` at equal steps on the HTK mel scale, from 0 to half the rate."""
        top = 2595 * np.log10(1 + self.rate / 2 / 700)
        edges = 700 * (10 ** (np.linspace(0, top, self.mels + 2) / 2595) - 1)
        bins = np.linspace(0, self.rate // 2, self.points // 2 + 1)[:, None]
        low, centre, high = edges[:-2], edges[1:-1], edges[2:]
        return np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))

    def state(self) -> dict[str, Any]:
        settings = {"rate": self.rate, "mels": self.mels, "window": self.window, "hop": self.hop, "max_seconds": self.max_seconds}
        return settings | {"standard": self.standard.state()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "LogMel":
        return cls(**{**state, "standard": Standardisation.restore(state["standard"])})
