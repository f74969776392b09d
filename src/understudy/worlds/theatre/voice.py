"""Voice: speech-like babble. The voice's cue sets how fast, how loud and how rising it speaks.

Vowels and the speaker's own pitch are drawn by chance: the sound says nothing about the words.
"""

import numpy as np
from numpy.typing import NDArray

from understudy.worlds.theatre.script import Array

VOWELS = np.array([[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410]])
"""Three formants (Hz) of five vowels: Peterson and Barney, 1952, men's averages."""
HARMONICS = 16
LOUDEST = 0.25
"""Root mean square of the loudest voice; its peaks stay below 1."""


def speech(voice: float, *, pitch: float, seconds: float, rate: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Sound in [-1, 1] at `rate` a second. voice: the cue in sentiment points. pitch: the speaker's own, in Hz."""
    cue = np.tanh(voice / 4)
    time = np.arange(round(seconds * rate)) / rate
    tempo = 4.5 * 2 ** (0.8 * cue) * random.uniform(0.97, 1.03)
    place = time * tempo + random.uniform()
    syllable, within = np.floor(place).astype(int), place % 1
    glide = 2 ** ((7 * cue * (within - 0.5) + 2 * cue) / 12)
    phase = 2 * np.pi * np.cumsum(pitch * glide) / rate
    vowel = VOWELS[random.integers(len(VOWELS), size=syllable[-1] + 1)]
    breath = 0.3 * random.normal(size=len(time))
    sound = (voiced(phase, syllable, vowel, pitch=pitch) + breath) * (0.1 + np.sin(np.pi * within) ** 2)
    sound *= LOUDEST * 10 ** ((12 * (cue - 1) + random.uniform(-0.5, 0.5)) / 20) / np.sqrt(np.mean(sound**2))
    return np.clip(sound + random.normal(scale=0.001, size=len(sound)), -1, 1).astype(np.float32)


def voiced(phase: Array, syllable: Array, formants: Array, *, pitch: float) -> Array:
    """Harmonics of the glottis, louder near formants (Hz, `[syllables 3]`); phase (radians) and syllable (index) are `[T]`."""
    number = np.arange(1, HARMONICS + 1)
    near = np.exp(-0.5 * ((number[:, None, None] * pitch - formants) / 150) ** 2) @ np.array([1.0, 0.6, 0.3])
    loudness = (0.3 + near) / number[:, None] ** 0.5
    return np.sum([loudness[k - 1, syllable] * np.sin(k * phase) for k in number], axis=0)
