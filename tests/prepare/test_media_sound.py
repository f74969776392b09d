"""Sound as people have it: any number of channels."""

import wave

import numpy as np
import pytest

from understudy.prepare.media import read_audio


@pytest.mark.parametrize("channels", range(1, 8))
def test_the_mean_of_any_number_of_channels(channels, tmp_path):
    samples = (np.random.default_rng(0).normal(size=(4000, channels)) * 3000).astype("<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", 8000), samples.mean(axis=1) / 32768, atol=1e-6)
