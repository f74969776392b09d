"""Draw docs/picture_world.png: eight pictures of the picture world, with what is said, asked and chosen about them.

python docs/picture_world.py
"""

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from understudy.worlds.picture_world import World, caption, painted
from understudy.worlds.picture_world.scene import Scene
from understudy.worlds.picture_world.world import ANSWERS, LABELS, Row

PICTURE = Path(__file__).parent / "picture_world.png"
SIDE, GAP, WORDS, COLUMNS = 208, 8, 84, 4


def claim(row: Row) -> str:
    """A claim and its label."""
    assert isinstance(row.answer, int)
    return f'claim: "{row.words}": {LABELS[row.answer]}'


def question(row: Row) -> str:
    """A question and what its annotators said."""
    assert isinstance(row.answer, tuple)
    counts = sorted(((row.answer.count(each), ANSWERS[each]) for each in set(row.answer)), reverse=True)
    return f'question: "{row.words}" ' + ", ".join(f"{count} x {name}" for count, name in counts)


def choice(row: Row) -> str:
    """A question, its right answer and a wrong one."""
    assert isinstance(row.answer, int)
    asked, _, right = row.words[row.answer].partition("? ")
    wrong = row.words[(row.answer + 1) % len(row.words)].partition("? ")[2]
    return f'choice: "{asked}?" right: {right}; wrong: {wrong}'


def examples() -> list[tuple[Scene, str]]:
    """Two captions, and two pictures of each task."""
    random, world = np.random.default_rng(4), World()
    found = [(scene, f'caption: "{words}"') for scene, words in (caption(random) for _ in range(2))]
    made = world.write("entailment", 2, seed=9)
    found += [(scene, "\n".join(map(claim, rows))) for scene, rows in zip(made.scenes, made.of, strict=True)]
    made = world.write("question", 2, seed=3)
    found += [(scene, question(rows[0])) for scene, rows in zip(made.scenes, made.of, strict=True)]
    made = world.write("choice", 2, seed=2)
    return found + [(scene, choice(rows[0])) for scene, rows in zip(made.scenes, made.of, strict=True)]


def main() -> None:
    """The sheet."""
    shown = examples()
    rows = -(-len(shown) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (SIDE + GAP), rows * (SIDE + WORDS + GAP)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for number, (scene, words) in enumerate(shown):
        x, y = GAP // 2 + number % COLUMNS * (SIDE + GAP), GAP // 2 + number // COLUMNS * (SIDE + WORDS + GAP)
        sheet.paste(Image.fromarray(painted(scene)).resize((SIDE, SIDE), Image.Resampling.NEAREST), (x, y))
        lines = [line for part in words.split("\n") for line in textwrap.wrap(part, 36)]
        pen.multiline_text((x + 2, y + SIDE + 4), "\n".join(lines), fill="black", font=font, spacing=2)
    sheet.save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
