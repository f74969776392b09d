"""Script: the puppet theatre's world. What is felt, what is said, how it sounds and looks, and how people rate it.

The world is ours. For each clip: sentiment s is drawn evenly from 61 values in [-3, 3]; with probability `irony` the words mean
the opposite, so that they aim at -s. Each of the line's sentiment words has a valence in -3..3, drawn in proportion to
exp(-(valence - aim)^2 / 2 words_noise^2), independently. The voice shows s + a Gaussian error, the face s + another one: one
number each, that pitch, tempo and loudness, or mouth, brows, colour and motion, all repeat. The label is the mean of a few
annotators, each of whom rounds s + a Gaussian error to a whole number in -3..3. Speaker, topic and sentence carry nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.worlds.theatre.lines import SLOTS, TEMPLATES, TOPICS, VALENCES, WORDS

Array = NDArray[Any]
MODALITIES = ("text", "audio", "video")
SENTIMENTS = np.linspace(-3, 3, 61)


@dataclass(frozen=True)
class World:
    """The numbers that decide how much each modality says; all noises are standard deviations in sentiment points.

    irony: probability that the words mean the opposite. lost: modality -> probability that a clip lacks it; no clip lacks two.
    """

    irony: float = 0.15
    words_noise: float = 1.3
    voice_noise: float = 1.0
    face_noise: float = 1.0
    annotators: int = 3
    annotator_noise: float = 1.0
    lost: Mapping[str, float] = field(default_factory=lambda: {"audio": 0.05, "video": 0.05})

    def __post_init__(self) -> None:
        noises = (self.words_noise, self.voice_noise, self.face_noise, self.annotator_noise)
        if not 0 <= self.irony <= 1 or min(noises) <= 0 or self.annotators < 1:
            raise ValueError(f"{self}: irony must be in [0, 1], noises above 0, and at least one annotator rates")
        if not set(self.lost) <= set(MODALITIES) or min(self.lost.values(), default=0) < 0 or sum(self.lost.values()) > 1:
            raise ValueError(f"lost is {dict(self.lost)}; give probabilities of {', '.join(MODALITIES)} that sum to at most 1")

    def valences(self, aim: Array) -> Array:
        """Probability of each of the 7 valences `[N 7]` of a word that aims at `aim` `[N]`."""
        weight = np.exp(-0.5 * ((np.array(VALENCES) - aim[:, None]) / self.words_noise) ** 2)
        return weight / weight.sum(axis=1, keepdims=True)

    def write(self, count: int, *, seed: int) -> "Script":
        """A script of `count` clips, a function of the world, `count` and `seed`."""
        random = np.random.default_rng([seed, 0])
        sentiment = random.choice(SENTIMENTS, count)
        ironic = random.random(count) < self.irony
        chances = self.valences(np.where(ironic, -sentiment, sentiment)).cumsum(axis=1)
        drawn = (random.random((count, SLOTS, 1)) > chances[:, None]).sum(axis=2).clip(max=len(VALENCES) - 1)
        errors = random.normal(scale=self.annotator_noise, size=(count, self.annotators))
        lost = random.choice(["", *self.lost], count, p=[1 - sum(self.lost.values()), *self.lost.values()])
        return Script(
            sentiment=sentiment,
            ironic=ironic,
            valences=np.array(VALENCES)[drawn],
            text=[sentence(each, random) for each in drawn],
            voice=sentiment + random.normal(scale=self.voice_noise, size=count),
            face=sentiment + random.normal(scale=self.face_noise, size=count),
            label=rated(sentiment[:, None] + errors).mean(axis=1),
            present={m: lost != m for m in MODALITIES},
        )


@dataclass(frozen=True, eq=False)
class Script:
    """N clips: sentiment, whether the words are ironic, valences of the words [N 2], the line, cues of voice and face, label."""

    sentiment: Array
    ironic: Array
    valences: Array
    text: list[str]
    voice: Array
    face: Array
    label: Array
    present: dict[str, Array]

    def __len__(self) -> int:
        return len(self.text)


def sentence(valences: Array, random: np.random.Generator) -> str:
    """A line with words of these valences (indices into VALENCES); no word twice."""
    words: list[str] = []
    for index in valences:
        words.append(str(random.choice([word for word in WORDS[VALENCES[index]] if word not in words])))
    return str(random.choice(TEMPLATES)).format(*words, topic=random.choice(TOPICS))


def rated(felt: Array) -> Array:
    """What an annotator writes down: the nearest whole number in -3..3."""
    return np.rint(felt).clip(-3, 3)
