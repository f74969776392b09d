"""Multiple Features: six views of 2,000 handwritten digits (UCI, R. Duin, CC BY 4.0); bundled with the package."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import make_split
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification

WIDTHS = {"pix": 240, "fou": 76, "kar": 64, "zer": 47, "mor": 6, "fac": 216}
ABOUT = {
    "name": "Multiple Features (mfeat)",
    "licence": "CC BY 4.0",
    "citation": "R. Duin. Multiple Features. UCI Machine Learning Repository. https://doi.org/10.24432/C5HC70",
    "views": "pix 15 x 16 pixels, fou Fourier, kar Karhunen-Loeve, zer Zernike, mor morphological, fac profile correlations",
    "splits": "draw-D-N: the same 800 test and 1,200 train rows, and N labelled train rows drawn by D, all stratified by digit",
}


def import_mfeat(out: Path | str, *, draws: int = 10, labels: tuple[int, ...] = (50, 100, 300)) -> Corpus:
    """The bundled set as a corpus with splits `draw-0-50` ... `draw-9-300`; valid is empty (for plans fixed in advance)."""
    with (
        files("understudy.bundled").joinpath("mfeat/mfeat.npz").open("rb") as source,
        np.load(source, allow_pickle=False) as data,
    ):
        arrays = {name: data[name] for name in data.files}
    here = np.ones(len(arrays["digit"]), bool)

    def splits(corpus: Corpus) -> Iterator[Split]:
        for draw in range(draws):
            for count in labels:
                yield make_split(corpus, name=f"draw-{draw}-{count}", valid=0.0, test=0.4, labelled=count, draw=draw)

    return write_corpus(
        out,
        Schema(
            Classification(classes=tuple("0123456789")), {m: Modality("vector", width=w) for m, w in WIDTHS.items()}, about=ABOUT
        ),
        ids=[f"digit-{row:04d}" for row in range(len(here))],
        targets=arrays["digit"],
        cells={name: Cells("vector", arrays[name].astype(np.float32), here) for name in WIDTHS},
        splits=splits,
    )
