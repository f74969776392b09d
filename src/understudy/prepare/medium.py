"""Medium: a picture, sound or video as a cell of a table holds it, a path or the bytes of a file; and which of them bytes are."""

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path

import pyarrow as pa

from understudy.prepare.cells import ENDINGS, Kind

Medium = Path | bytes
LOOKED_AT = 100
"""Cells that say what a column holds."""
BEGINNINGS: tuple[tuple[Kind, tuple[bytes, ...]], ...] = (
    ("image", (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"BM")),
    ("audio", (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    ("video", (b"\x1aE\xdf\xa3",)),
)
RIFF: dict[bytes, Kind] = {b"WEBP": "image", b"WAVE": "audio", b"AVI ": "video"}
FTYP: dict[bytes, Kind] = {b"avif": "image", b"M4A ": "audio"}
"""Of files whose bytes 4 to 8 are ftyp, what those behind say; others are video."""


def called(medium: Medium) -> str:
    """In messages."""
    return str(medium) if isinstance(medium, Path) else f"what the cell holds ({len(medium)} bytes)"


def opened(medium: Medium) -> Path | BytesIO:
    """For a library that takes a path or a file."""
    return medium if isinstance(medium, Path) else BytesIO(medium)


def kind_of(content: bytes) -> Kind | None:
    """Which kind of file begins so; None for one that is unknown."""
    if content[:4] == b"RIFF":
        return RIFF.get(content[8:12])
    if content[4:8] == b"ftyp":
        return FTYP.get(content[8:12], "video")
    return next((kind for kind, begins in BEGINNINGS if content.startswith(begins)), None)


def holds_files(kind: pa.DataType) -> bool:
    """Whether an Arrow type is that of files: bytes, or as Hugging Face keeps media, `bytes` and `path` of each."""
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and kind.get_field_index("path") >= 0
    checks = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(check(kind) for check in checks)


def media(column: pa.Array | pa.ChunkedArray, folder: Path) -> Iterator[Medium | None]:
    """The medium of each row of such a column; a path is relative to `folder`, where it is not whole."""
    for cell in column:
        value = cell.as_py()
        if isinstance(value, dict):
            value = folder / value["path"] if value["bytes"] is None and value["path"] else value["bytes"]
        yield value or None


def kind_in(column: pa.ChunkedArray) -> Kind | None:
    """The kind of media that a column holds, by its first ones; None where they are not all of one kind."""
    if not holds_files(column.type):
        return None
    found: set[Kind | None] = set()
    for medium in islice(filter(None, media(column, Path())), LOOKED_AT):
        if isinstance(medium, Path):
            found.add(next((kind for kind, known in ENDINGS.items() if medium.suffix.lower() in known), None))
        else:
            found.add(kind_of(medium))
    return found.pop() if len(found) == 1 else None
