"""Small corpora of pictures as regions: which of three texts is right, and a question with several answers."""

from pathlib import Path

import numpy as np

from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Choice, MultiLabel

COLOURS = ("red", "green", "blue", "white", "black")
FORMS = ("ball", "cube")
WIDTH = len(COLOURS) + len(FORMS)


def pictures(random: np.random.Generator, colour: np.ndarray, form: np.ndarray) -> Cells:
    """One or two regions a row, the first of which shows colour and form; a tenth of the rows have no picture."""
    values = []
    for row in range(len(colour)):
        count = 1 + row % 2
        corners = np.sort(random.uniform(0, 1, (count, 2, 2)), axis=1).reshape(count, 4)
        shown = random.normal(0, 0.3, (count, WIDTH))
        shown[0, [colour[row], len(COLOURS) + form[row]]] += 1
        values.append(np.concatenate([corners, shown], axis=1).astype(np.float32))
    here = np.arange(len(colour)) % 10 != 3
    return Cells("regions", [value if there else None for value, there in zip(values, here, strict=True)], here)


def make_choices(folder: Path, *, rows: int = 120) -> Corpus:
    """Which text names the colour in the picture; the right one is often the longer, which words alone betray."""
    random = np.random.default_rng(5)
    colour, right = random.integers(0, len(COLOURS), rows), random.integers(0, 3, rows)
    texts = []
    for row in range(rows):
        others = random.permutation([name for name in range(len(COLOURS)) if name != colour[row]])
        said = [COLOURS[others[place]] for place in range(3)]
        said[right[row]] = COLOURS[colour[row]] + (" indeed" if random.random() < 0.6 else "")
        texts.append(tuple(f"it is {each}" for each in said))
    schema = Schema(Choice(3), {"text": Modality("choices", width=3), "regions": Modality("regions", width=WIDTH)})
    targets = [None if row % 11 == 0 else int(right[row]) for row in range(rows)]
    cells = {"text": Cells("choices", texts, np.ones(rows, bool)), "regions": pictures(random, colour, colour % 2)}
    return written(folder, schema, targets, cells)


def make_answers(folder: Path, *, rows: int = 120) -> Corpus:
    """A question about colour or form; most say the true answer, some another one."""
    random = np.random.default_rng(6)
    colour, form, asked = (random.integers(0, most, rows) for most in (len(COLOURS), len(FORMS), 2))
    true = np.where(asked == 0, colour, len(COLOURS) + form)
    targets = [
        None if row % 11 == 0 else [(int(true[row]), 1.0, 0.9), (int((true[row] + 1) % WIDTH), 0.3, 0.3)] for row in range(rows)
    ]
    texts = [("what colour is it?", "what form has it?")[each] for each in asked]
    schema = Schema(
        MultiLabel(COLOURS + FORMS, entries=3), {"text": Modality("text"), "regions": Modality("regions", width=WIDTH)}
    )
    cells = {"text": Cells("text", texts, np.ones(rows, bool)), "regions": pictures(random, colour, form)}
    return written(folder, schema, targets, cells)


def written(folder: Path, schema: Schema, targets: list, cells: dict[str, Cells]) -> Corpus:
    """With the split `main`."""
    corpus = write_corpus(folder, schema, ids=[f"r{row}" for row in range(len(targets))], targets=targets, cells=cells)
    corpus.save_split(make_split(corpus, name="main", valid=0.2, test=0.3))
    return corpus
