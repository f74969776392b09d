"""Draw: the puppet's face, frame by frame.

Its cue bends the mouth, turns the brows, opens the eyes, colours the skin and decides how much the head moves. The lips open to
a rhythm of their own, not the voice's, so that a picture without sound says nothing about the voice.
"""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from understudy.worlds.theatre.script import Array

FINE = 3
"""Drawn so much larger, then averaged: smooth edges."""
CURTAIN = (191, 163, 163)
"""Red, green and blue: one theatre has one curtain. With one a show, a network learns it by heart from a hundred clips."""


@dataclass(frozen=True)
class Puppet:
    """What stays over the clips of one video and says nothing: hues in [0, 1], size of the head, distance of the eyes."""

    skin: float
    hair: float
    head: float
    eyes: float

    @staticmethod
    def drawn(random: np.random.Generator) -> "Puppet":
        """A puppet by chance."""
        return Puppet(*random.uniform([0.05, 0, 0.37, 0.14], [0.12, 1, 0.40, 0.16]).tolist())


def frames(puppet: Puppet, face: float, *, count: int, rate: int, size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """`count` frames `[T size size 3]` at `rate` a second; `face` is the cue in sentiment points."""
    cue = float(np.tanh(face / 4))
    place = random.uniform(-0.015, 0.015, size=2)
    beat, blink, lips = random.uniform(0, 1, size=3).tolist()
    pace = random.uniform(3, 5)
    drawn = []
    for frame in range(count):
        second = frame / rate
        bounce = (0.02 + 0.015 * cue) * np.sin(2 * np.pi * (2 * second + beat))
        open_ = 0.5 + 0.5 * float(np.sin(2 * np.pi * (pace * second + lips)))
        shut = (second / 1.5 + blink) % 1 < 0.06
        drawn.append(picture(puppet, cue, size=size, place=place + np.array([0, bounce]), lips=open_, shut=shut))
    return np.stack(drawn)


def picture(puppet: Puppet, cue: float, *, size: int, place: Array, lips: float, shut: bool) -> NDArray[np.uint8]:
    """One frame. cue: in (-1, 1). place: where the head's centre is, off the middle. lips: how open, in [0, 1]."""
    pixels = size * FINE
    canvas = Image.new("RGB", (pixels, pixels), CURTAIN)
    pen = ImageDraw.Draw(canvas)
    x, y = 0.5 + place[0], 0.53 + place[1]

    def oval(centre_x: float, centre_y: float, wide: float, high: float, fill: tuple[int, int, int]) -> None:
        box = [centre_x - wide, centre_y - high, centre_x + wide, centre_y + high]
        pen.ellipse([edge * pixels for edge in box], fill=fill)

    oval(x, y - 0.06, puppet.head + 0.03, puppet.head + 0.05, colour(puppet.hair, 0.4, 0.45))
    oval(x, y, puppet.head, puppet.head + 0.05, flushed(colour(puppet.skin, 0.35, 0.85), cue))
    dark, white, red = (30, 20, 30), (255, 255, 255), (170, 25, 45)
    for side in (-1, 1):
        eye, high = x + side * puppet.eyes, 0.06 + 0.025 * cue
        oval(x + side * 0.24, y + 0.07, 0.10, 0.08, colour(0.97, 0.45 + 0.4 * cue, 0.95))
        oval(eye, y - 0.08, 0.075, 0.012 if shut else high, dark if shut else white)
        if not shut:
            oval(eye, y - 0.075, 0.03, 0.03, dark)
        tilt, brow = side * 0.09 * cue, y - 0.2 - 0.04 * cue
        stroke(pen, np.array([[eye - 0.09, brow - tilt], [eye + 0.09, brow + tilt]]) * pixels, 0.045 * pixels, dark)
    along = np.linspace(-1, 1, 17)
    curve = np.stack([x + 0.22 * along, y + 0.22 - 0.2 * cue * (along**2 - 0.4)], axis=1)
    gape = np.stack([np.zeros(17), 0.04 * lips * (1 - along**2)], axis=1)
    pen.polygon([tuple(point) for point in np.concatenate([curve - gape, (curve + gape)[::-1]]) * pixels], fill=red)
    stroke(pen, (curve - gape) * pixels, 0.04 * pixels, red)
    stroke(pen, (curve + gape) * pixels, 0.04 * pixels, red)
    return np.asarray(canvas.reduce(FINE))


def flushed(skin: tuple[int, int, int], cue: float) -> tuple[int, int, int]:
    """Skin that is rosier the better the mood, and greener the worse."""
    toward = (255, 120, 120) if cue > 0 else (110, 160, 90)
    red, green, blue = (round(plain + 0.6 * abs(cue) * (end - plain)) for plain, end in zip(skin, toward, strict=True))
    return red, green, blue


def stroke(pen: ImageDraw.ImageDraw, points: Array, width: float, fill: tuple[int, int, int]) -> None:
    """A line with round joints."""
    pen.line([tuple(point) for point in points], fill=fill, width=round(width), joint="curve")


def colour(hue: float, strength: float, light: float) -> tuple[int, int, int]:
    """Red, green and blue in 0..255."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, strength, light)
    return round(255 * red), round(255 * green), round(255 * blue)
