"""Header: what store.json says of a store, and whether a document says it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from understudy.process.whole import read_json

Codec = Literal["float32", "float16", "int8"]
Fingerprint = dict[str, str]
"""teacher: hash of its weights; corpus: of its rows; preprocessing: the teacher's views; augmentation: always none so far."""
FORMAT = "understudy store 1"
FILE = "store.json"


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
    if document.pop("format", None) != FORMAT or NEEDED - set(document):
        raise ValueError(f"{path} is no {FORMAT!r}; make the store again")
    wrong = [name for name, value in document.items() if name not in PARTS or not PARTS[name](value)]
    if wrong:
        raise ValueError(f"{path} is damaged: {', '.join(wrong)}; make the store again")
    shards = [Shard(**shard) for shard in document.pop("shards")]
    return Header(**document, shards=shards)


def refuse_other(folder: Path, found: Mapping[str, str], expect: Mapping[str, str]) -> None:
    """ValueError that names every entry in which a store is not the expected one."""
    unknown = [name for name in expect if name not in found]
    if unknown:
        raise ValueError(f"a store's fingerprint has {', '.join(found)}; asked for {', '.join(unknown)}")
    differ = [f"{name} is {found[name]!r}, expected {wanted!r}" for name, wanted in expect.items() if found[name] != wanted]
    if differ:
        raise ValueError(f"store {folder} is stale or foreign: {'; '.join(differ)}; make it again in a new folder")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _each(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(of, value))


def _named(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(of, value.values()))


def _shard(value: Any) -> bool:
    """A file of this folder, its counts, and its size and sum where they were written."""
    if not isinstance(value, dict) or not {"file", "rows", "valid"} <= set(value) <= set(Shard.__dataclass_fields__):
        return False
    sealed = _count(value.get("bytes", 0)) and _text(value.get("sha256", ""))
    plain = _text(value["file"]) and Path(value["file"]).name == value["file"] != ""
    return plain and _count(value["rows"]) and _count(value["valid"]) and sealed


PARTS: dict[str, Callable[[Any], bool]] = {
    "fingerprint": _named(_text),
    "task": lambda value: isinstance(value, dict),
    "modalities": _each(_text),
    "codec": lambda value: value in get_args(Codec),
    "widths": _named(_count),
    "ragged": _named(_count),
    "shapes": _named(_each(_count)),
    "error": _named(_named(_number)),
    "shards": _each(_shard),
}
"""Entry -> whether it can be what was written."""
NEEDED = {"fingerprint", "task", "modalities", "codec", "widths", "shards"}
"""The others are younger."""
