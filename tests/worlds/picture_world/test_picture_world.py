import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy import stats

from understudy.tasks import MultiLabel
from understudy.worlds.picture_world import World, caption, ceilings, make_album, painted
from understudy.worlds.picture_world.ceilings import by_picture, by_question, expected_credit
from understudy.worlds.picture_world.lines import COLOURS, CUES, FORMS, HUES, KINDS, SHAPES
from understudy.worlds.picture_world.scene import COUNTS
from understudy.worlds.picture_world.world import ANSWERS, CHOICES, LABELS, NAMES

COLOUR_OF = {word: number for number, (_, words) in enumerate(COLOURS.values()) for word in words}
SHAPE_OF = {word: number for number, words in enumerate(SHAPES.values()) for word in words}
CUE_OF = {word: number for number, words in enumerate(CUES.values()) for word in words}
MANY = 1500


def kinds_in(text: str) -> list[int]:
    """Every `crimson disc` of a text, by the dictionary alone."""
    words = re.findall(r"[a-z]+", text)
    return [COLOUR_OF[one] * len(FORMS) + SHAPE_OF[two] for one, two in pairwise(words) if one in COLOUR_OF and two in SHAPE_OF]


def near(hits, expected):
    """Within four standard errors."""
    hits = np.asarray(hits, float)
    assert abs(hits.mean() - expected) < 4 * max(hits.std(), 0.01) / len(hits) ** 0.5, (hits.mean(), expected)


def test_words_name_one_thing_each():
    words = [word for _, each in COLOURS.values() for word in each] + [word for each in SHAPES.values() for word in each]
    words += [word for each in CUES.values() for word in each]
    assert len(set(words)) == len(words)
    assert KINDS == 30
    assert set(HUES) | set(FORMS) <= set(words)


@pytest.mark.parametrize("shifted", [False, True])
def test_claims_are_worth_their_ceilings(shifted):
    world, test = World(), "shifted" if shifted else "given"
    made, found = world.write("entailment", MANY, seed=1, shifted=shifted), ceilings(World(), "entailment")
    text, picture, both, kinds, labels = [], [], [], [], []
    for scene, rows in zip(made.scenes, made.of, strict=True):
        for row in rows:
            (kind,) = kinds_in(row.words)
            (cue,) = [CUE_OF[word] for word in row.words.split() if word in CUE_OF]
            text.append(cue == row.answer)
            picture.append((1 if scene.cloth >= 0 else 2) == row.answer)
            both.append((0 if kind in scene.things else 1 if scene.cloth >= 0 else 2) == row.answer)
            kinds.append(kind)
            labels.append(row.answer)
    for hits, what in ((text, "text"), (picture, "picture"), (both, "both")):
        near(hits, found[what][test])
    counts = np.zeros((KINDS, len(LABELS)))
    np.add.at(counts, (kinds, labels), 1)
    # Which thing is claimed says nothing about the label.
    assert stats.chi2_contingency(counts).pvalue > 1e-4
    assert stats.chisquare(counts.sum(axis=0)).pvalue > 1e-4


