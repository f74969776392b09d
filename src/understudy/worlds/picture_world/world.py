"""World: pictures with captions, claims, questions and choices; how often the words betray the answer, and when they mislead.

The world is ours. In its three tasks the answer follows from the words and the picture together. The words alone betray it at a
known rate, by a habit that has nothing to do with the picture; on the shifted rows the same habit misleads. All of it is drawn so
that nothing else in the words or in the picture says anything: `ceilings` are therefore exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from understudy.worlds.picture_world.lines import (
    AGAIN,
    CAPTIONS,
    CLAIMS,
    CLOTH,
    CUES,
    FORMS,
    HUES,
    KINDS,
    article,
    colour_word,
    form,
    hue,
    listed,
    pick,
    shape_word,
    thing,
    with_article,
)
from understudy.worlds.picture_world.scene import COUNTS, Scene, drawn, laid, some

Name = Literal["entailment", "question", "choice"]
NAMES: tuple[Name, ...] = get_args(Name)
LABELS = ("entailment", "neutral", "contradiction")
NUMBERS, YES_NO = ("one", "two", "three"), ("yes", "no")
ANSWERS = (*HUES, *FORMS, *NUMBERS, *YES_NO)
"""All that a question can be answered with."""
CHOICES = 4
ASKED = ("colour", "shape", "number", "yes/no")
ANNOTATORS = 10
THREE = 3


@dataclass(frozen=True)
class World:
    """cue: how often a word that goes with labels goes with the right one, and the words of a question are repeated in the right
    choice; misleading: the same on shifted rows. usual: how often a question has its usual answer; on shifted rows another one is
    usual. agree: how often each of the ten annotators gives the right answer, not the one that is next to it.
    """

    cue: float = 0.6
    misleading: float = 0.1
    usual: float = 0.6
    agree: float = 0.85

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name}={value}: a probability, from 0 to 1")

    def rate(self, shifted: bool) -> float:
        return self.misleading if shifted else self.cue

    def write(self, name: Name, pictures: int, *, seed: int, shifted: bool = False) -> "Rows":
        """The rows of a task over so many pictures: two claims each, one question each, or both stages of one question each."""
        if name not in NAMES:
            raise ValueError(f"task {name!r} given; choose from {', '.join(NAMES)}")
        random = np.random.default_rng([seed, NAMES.index(name), int(shifted)])
        write: dict[Name, Callable[[World, np.random.Generator, bool], tuple[Scene, list[Row]]]] = {
            "entailment": claims,
            "question": question,
            "choice": stages,
        }
        made = [write[name](self, random, shifted) for _ in range(pictures)]
        return Rows([scene for scene, _ in made], [rows for _, rows in made])

    def usual_answers(self, shifted: bool) -> dict[str, NDArray[np.float64]]:
        """By what is asked, chances `[questions answers]`: the colour of each shape, shapes of colours, the number, yes or no."""
        step = 2 if shifted else 0
        return {
            "colour": np.stack([peaked(len(HUES), (shape + step) % len(HUES), self.usual) for shape in range(len(FORMS))]),
            "shape": np.stack([peaked(len(FORMS), (colour + step) % len(FORMS), self.usual) for colour in range(len(HUES))]),
            "number": peaked(len(NUMBERS), 1 + bool(step), self.usual)[None],
            "yes/no": peaked(len(YES_NO), int(bool(step)), self.usual)[None],
        }


@dataclass(frozen=True)
class Row:
    """words: a text, or a question and its choices. answer: index of the label or choice, or the ten annotators' answers."""

    stage: str
    words: str | tuple[str, ...]
    answer: int | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """One scene a picture, and the rows that go with it."""

    scenes: Sequence[Scene]
    of: Sequence[Sequence[Row]]


def peaked(count: int, usual: int, share: float) -> NDArray[np.float64]:
    """`share` for the usual one, the rest evenly."""
    chances = np.full(count, (1 - share) / (count - 1))
    chances[usual] = share
    return chances


def claims(world: World, random: np.random.Generator, shifted: bool) -> tuple[Scene, list[Row]]:
    """A picture, half of them with a cloth, and two claims about it.

    A third of the claims is about a thing in the picture: entailment. The others are about one that is not to be seen: neutral
    where a cloth may hide it, else a contradiction.
    """
    cloth = bool(random.random() < 0.5)
    scene = laid(some(random), cloth=cloth, random=random)
    rows = []
    for number in range(2):
        seen = random.random() < 1 / len(LABELS)
        kind = (
            scene.things[int(random.integers(len(scene.things)))]
            if seen
            else drawn(1, random, without=frozenset(scene.things))[0]
        )
        label = 0 if seen else 1 if cloth else 2
        cue = int(random.choice(len(LABELS), p=peaked(len(LABELS), label, world.rate(shifted))))
        said = thing(kind, random)
        words = pick(CLAIMS, random).format(cue=pick(CUES[LABELS[cue]], random), thing=said, a=article(said))
        rows.append(Row(f"{number}", words, label))
    return scene, rows


