"""Observer: the best that can be done with each subset of the modalities, since the world is known.

The ideal observer sees the words' valences and the cues of voice and face exactly. All are independent given the sentiment and
the irony, so its posterior is a product over a grid of 61 sentiments, summed over irony; the label given the sentiment is one
of 6 * annotators + 1 numbers, and the best answer under the absolute error is its posterior median. Expected errors are integrals
over a fine grid of the cue (two cues act as one, weighted by precision) and sums over all valences: no sampling.
"""

from collections.abc import Collection
from itertools import chain, combinations, product
from math import erf

import numpy as np

from understudy.worlds.theatre.lines import SLOTS, VALENCES
from understudy.worlds.theatre.script import MODALITIES, SENTIMENTS, Array, Script, World

STEPS_A_NOISE = 12
REACH = 6
"""The cue's grid: steps in a standard deviation, and how many of these it goes beyond -3 and 3."""


def subsets() -> list[tuple[str, ...]]:
    """Every subset of the modalities, the empty one first."""
    return list(chain.from_iterable(combinations(MODALITIES, size) for size in range(len(MODALITIES) + 1)))


def ceilings(world: World) -> dict[tuple[str, ...], float]:
    """Expected absolute error of the ideal observer, for each subset of the modalities; () predicts the median.

    Over the clips that show at least one modality of the subset, some of which lack another.
    """
    whole = {subset: whole_ceiling(world, subset) for subset in subsets()}
    found: dict[tuple[str, ...], float] = {(): whole[()]}
    for subset in subsets()[1:]:
        chances = {tuple(m for m in subset if m != lost): chance for lost, chance in lacking(world).items() if lost in subset}
        chances = {kept: chance for kept, chance in chances.items() if kept}
        rest = 1 - sum(chance for lost, chance in lacking(world).items() if lost in subset)
        total = rest + sum(chances.values())
        found[subset] = (rest * whole[subset] + sum(chance * whole[kept] for kept, chance in chances.items())) / total
    return found


def lacking(world: World) -> dict[str, float]:
    """Modality -> probability that a clip lacks it."""
    return {m: chance for m, chance in world.lost.items() if chance > 0}


def whole_ceiling(world: World, subset: Collection[str]) -> float:
    """The same over clips that lack nothing."""
    labels, values = label_given_sentiment(world)
    words = every_line(world) if "text" in subset else np.ones((1, len(SENTIMENTS)))
    cues = every_cue(noise_of(world, subset)) / len(SENTIMENTS)
    total = 0.0
    for line in words:
        joint = (cues * line) @ labels
        total += (joint * np.abs(values - medians(joint, values)[:, None])).sum()
    return float(total)


def ideal(world: World, script: Script, subset: Collection[str]) -> Array:
    """The ideal observer's answer `[N]` to each clip, from what is present of `subset`."""
    labels, values = label_given_sentiment(world)
    likelihood = np.ones((len(script), len(SENTIMENTS)))
    if "text" in subset:
        rows = script.valences - VALENCES[0]
        said = line_given_sentiment(world, rows)
        likelihood *= np.where(script.present["text"][:, None], said, 1.0)
    for name, cue, noise in (("audio", script.voice, world.voice_noise), ("video", script.face, world.face_noise)):
        if name in subset:
            shown = np.exp(-0.5 * ((cue[:, None] - SENTIMENTS) / noise) ** 2)
            likelihood *= np.where(script.present[name][:, None], shown, 1.0)
    return medians(likelihood @ labels, values)


def medians(weights: Array, values: Array) -> Array:
    """Median `[N]` of `values` `[Y]` under each row of weights `[N Y]`."""
    below = weights.cumsum(axis=1)
    return values[(below >= below[:, -1:] / 2).argmax(axis=1)]


def label_given_sentiment(world: World) -> tuple[Array, Array]:
    """Probabilities `[S Y]` of each label given each sentiment, and the labels `[Y]`."""
    edges = (np.arange(-2.5, 3)[None] - SENTIMENTS[:, None]) / world.annotator_noise
    below = np.vectorize(lambda z: 0.5 * (1 + erf(z / 2**0.5)))(edges)
    one = np.diff(below, axis=1, prepend=0, append=1)
    sums = np.ones((len(SENTIMENTS), 1))
    for _ in range(world.annotators):
        sums = np.stack([np.convolve(before, single) for before, single in zip(sums, one, strict=True)])
    return sums, np.arange(-3 * world.annotators, 3 * world.annotators + 1) / world.annotators


def line_given_sentiment(world: World, rows: Array) -> Array:
    """Probability `[N S]` of a line's valences (indices `[N 2]`) given each sentiment, irony summed over."""
    meant, opposite = world.valences(SENTIMENTS), world.valences(-SENTIMENTS)
    return (1 - world.irony) * meant[:, rows].prod(axis=2).T + world.irony * opposite[:, rows].prod(axis=2).T


def every_line(world: World) -> Array:
    """The same for all 49 pairs of valences."""
    return line_given_sentiment(world, np.array(list(product(range(len(VALENCES)), repeat=SLOTS))))


def noise_of(world: World, subset: Collection[str]) -> float:
    """Standard deviation of the cues of voice and face together; infinite without either."""
    noises = {"audio": world.voice_noise, "video": world.face_noise}
    precision = sum(noise**-2 for name, noise in noises.items() if name in subset)
    return precision**-0.5 if precision else float("inf")


def every_cue(noise: float) -> Array:
    """Probability `[G S]` of each cell of the cue's grid given each sentiment; one certain cell without a cue."""
    if noise == float("inf"):
        return np.ones((1, len(SENTIMENTS)))
    step = noise / STEPS_A_NOISE
    grid = np.arange(-3 - REACH * noise, 3 + REACH * noise, step)
    return np.exp(-0.5 * ((grid[:, None] - SENTIMENTS) / noise) ** 2) * step / (noise * (2 * np.pi) ** 0.5)
