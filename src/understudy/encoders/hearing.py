"""How a published model's sound was prepared: its processor file as a view, held to its numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from understudy.encoders.processor import processor_file
from understudy.encoders.published import FAULTS
from understudy.encoders.sound import Heard
from understudy.prepare.cells import Cells
from understudy.prepare.waveform import Waveform
from understudy.prepare.whisper import WhisperMel

SAMPLES, WHISPER = "Wav2Vec2FeatureExtractor", "WhisperFeatureExtractor"
EXTRACTORS = (SAMPLES, WHISPER)


def published_sound(name: str, *, rate: int) -> Heard:
    """The view that a published speech model was trained with. rate: of the corpus's audio, samples a second.

    ValueError for a model without a processor file, or with one that prepares sound otherwise than can be done here: noise goes
    through both.
    """
    told, settings = processor_file(name)
    kind = (settings or {}).get("feature_extractor_type", "")
    if settings is None or kind not in EXTRACTORS:
        said = f"{told}: a {kind or 'processor of another kind'}" if told else f"{name} has no preprocessor_config.json"
        raise ValueError(f"{said}; sound is prepared as {' or '.join(EXTRACTORS)} do")
    try:
        view, theirs = of_noise(kind, settings, rate)
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{told}: {reason}; expected a JSON object of a {kind}") from None
    noise = draw(view.into)
    ours = at_rate(view, view.into).prepare(Cells("audio", [noise], np.ones(1, dtype=bool)))["values"][0]
    ours = ours[: len(noise)] if isinstance(view, Waveform) else ours
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=1e-3, atol=1e-3):
        raise ValueError(f"{told}: this {kind} prepares sound in a way not known here")
    return view


def of_noise(kind: str, settings: Mapping[str, Any], rate: int) -> tuple[Heard, np.ndarray]:
    """The view, and what transformers' own extractor makes of noise."""
    from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

    told = {key: value for key, value in settings.items() if not key.endswith("_type")}
    if kind == WHISPER:
        whisper = WhisperFeatureExtractor(**told)
        filters = np.asarray(whisper.mel_filters, dtype=np.float32)
        lengths = (whisper.n_fft, whisper.hop_length, whisper.n_samples)
        view = WhisperMel(rate, whisper.sampling_rate, *lengths, filters)
        said = whisper(draw(view.into), sampling_rate=view.into, return_tensors="np")["input_features"][0]
        return view, np.asarray(said, dtype=np.float32)
    plain = Wav2Vec2FeatureExtractor(**told)
    view = Waveform(rate, plain.sampling_rate, bool(plain.do_normalize))
    said = plain(draw(view.into), sampling_rate=view.into, return_tensors="np")["input_values"][0]
    return view, np.asarray(said, dtype=np.float32)


def at_rate(view: Heard, rate: int) -> Heard:
    """The same of sound at another rate."""
    return type(view).restore(view.state() | {"rate": rate}, view.assets())


def draw(rate: int) -> np.ndarray:
    """A quarter of a second of noise around no zero."""
    return (0.1 + 0.2 * np.random.default_rng(0).normal(size=rate // 4)).astype(np.float32)
