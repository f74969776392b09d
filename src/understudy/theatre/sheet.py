"""Sheet: a contact sheet of a theatre, one frame a clip over what is felt, shown and said."""

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from understudy.theatre.stage import Stage
from understudy.whole import whole_file

FRAME, CAPTION, COLUMNS = 216, 76, 4


def contact_sheet(stage: Stage, path: Path | str, *, clips: int = 8) -> Path:
    """A PNG of clips that lack nothing, from the saddest to the gladdest in even steps."""
    script = stage.script()
    whole = np.flatnonzero(np.all(list(script.present.values()), axis=0))
    ranked = whole[np.argsort(script.sentiment[whole], kind="stable")]
    chosen = ranked[np.linspace(0, len(ranked) - 1, clips).astype(int)]
    rows = -(-clips // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * FRAME, rows * (FRAME + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, clip in enumerate(chosen.tolist()):
        left, top = place % COLUMNS * FRAME, place // COLUMNS * (FRAME + CAPTION)
        pictures = stage.film(script, clip)
        sheet.paste(
            Image.fromarray(pictures[len(pictures) // 2]).resize((FRAME - 8, FRAME - 8), Image.Resampling.NEAREST),
            (left + 4, top + 4),
        )
        irony = ", ironic words" if script.ironic[clip] else ""
        felt = f"felt {script.sentiment[clip]:+.1f}, rated {script.label[clip]:+.1f}{irony}"
        cues = f"face {script.face[clip]:+.1f}, voice {script.voice[clip]:+.1f}"
        said = textwrap.wrap(f'"{script.text[clip]}"', 36)
        pen.multiline_text((left + 6, top + FRAME), "\n".join([felt, cues, *said]), fill="black", font_size=11, spacing=3)
    with whole_file(Path(path)) as partial:
        sheet.save(partial, format="PNG")
    return Path(path)
