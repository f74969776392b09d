"""Modality and Cells: what one column of samples is, and a handful of its rows in memory. Torch-free."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.prepare.texts import Texts
from understudy.process.document import Shape, refuse_misfit

Kind = Literal["vector", "table", "sequence", "text", "choices", "image", "regions", "audio", "video"]
KINDS: tuple[str, ...] = get_args(Kind)
TEXTS = ("text", "choices")
"""Kinds whose cells are words: one text, or several to choose from."""
PICTURES = ("image", "regions")
SHARED = ("sequence", "image", "regions", "audio", "video")
"""Kinds whose cells rows may share."""
ENDINGS: dict[Kind, tuple[str, ...]] = {
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    "audio": (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a"),
    "video": (".mp4", ".mkv", ".avi", ".mov", ".webm"),
}
"""Endings of files that a cell may name, by the kind that they are read as."""
MODALITY: Shape = {
    "kind": str,
    "width?": int,
    "columns?": {...: ("number", "category")},
    "rate?": int,
    "double?": bool,
    "shared?": bool,
    "source?": [str],
    ...: (),
}


@dataclass(frozen=True)
class Modality:
    """One modality of a corpus or of a shipped student.

    width: features of a vector, of each step of a sequence or of each region; the number of choices.
    columns: of a table, column -> "number" | "category"; the parts of a date column are numbers, called `COLUMN.PART` (`dates`).
    rate: samples a second of audio. source: the column names it came from in the user's table, read again by `predict`.
    double: numbers of vectors, sequences and regions are float64, since float32 would blur them, as it does times in seconds.
    shared: rows that have the same medium or the same features point to one, which a corpus holds once and reads once.
    """

    kind: Kind
    width: int = 0
    columns: Mapping[str, Literal["number", "category"]] = field(default_factory=dict)
    rate: int = 0
    double: bool = False
    shared: bool = False
    source: tuple[str, ...] = ()

    @property
    def dtype(self) -> type[np.float32] | type[np.float64]:
        """Of a vector's, a sequence's and a region's numbers."""
        return np.float64 if self.double else np.float32

    def to_json(self) -> dict[str, Any]:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items() if v}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Modality":
        refuse_misfit(document, MODALITY, "the modality")
        if document["kind"] not in KINDS:
            raise ValueError(f"unknown modality kind {document['kind']!r}; known: {', '.join(KINDS)}")
        return Modality(**{**document, "source": tuple(document.get("source", ()))})


@dataclass(frozen=True, eq=False)
class Cells:
    """N cells of one modality. `values` by kind, filler where not present:

    vector    float32 array [N D] (float64 of a `double` modality), NaN = one missing number inside a present row
    table     {column: float64 array [N] with NaN missing | object array [N] of str or None}
    sequence  list of float32 arrays [T D]      text   list of str
    choices   list of tuples of K str           audio  list of float32 arrays [T], mono in [-1, 1]
    image     list of uint8 arrays [H W C]      video  list of bytes, each one whole encoded file (mp4, webm, avi, mov)
    regions   list of float32 arrays [R 4+D]: a box x1 y1 x2 y2 in shares of the picture's width and height, then features
    Ragged kinds hold None where absent.
    """

    kind: Kind
    values: Any
    present: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: NDArray[np.intp] | Sequence[int]) -> "Cells":
        """These rows, in this order."""
        rows = np.asarray(rows)
        if self.kind == "vector":
            values = self.values[rows]
        elif self.kind == "table":
            values = {name: column[rows] for name, column in self.values.items()}
        elif isinstance(self.values, Texts):
            values = Texts(self.values.array.take(pa.array(rows)))
        else:
            values = [self.values[int(row)] for row in rows]
        return Cells(self.kind, values, self.present[rows])
