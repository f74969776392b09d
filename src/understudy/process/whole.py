"""Whole or not at all: how every file and folder of this package reaches the disk, and how it is known again. Torch-free."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from understudy.process.document import Shape, misfit, parsed
from understudy.process.partial import begun, sweep

CHECKSUMS = "checksums.json"
"""The SHA-256 of the files beside it."""
SUMS: Shape = {...: str}
TAKES_NO_MORE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""Of a disk; such an error often names no file."""


class Unwritable(OSError):
    """A file or folder that was asked for cannot be written; it is as it was before."""


@contextmanager
def writing(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Inside, what goes wrong with writing is said of `path`, the name that was asked for, never of `partial`; Unwritable."""
    told = str(partial or path)
    try:
        yield
    except OSError as error:
        named = str(error.filename or "")
        ours = told in str(error) or (partial is None and named and told.startswith(named))
        if not ours and error.errno not in TAKES_NO_MORE:
            raise
        if isinstance(error, Unwritable):
            raise Unwritable(str(error).replace(told, str(path))) from error
        reason = os.strerror(error.errno) if error.errno else str(error).replace(told, str(path))
        raise Unwritable(f"{path} cannot be written: {reason}") from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; once on disk it replaces `path`, which after any error (a full disk too) is as it was."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        partial, held = begun(path, Path.touch)
    try:
        with writing(path, partial):
            yield partial
            sync(partial)
            partial.replace(path)
            sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)
        held.release()


@contextmanager
def summed_file(path: Path) -> Iterator[Path]:
    """`whole_file`, and just before it its SHA-256 in checksums.json beside it: a kill leaves no file without its sum."""
    with whole_file(path) as partial:
        yield partial
        sync(partial)
        note = path.parent / CHECKSUMS
        write_json(note, (read_json(note, SUMS) if note.is_file() else {}) | {path.name: sha256(partial)})


def refuse_changed(path: Path) -> None:
    """ValueError where a file is not the one that was written here. One without a recorded sum, as earlier versions wrote them,
    is taken as it is.
    """
    note = path.parent / CHECKSUMS
    recorded = read_json(note, SUMS).get(path.name) if note.is_file() else None
    if recorded not in (None, sha256(path)):
        raise ValueError(
            f"{path} is not the file that was written here: its SHA-256 is not the one in {CHECKSUMS}; "
            f"put that file back, or remove {path.parent} and make it again"
        )


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """The same for a new folder; ValueError where `folder` exists already, or another process is about to write it."""
    if folder.exists() or folder.is_symlink():
        raise ValueError(f"{folder} exists already; give another folder, or remove it first")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        if sweep(folder):
            raise ValueError(f"another process is writing {folder}; wait until it ends, end it, or give another folder")
        partial, held = begun(folder, Path.mkdir)
    try:
        with writing(folder, partial):
            yield partial
            for path in [*partial.rglob("*"), partial]:
                sync(path)
            partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        held.release()
    sync(folder.parent)


def write_text(path: Path, text: str) -> None:
    """UTF-8 text in a file."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """A JSON document that any parser reads: NaN is refused, so that callers say null."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path, shape: Shape | None = None) -> dict[str, Any]:
    """A JSON object; ValueError that names a file which is damaged, nested without end, or not of its shape."""
    refuse_endless(path)
    try:
        document = parsed(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if said := misfit(document, shape or {}):
        raise ValueError(f"{path} is damaged: {said}")
    return document


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    refuse_endless(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_endless(path: Path) -> None:
    """ValueError for a folder, or a pipe or device, which may never end: whoever opens it waits."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a plain file; put the file itself there")


def refuse_cut(path: Path, size: int) -> None:
    """ValueError where a file that is mapped is no longer of the size it had: reading on would end the process at once."""
    try:
        now = path.stat().st_size
    except FileNotFoundError:
        # Removed or replaced: what was opened is still there for whoever has it open.
        return
    if now < size:
        raise ValueError(f"{path} was cut from {size} to {now} bytes while it was in use; write it again, then start again")


def sync(path: Path) -> None:
    """Return when this file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
