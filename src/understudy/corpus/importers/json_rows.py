"""JSON and JSON lines of published sets, plain or gzipped: every fault names the file and the line or entry."""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from understudy.process import document

Row = dict[str, Any]


@contextmanager
def opened_text(path: Path) -> Iterator[IO[str]]:
    """A UTF-8 file, unpacked where its name ends in .gz; any fault in it is a ValueError that names the file."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as opened:
            yield opened
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def read_json(path: Path) -> Any:
    """A whole document."""
    with opened_text(path) as opened:
        return parsed(opened.read(), str(path))


def read_lines(path: Path) -> Iterator[tuple[str, Row]]:
    """Each object of a file of JSON lines, with where it stands: `val.jsonl, line 3`."""
    with opened_text(path) as opened:
        for number, line in enumerate(opened, start=1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            found = parsed(line, where)
            if not isinstance(found, dict):
                raise ValueError(f"{where}: {type(found).__name__} given; expected an object")
            yield where, found


def parsed(text: str, where: str) -> Any:
    """What the text says; ValueError where it is not JSON, or holds a number or half a character that nothing can keep."""
    try:
        return document.parsed(text)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON: {error}") from None


def existing(*paths: Path) -> Path:
    """The first of these files that is there; FileNotFoundError names them."""
    for path in paths:
        if path.is_file():
            return path
    raise FileNotFoundError(f"no file {' or '.join(map(str, paths))}")


def field(row: Mapping[str, Any], name: str, kind: type | tuple[type, ...], where: str) -> Any:
    """A field of the right type; true and false are no numbers."""
    found = row.get(name)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        said = "is missing" if name not in row else f"is {str(found)[:60]!r}"
        raise ValueError(f"{where}: {name!r} {said}; expected {' or '.join(each.__name__ for each in kinds)}")
    return found


def check_kept(path: Path | str | None, kept: Set[str], known: Set[str], *, what: str) -> None:
    """ValueError for an id of the file that is none of the train rows'."""
    unknown = kept - known
    if unknown:
        raise ValueError(f"{path}: {min(unknown)!r} is no {what}")


def read_ids(path: Path) -> tuple[str, ...]:
    """One id a line, with or without a last newline, in the order of the file; each once. Ids stay strings."""
    with opened_text(path) as opened:
        found = tuple(line.strip() for line in opened if line.strip())
    twice = next((each for each, count in Counter(found).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{path}: id {twice!r} stands twice")
    if not found:
        raise ValueError(f"{path} holds no ids; expected one a line")
    return found