@pytest.mark.parametrize("shifted", [False, True])
def test_choices_are_worth_their_ceilings(shifted):
    world, test = World(cue=0.7), "shifted" if shifted else "given"
    made, found = world.write("choice", MANY // 2, seed=2, shifted=shifted), ceilings(world, "choice")
    text, places = [], []
    for scene, rows in zip(made.scenes, made.of, strict=True):
        assert [row.stage for row in rows] == ["answer", "rationale"]
        named = scene.things[0]
        for row in rows:
            said = [kinds_in(choice) for choice in row.words]
            before = 1 if row.stage == "answer" else 2
            others = [each[before] for each in said]
            assert [other in scene.things for other in others] == [place == row.answer for place in range(CHOICES)]
            (repeats,) = [place for place, each in enumerate(said) if len(each) == before + 2]
            assert said[repeats][-1] == named
            text.append(repeats == row.answer)
            places.append(row.answer)
    near(text, found["text"][test])
    assert found["picture"][test] == 1 / CHOICES
    assert stats.chisquare(np.bincount(places)).pvalue > 1e-4


@pytest.mark.parametrize("shifted", [False, True])
def test_questions_are_worth_their_ceilings(shifted):
    world, test, found = World(), "shifted" if shifted else "given", ceilings(World(), "question")
    made = world.write("question", MANY, seed=3, shifted=shifted)
    sets = [frozenset(s) for s in every_set()]
    by_set = dict(zip(sets, (by_picture(world, False) @ expected_credit(world)).argmax(axis=1), strict=True))
    text, picture, both = [], [], []
    for scene, (row,) in zip(made.scenes, made.of, strict=True):
        text.append(earned(row.answer, usual(row.words)))
        picture.append(earned(row.answer, int(by_set[frozenset(scene.things)])))
        both.append(earned(row.answer, truth(row.words, scene.things)))
    for hits, what in ((text, "text"), (picture, "picture"), (both, "both")):
        near(hits, found[what][test])


def every_set():
    return [things for count in COUNTS for things in combinations(range(KINDS), count)]


def earned(answers, said) -> float:
    """The official accuracy, by its definition: each annotator left out in turn."""
    return float(np.mean([min(1, sum(a == said for a in answers[:n] + answers[n + 1 :]) / 3) for n in range(len(answers))]))


def usual(words) -> int:
    """What the training rows teach to answer without the picture."""
    found = re.findall(r"[a-z]+", words)
    colours, shapes = [COLOUR_OF[w] for w in found if w in COLOUR_OF], [SHAPE_OF[w] for w in found if w in SHAPE_OF]
    if colours and shapes:
        return ANSWERS.index("yes")
    if shapes:
        return shapes[0]
    return len(HUES) + colours[0] % len(FORMS) if colours else ANSWERS.index("two")


def truth(words, things) -> int:
    found = re.findall(r"[a-z]+", words)
    colours, shapes = [COLOUR_OF[w] for w in found if w in COLOUR_OF], [SHAPE_OF[w] for w in found if w in SHAPE_OF]
    if colours and shapes:
        return ANSWERS.index("yes" if colours[0] * len(FORMS) + shapes[0] in things else "no")
    if shapes:
        (kind,) = [kind for kind in things if kind % len(FORMS) == shapes[0]]
        return kind // len(FORMS)
    if colours:
        (kind,) = [kind for kind in things if kind // len(FORMS) == colours[0]]
        return len(HUES) + kind % len(FORMS)
    return ANSWERS.index(("one", "two", "three")[len(things) - 1])


@pytest.mark.parametrize("shifted", [False, True])
def test_chances_add_up(shifted):
    world = World(usual=0.8)
    assert by_picture(world, shifted).sum() == pytest.approx(1)
    assert by_question(world, shifted).sum() == pytest.approx(1)
    # Both count the same answers.
    assert by_picture(world, shifted).sum(axis=0) == pytest.approx(by_question(world, shifted).sum(axis=0))


def test_without_a_habit_the_words_say_nothing():
    world = World(cue=1 / 3, misleading=1 / 3)
    assert ceilings(world, "entailment")["text"] == pytest.approx({"given": 1 / 3, "shifted": 1 / 3})
    assert ceilings(World(cue=0.25, misleading=0.25), "choice")["text"]["shifted"] == pytest.approx(0.25)


def test_a_picture_shows_its_things():
    random = np.random.default_rng(0)
    scene, words = caption(random)
    assert set(kinds_in(words)) == set(scene.things)
    clean, noisy = painted(scene, size=64, noise=0.0), painted(scene)
    assert noisy.shape == (32, 32, 3)
    assert (painted(scene) == noisy).all()
    for kind, (x1, y1, x2, y2) in zip(scene.things, scene.boxes(), strict=True):
        assert 0 <= x1 < x2 <= 1
        middle = clean[int(32 * (y1 + y2)), int(32 * (x1 + x2))].astype(float)
        paints = np.array([paint for paint, _ in COLOURS.values()], float)
        assert np.abs(paints - middle).sum(axis=1).argmin() == kind // len(FORMS)


@pytest.mark.parametrize("name", NAMES)
def test_an_album_is_a_corpus(name, tmp_path):
    rows = {"train": 20, "test": 8, "shifted": 6}
    corpus = make_album(tmp_path / name, name, rows=rows)
    given, shifted = corpus.split("given"), corpus.split("shifted")
    assert (len(given.train), len(given.test), len(shifted.test)) == (20, 8, 6)
    assert (given.train == shifted.train).all()
    assert len(given.valid) == 0
    assert isinstance(corpus.task, MultiLabel) == (name == "question")
    assert make_album(tmp_path / name, name, rows=rows).fingerprint == corpus.fingerprint
    assert make_album(tmp_path / "again", name, rows=rows).fingerprint == corpus.fingerprint
    with pytest.raises(ValueError, match="another corpus"):
        make_album(tmp_path / name, name, rows=rows, seed=1)
    regions = corpus.cells("regions", given.train[:1]).values[0]
    assert (regions[0, :4] == [0, 0, 1, 1]).all()


@pytest.mark.parametrize(
    ("arguments", "words"), [({"rows": {"train": 9}}, "train, test, shifted"), ({"size": 15}, "even number")]
)
def test_what_an_album_refuses(arguments, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        make_album(tmp_path / "album", "choice", **arguments)
    with pytest.raises(ValueError, match="probability"):
        World(cue=1.5)
    assert not (tmp_path / "album").exists()
