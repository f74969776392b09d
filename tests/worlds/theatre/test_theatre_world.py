import re

import numpy as np
import pytest
from scipy import stats

from understudy.worlds.theatre import World, ceilings, ideal, subsets
from understudy.worlds.theatre.lines import VALENCES, WORDS
from understudy.worlds.theatre.script import MODALITIES, SENTIMENTS

ALL = ("text", "audio", "video")


def by_hand(world, subset, *, count, seed):
    """Absolute errors of posterior medians, from simulated clips and simulated annotators; nothing of `observer` is used."""
    random = np.random.default_rng(seed)
    grid, words = np.linspace(-3, 3, 61), np.array(VALENCES)
    said = np.rint(grid[:, None, None] + random.normal(scale=world.annotator_noise, size=(61, 10_000, world.annotators)))
    sums = said.clip(-3, 3).sum(axis=2).astype(int) + 3 * world.annotators
    labels = np.stack([np.bincount(each, minlength=6 * world.annotators + 1) for each in sums]) / 10_000
    values = np.arange(-3 * world.annotators, 3 * world.annotators + 1) / world.annotators
    at = random.integers(61, size=count)
    truth = np.array([values[random.choice(len(values), p=labels[each])] for each in at])
    posterior = np.ones((count, 61))
    if "text" in subset:
        density = stats.norm.pdf(words[:, None], grid, world.words_noise)
        chance = density / density.sum(axis=0)
        aim = np.where(random.random(count) < world.irony, 60 - at, at)
        spoken = np.array([random.choice(7, size=2, p=chance[:, each]) for each in aim])
        meant = chance[spoken[:, 0]] * chance[spoken[:, 1]]
        posterior *= (1 - world.irony) * meant + world.irony * meant[:, ::-1]
    for name, noise in (("audio", world.voice_noise), ("video", world.face_noise)):
        if name in subset:
            posterior *= stats.norm.pdf((grid[at] + noise * random.normal(size=count))[:, None], grid, noise)
    cumulative = (posterior @ labels).cumsum(axis=1)
    median = values[[np.searchsorted(each, each[-1] / 2) for each in cumulative]]
    return np.abs(median - truth)


@pytest.mark.parametrize("subset", subsets())
def test_a_ceiling_is_what_a_simulation_finds(subset):
    world = World(voice_noise=0.6, lost={})
    found = by_hand(world, subset, count=3000, seed=len(subset))
    assert abs(found.mean() - ceilings(world)[subset]) < 4 * found.std() / len(found) ** 0.5


def test_a_ceiling_is_the_error_of_the_ideal_observer():
    world = World()
    script, expected = world.write(5_000, seed=3), ceilings(world)
    for subset in subsets()[1:]:
        seen = np.any([script.present[m] for m in subset], axis=0)
        error = np.abs(ideal(world, script, subset) - script.label)[seen]
        assert abs(error.mean() - expected[subset]) < 4 * error.std() / len(error) ** 0.5, subset


@pytest.mark.parametrize("world", [World(), World(lost={}), World(irony=0.5, words_noise=0.5, lost={"text": 0.3, "video": 0.2})])
def test_more_modalities_are_never_worse(world):
    found = ceilings(World(**{**vars(world), "lost": {}}))
    for smaller in subsets():
        for larger in subsets():
            if set(smaller) <= set(larger):
                assert found[larger] <= found[smaller] + 1e-9
    # Where clips lack something, a subset is scored on the clips that show any of it, so only the whole beats all of its parts.
    assert min(ceilings(world).values()) == pytest.approx(ceilings(world)[ALL], abs=0.02)


def test_the_world_is_as_hard_as_it_should_be():
    found = ceilings(World())
    assert found[ALL] <= 0.6 * found["text",]
    assert found[()] >= 2 * found[ALL]


def test_hopeless_and_certain_worlds():
    blind = World(voice_noise=1e3, face_noise=1e3, words_noise=1e3, lost={})
    assert ceilings(blind)[ALL] == pytest.approx(ceilings(blind)[()], abs=0.01)
    clear = World(voice_noise=0.05, lost={}, annotators=1, annotator_noise=0.01)
    # Only where a sentiment lies near the edge between two whole numbers can a clear voice be misread.
    assert ceilings(clear)["audio",] < 0.06
    assert ceilings(World(irony=0.5, lost={}))["text",] == pytest.approx(ceilings(World(lost={}))[()], abs=0.05)


def test_a_script_is_a_function_of_its_seed():
    one, same, other = World().write(200, seed=1), World().write(200, seed=1), World().write(200, seed=2)
    assert one.text == same.text
    assert one.text != other.text
    for name in ("sentiment", "valences", "voice", "face", "label"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert set(np.unique(one.sentiment)) <= set(SENTIMENTS)
    assert (np.abs(one.label) <= 3).all()


def test_a_line_says_its_valences_and_nothing_lacks_two():
    script = World(lost={"text": 0.3, "audio": 0.3, "video": 0.3}).write(300, seed=0)
    valence = {word: each for each, words in WORDS.items() for word in words}
    for text, valences in zip(script.text, script.valences, strict=True):
        assert [valence[w] for w in re.findall("[a-z]+", text.lower()) if w in valence] == valences.tolist()
    assert np.sum([~script.present[m] for m in MODALITIES], axis=0).max() == 1


def test_no_word_has_two_valences():
    words = [word for each in WORDS.values() for word in each]
    assert len(set(words)) == len(words) == 84


@pytest.mark.parametrize(
    "wrong", [{"irony": 1.5}, {"face_noise": 0.0}, {"annotators": 0}, {"lost": {"smell": 0.1}}, {"lost": {"text": 2.0}}]
)
def test_impossible_worlds_are_refused(wrong):
    with pytest.raises(ValueError, match=r"irony|lost"):
        World(**wrong)