def question(world: World, random: np.random.Generator, shifted: bool) -> tuple[Scene, list[Row]]:
    """What is asked is drawn first, then its answer, then a picture in which that is right."""
    asked = ASKED[int(random.integers(len(ASKED)))]
    chances = world.usual_answers(shifted)[asked]
    key = int(random.integers(len(chances)))
    answer = int(random.choice(chances.shape[1], p=chances[key]))
    count = COUNTS[int(random.integers(len(COUNTS)))]
    if asked in ("colour", "shape"):
        kind = answer * len(FORMS) + key if asked == "colour" else key * len(FORMS) + answer
        alike = [k for k in range(KINDS) if (form(k) == key if asked == "colour" else hue(k) == key)]
        things = [kind, *drawn(count - 1, random, without=frozenset(alike))]
        if asked == "colour":
            words = pick(("what colour is the {}", "which colour has the {}", "the {} is of what colour"), random)
            words = words.format(shape_word(key, random))
        else:
            words = pick(("what is the {} thing", "which shape has the {} thing", "the {} thing is a what"), random)
            words = words.format(colour_word(key, random))
    elif asked == "number":
        things = drawn(answer + 1, random)
        words = pick(("how many things are there", "what number of things is here", "how many things can be seen"), random)
    else:
        things = drawn(count, random)
        kind = things[0] if answer == 0 else drawn(1, random, without=frozenset(things))[0]
        words = pick(("is there {}", "can {} be seen", "does the picture have {}"), random)
        words = words.format(with_article(thing(kind, random)))
    truth = ANSWERS.index({"colour": HUES, "shape": FORMS, "number": NUMBERS, "yes/no": YES_NO}[asked][answer])
    right = random.random(ANNOTATORS) < world.agree
    said = tuple(truth if each else beside(truth) for each in right)
    return laid(things, cloth=False, random=random), [Row("question", f"{words}?", said)]


def beside(answer: int) -> int:
    """The answer that annotators give by mistake: the next one of its kind."""
    start = 0
    for kind in (HUES, FORMS, NUMBERS, YES_NO):
        if answer < start + len(kind):
            return start + (answer - start + 1) % len(kind)
        start += len(kind)
    raise ValueError(f"answer {answer}: there are {len(ANSWERS)}")


def stages(world: World, random: np.random.Generator, shifted: bool) -> tuple[Scene, list[Row]]:
    """Three things: the question names one, the right answer another, the right reason the third; wrong choices are not there.

    One of the four choices repeats how the question called its thing, the others say "it".
    """
    things = drawn(THREE, random)
    scene = laid(things, cloth=False, random=random)
    named = thing(things[0], random)
    asked = pick(("what lies beside the {}?", "what can be seen near the {}?", "which thing goes with the {}?"), random)
    asked = asked.format(named)
    answer, reason = with_article(thing(things[1], random)), with_article(thing(things[2], random))
    found = []
    for stage, right, frame, before in (
        ("answer", answer, "{other} beside {ref}", asked),
        ("rationale", reason, "since {other} lies near {ref} too", f"{asked} {answer}."),
    ):
        wrong = [with_article(thing(kind, random)) for kind in drawn(CHOICES - 1, random, without=frozenset(things))]
        place = int(random.integers(CHOICES))
        repeats = int(random.choice(CHOICES, p=peaked(CHOICES, place, world.rate(shifted))))
        others = [*wrong[:place], right, *wrong[place:]]
        said = [frame.format(other=o, ref=f"the {named}" if n == repeats else "it") for n, o in enumerate(others)]
        found.append(Row(stage, tuple(f"{before} {each}" for each in said), place))
    return scene, found


def caption(random: np.random.Generator) -> tuple[Scene, str]:
    """A picture and what it shows, some of it named twice, in other words; for teachers."""
    scene = laid(some(random), cloth=bool(random.random() < 0.3), random=random)
    words = [with_article(thing(kind, random)) for kind in scene.things]
    for number, kind in enumerate(scene.things):
        if random.random() < 0.5:
            other = thing(kind, random)
            words[number] = pick(AGAIN, random).format(first=words[number], again=other, a=article(other))
    words = [words[int(place)] for place in random.permutation(len(words))] + ([pick(CLOTH, random)] if scene.cloth >= 0 else [])
    said = pick(CAPTIONS, random).format(things=listed(words))
    cue = pick([word for each in CUES.values() for word in each], random)
    return scene, f"{cue} {said}" if random.random() < 0.3 else said


def credit(matches: int) -> float:
    """The official VQA accuracy of an answer that so many of ten annotators gave: 0, .3, .6, .9, then 1."""
    return min(1.0, 0.3 * matches)
