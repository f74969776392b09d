"""Draw docs/theatre.png: eight clips of the puppet theatre, from the saddest to the gladdest.

python docs/theatre.py
"""

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from understudy.worlds.theatre import Stage, World

PICTURE = Path(__file__).parent / "theatre.png"
FACE, GAP, WORDS, COLUMNS = 208, 8, 76, 4
FELT = (-3, -2.1, -1.2, -0.3, 0.5, 1.4, 2.2, 3)


def main() -> None:
    """Of 1,000 clips those whose sentiment is nearest to FELT, one a show: a frame, what was felt, shown and rated, the line."""
    stage = Stage({"train": 1000}, 0, 0, 64, World(lost={}))
    script, shows = stage.script(), [name for name, _ in stage.names()]
    rows = -(-len(FELT) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (FACE + GAP), rows * (FACE + WORDS + GAP)), "white")
    pen, font, taken = ImageDraw.Draw(sheet), ImageFont.load_default(size=12), set[str]()
    for number, felt in enumerate(FELT):
        near = np.argsort(np.abs(script.sentiment - felt), kind="stable")
        clip = next(int(row) for row in near if shows[row] not in taken)
        taken.add(shows[clip])
        x, y = GAP // 2 + number % COLUMNS * (FACE + GAP), GAP // 2 + number // COLUMNS * (FACE + WORDS + GAP)
        sheet.paste(Image.fromarray(stage.film(script, clip)[0]).resize((FACE, FACE), Image.Resampling.NEAREST), (x, y))
        irony = ", ironic words" if script.ironic[clip] else ""
        said = [f"felt {script.sentiment[clip]:+.1f}, rated {script.label[clip]:+.1f}{irony}"]
        said += [f"face {script.face[clip]:+.1f}, voice {script.voice[clip]:+.1f}"]
        said += textwrap.wrap(f'"{script.text[clip]}"', 34)
        pen.multiline_text((x + 2, y + FACE + 4), "\n".join(said), fill="black", font=font, spacing=2)
    sheet.save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
