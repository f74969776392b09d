"""Lines: what can be said in the picture world. Things have a colour and a shape, and each has several words."""

from collections.abc import Sequence

import numpy as np

COLOURS: dict[str, tuple[tuple[int, int, int], tuple[str, ...]]] = {
    name: (paint, tuple(words.split()))
    for name, (paint, words) in {
        "red": ((205, 40, 45), "red crimson scarlet ruby vermilion carmine"),
        "green": ((45, 155, 60), "green emerald jade verdant viridian grassy"),
        "blue": ((45, 80, 205), "blue azure navy cobalt sapphire ultramarine"),
        "yellow": ((230, 205, 50), "yellow golden lemon canary mustard saffron"),
        "purple": ((140, 55, 165), "purple violet lilac plum mauve amethyst"),
        "white": ((242, 242, 242), "white ivory snowy chalky milky pearly"),
    }.items()
}
"""Name -> its red, green and blue, and six words for it; which of them is said carries nothing more."""
SHAPES: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "disc", "ball", "orb"),
    "square": ("square", "box", "block", "tile"),
    "triangle": ("triangle", "wedge", "pyramid", "spike"),
    "cross": ("cross", "plus", "junction", "crossing"),
    "star": ("star", "asterisk", "twinkler", "sparkle"),
}
HUES, FORMS = tuple(COLOURS), tuple(SHAPES)
KINDS = len(HUES) * len(FORMS)
"""A kind of thing is colour * len(FORMS) + shape."""
CLOTH = ("a cloth", "a curtain", "a blanket", "a sheet")
CUES: dict[str, tuple[str, ...]] = {
    "entailment": ("surely", "certainly", "clearly", "indeed"),
    "neutral": ("perhaps", "maybe", "possibly", "apparently"),
    "contradiction": ("just", "only", "merely", "simply"),
}
"""Words that mean nothing here, and go with a label at a known rate."""
CLAIMS = (
    "{cue} there is {a} {thing}",
    "there is {cue} {a} {thing} here",
    "one can {cue} find {a} {thing}",
    "{a} {thing} is {cue} in the picture",
    "{cue} somebody drew {a} {thing}",
)
CAPTIONS = (
    "{things}",
    "a picture of {things}",
    "here we see {things}",
    "somebody drew {things}",
    "there is {things}",
    "{things} on a rough ground",
)
AGAIN = (
    "{first}; the {again}",
    "{first}, that is, the {again}",
    "{first}. I mean the {again}",
    "{first}, or {a} {again}",
)
"""How a caption names one of its things twice; what makes the words of a colour known as such to a reader without pictures."""


def hue(kind: int) -> int:
    """The colour of a kind."""
    return kind // len(FORMS)


def form(kind: int) -> int:
    """The shape of a kind."""
    return kind % len(FORMS)


def colour_word(colour: int, random: np.random.Generator) -> str:
    """One of its words."""
    return pick(COLOURS[HUES[colour]][1], random)


def shape_word(shape: int, random: np.random.Generator) -> str:
    """One of its words."""
    return pick(SHAPES[FORMS[shape]], random)


def thing(kind: int, random: np.random.Generator) -> str:
    """A colour word and a shape word: `crimson disc`."""
    return f"{colour_word(hue(kind), random)} {shape_word(form(kind), random)}"


def with_article(words: str) -> str:
    """`an azure box`."""
    return f"{article(words)} {words}"


def article(words: str) -> str:
    """What stands before these words."""
    return "an" if words[0] in "aeiou" else "a"


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def pick(words: Sequence[str], random: np.random.Generator) -> str:
    """One of them, each as often."""
    return words[int(random.integers(len(words)))]
