"""LogMel against transformers.audio_utils."""

import warnings

import numpy as np
import pytest
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from understudy.prepare import LogMel
from understudy.prepare.cells import Cells


@pytest.mark.parametrize(("rate", "samples", "mels"), [(8000, 3456, 40), (16000, 16001, 64), (22050, 9000, 40), (44100, 0, 80)])
def test_log_mel_is_that_of_transformers(rate, samples, mels):
    clip = np.random.default_rng(rate).normal(0, 0.1, samples)
    view = LogMel(rate, mels=mels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filters = mel_filter_bank(view.points // 2 + 1, mels, 0, rate / 2, rate)
    # For an odd window transformers pads one sample less behind, and may so lose the last step.
    expected = spectrogram(
        np.pad(clip, (0, view.frame % 2)),
        window_function(view.frame, "hann"),
        view.frame,
        view.stride,
        fft_length=view.points,
        power=2.0,
        pad_mode="constant",
        mel_filters=filters,
        log_mel="log",
    ).T
    found = view.log_mel(clip)
    assert len(found) == 1 + samples // view.stride
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_tone_stands_in_its_band():
    view = LogMel(8000, mels=40)
    band = view.log_mel(np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)).mean(axis=0).argmax()
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 42) / 2595) - 1)
    assert edges[band] < 1000 < edges[band + 2]


def test_cuts_pads_and_standardises():
    draw = np.random.default_rng(0)
    clips = [draw.normal(0, 0.1, n).astype(np.float32) for n in (800, 8000, 80, 0)]
    cells = Cells("audio", [*clips, None], np.array([True] * 4 + [False]))
    view = LogMel(8000, max_seconds=0.5).fit(cells)
    fields = view.prepare(cells)
    assert fields["mask"].sum(axis=1).tolist() == [11, 51, 2, 1, 0]
    assert fields["values"].shape == (5, 51, 40)
    assert view.max_steps == 51
    assert view.truncated(cells) == 1
    kept = fields["values"][fields["mask"]].astype(np.float64)
    np.testing.assert_allclose(kept.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(kept.std(axis=0), 1, atol=1e-4)


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"rate": 8000, "mels": 0}, {"rate": 8000, "hop": 1e-9}, {"rate": 8000, "max_seconds": 0.0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a rate"):
        LogMel(**wrong)
