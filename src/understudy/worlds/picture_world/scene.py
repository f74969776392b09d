"""Scene: what lies where in a picture, and how it is painted.

A picture has four places; up to three of them hold a thing, no two of one kind, and one may be covered by a cloth. Ground,
scratches, noise, size, turn and shade of a thing carry nothing.
"""

from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from understudy.worlds.picture_world.lines import COLOURS, FORMS, HUES, KINDS, form, hue

PLACES = 4
COUNTS = (1, 2, 3)
"""How many things lie in a picture, each as often."""
FINE = 2
"""Drawn so much larger, then averaged: smooth edges."""
Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """things: kinds, each with its place in 0..3 (left to right, top to bottom); cloth: the place that is covered, or -1.

    paint: seed of everything that carries nothing.
    """

    things: tuple[int, ...]
    places: tuple[int, ...]
    cloth: int
    paint: int

    def boxes(self) -> list[Box]:
        """Where each thing is painted: x1, y1, x2, y2 in shares of the picture."""
        random = np.random.default_rng([self.paint, 0])
        found = []
        for place in self.places:
            size = random.uniform(0.17, 0.22)
            x, y = (np.array([place % 2, place // 2]) + 0.5) / 2 + random.uniform(-1, 1, size=2) * (0.25 - size)
            found.append((float(x - size), float(y - size), float(x + size), float(y + size)))
        return found


def laid(things: list[int], *, cloth: bool, random: np.random.Generator) -> Scene:
    """These things at places by chance."""
    places = [int(place) for place in random.permutation(PLACES)]
    here = tuple(places[: len(things)])
    return Scene(tuple(things), here, places[-1] if cloth else -1, int(random.integers(2**31)))


def drawn(count: int, random: np.random.Generator, *, without: frozenset[int] = frozenset()) -> list[int]:
    """`count` different kinds by chance, none of `without`."""
    rest = [kind for kind in range(KINDS) if kind not in without]
    return [int(kind) for kind in random.choice(rest, count, replace=False)]


def some(random: np.random.Generator) -> list[int]:
    """One, two or three kinds by chance."""
    return drawn(COUNTS[int(random.integers(len(COUNTS)))], random)


def painted(scene: Scene, *, size: int = 32, noise: float = 14.0) -> Pixels:
    """`[size size 3]`. noise: standard deviation of each pixel in 0..255."""
    random = np.random.default_rng([scene.paint, 1])
    pixels = size * FINE
    canvas = ground(pixels, random)
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(random.integers(2, 5))):
        ends = random.uniform(0, pixels, size=4).tolist()
        pen.line(ends, fill=shade((120, 110, 100), random, 25.0), width=FINE)
    for kind, box in zip(scene.things, scene.boxes(), strict=True):
        outline = corners(FORMS[form(kind)], box, turn=float(random.uniform(-0.25, 0.25)))
        pen.polygon([(x * pixels, y * pixels) for x, y in outline], fill=shade(COLOURS[HUES[hue(kind)]][0], random, 14.0))
    if scene.cloth >= 0:
        cover(pen, scene.cloth, pixels, random)
    small = np.asarray(canvas.reduce(FINE), dtype=np.float64)
    return (small + random.normal(scale=noise, size=small.shape)).clip(0, 255).astype(np.uint8)


def ground(pixels: int, random: np.random.Generator) -> Image.Image:
    """A blotchy ground of two dull shades."""
    one, other = (np.array(shade((115, 110, 105), random, 22.0), dtype=np.float64) for _ in range(2))
    share = random.uniform(0, 1, size=(5, 5, 1))
    blotches = (share * one + (1 - share) * other).astype(np.uint8)
    return Image.fromarray(blotches).resize((pixels, pixels), Image.Resampling.BICUBIC)


def cover(pen: ImageDraw.ImageDraw, place: int, pixels: int, random: np.random.Generator) -> None:
    """A striped cloth over a place."""
    half = pixels // 2
    x, y = place % 2 * half, place // 2 * half
    dark, light = shade((80, 65, 50), random, 8.0), shade((150, 125, 95), random, 8.0)
    for stripe in range(0, half, 2 * FINE):
        fill = dark if stripe // (2 * FINE) % 2 else light
        pen.rectangle([x + stripe, y, x + stripe + 2 * FINE - 1, y + half - 1], fill=fill)


def corners(shape: str, box: Box, *, turn: float) -> list[tuple[float, float]]:
    """The outline of a shape that fills its box, turned by some radians."""
    unit = [(radius * sin(angle), -radius * cos(angle)) for angle, radius in OUTLINES[shape]]
    x1, y1, x2, y2 = box
    x, y, wide, high = (x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2, (y2 - y1) / 2
    return [(x + wide * (a * cos(turn) - b * sin(turn)), y + high * (a * sin(turn) + b * cos(turn))) for a, b in unit]


def shade(colour: tuple[int, int, int], random: np.random.Generator, spread: float) -> tuple[int, int, int]:
    """A colour near this one."""
    near = (np.array(colour) + random.normal(scale=spread, size=3)).clip(0, 255)
    return int(near[0]), int(near[1]), int(near[2])


def _round(count: int, *radii: float, start: float = 0.0) -> list[tuple[float, float]]:
    return [(start + 2 * pi * step / count, radii[step % len(radii)]) for step in range(count)]


def _plus() -> list[tuple[float, float]]:
    arm = 0.32
    points = [(arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm), (arm, 1)]
    points += [(-x, -y) for x, y in points]
    return [(float(np.arctan2(x, -y)), float(np.hypot(x, y))) for x, y in points]


OUTLINES: dict[str, list[tuple[float, float]]] = {
    "circle": _round(24, 0.95),
    "square": _round(4, 1.15, start=pi / 4),
    "triangle": _round(3, 1.15),
    "cross": _plus(),
    "star": _round(10, 1.1, 0.42),
}
"""Angle from the top in radians, distance from the middle in half sides of the box."""


def crops(scene: Scene, picture: Pixels, *, side: int = 8) -> NDArray[Any]:
    """Regions `[R 4+D]` as a detector would give them: the whole picture, then each thing (and the cloth), box and small crop."""
    boxes: list[Box] = [(0.0, 0.0, 1.0, 1.0), *scene.boxes()]
    if scene.cloth >= 0:
        x, y = scene.cloth % 2 / 2, scene.cloth // 2 / 2
        boxes.append((x, y, x + 0.5, y + 0.5))
    whole = Image.fromarray(picture)
    rows = []
    for box in boxes:
        place = tuple(edge * picture.shape[0] for edge in box)
        small = whole.resize((side, side), Image.Resampling.BILINEAR, box=(place[0], place[1], place[2], place[3]))
        rows.append(np.concatenate([np.array(box), np.asarray(small, dtype=np.float64).reshape(-1) / 255]))
    return np.stack(rows).astype(np.float32)
