"""Header: what store.json says of a store, and whether a document says it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from understudy.process.document import Shape, misfit
from understudy.process.whole import read_json

Codec = Literal["float32", "float16", "int8"]
Fingerprint = dict[str, str]
"""teacher: hash of its weights; corpus: of its rows; preprocessing: the teacher's views; augmentation: always none so far."""
FORMAT = "understudy store 1"
FILE = "store.json"


SHARD: Shape = {"file": str, "rows": int, "valid": int, "bytes?": (int, None), "sha256?": (str, None), ...: ()}
DOCUMENT: Shape = {
    "fingerprint": {...: str},
    "task": {"kind": str},
    "modalities": [str],
    "codec": get_args(Codec),
    "widths": {...: int},
    "ragged?": {...: int},
    "shapes?": {...: [int]},
    "error?": {...: {...: float}},
    "shards": [SHARD],
    ...: (),
}
"""Entries that may lack are younger than the first stores."""


@dataclass(frozen=True)
class Shard:
    """A file of answers: rows, how many of them the teacher could answer, bytes and SHA-256, None in stores of before these."""

    file: str
    rows: int
    valid: int
    bytes: int | None = None
    sha256: str | None = None


@dataclass
class Header:
    """What the answers are answers to, how they are kept and in which files.

    task: as JSON. widths: numbers a row of each column; ragged: numbers a step; shapes: of features. error: the codec's largest
    and mean absolute error by column.
    """

    fingerprint: Fingerprint
    task: dict[str, Any]
    modalities: list[str]
    codec: Codec
    widths: dict[str, int] = field(default_factory=dict)
    ragged: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    error: dict[str, dict[str, float]] = field(default_factory=dict)
    shards: list[Shard] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT} | asdict(self)


def read_header(folder: Path) -> Header:
    """store.json, checked; FileNotFoundError without one, ValueError that names what in it is not as it was written."""
    path = folder / FILE
    if not path.exists():
        raise FileNotFoundError(f"no store at {folder} (it has no {FILE}); make one with `understudy store`")
    document = read_json(path)
    if document.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is no {FORMAT!r}; make the store again")
    if said := misfit(document, DOCUMENT):
        raise ValueError(f"{path} is damaged: {said}; make the store again")
    shards = [Shard(**shard) for shard in document.pop("shards")]
    for shard in shards:
        if Path(shard.file).name != shard.file:
            raise ValueError(f"{path} is damaged: shards: {shard.file!r} is not in its folder; make the store again")
    return Header(**document, shards=shards)


def refuse_other(folder: Path, found: Mapping[str, str], expect: Mapping[str, str]) -> None:
    """ValueError that names every entry in which a store is not the expected one."""
    unknown = [name for name in expect if name not in found]
    if unknown:
        raise ValueError(f"a store's fingerprint has {', '.join(found)}; asked for {', '.join(unknown)}")
    differ = [f"{name} is {found[name]!r}, expected {wanted!r}" for name, wanted in expect.items() if found[name] != wanted]
    if differ:
        raise ValueError(f"store {folder} is stale or foreign: {'; '.join(differ)}; make it again in a new folder")
