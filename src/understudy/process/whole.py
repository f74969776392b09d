"""Whole or not at all: how every file and folder of this package reaches the disk, and how it is known again. Torch-free."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; once on disk it replaces `path`, which after any error (a full disk too) is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = beside(path)
    try:
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """The same for a new folder; ValueError where `folder` exists already."""
    if folder.exists() or folder.is_symlink():
        raise ValueError(f"{folder} exists already; give another folder, or remove it first")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = beside(folder)
    partial.mkdir()
    try:
        yield partial
        for path in [*partial.rglob("*"), partial]:
            sync(path)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync(folder.parent)


def write_text(path: Path, text: str) -> None:
    """UTF-8 text in a file."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """A JSON document that any parser reads: NaN is refused, so that callers say null."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; ValueError that names a file which is damaged or holds something else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object")
    return document


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def beside(path: Path) -> Path:
    """A hidden name in the same folder, so that the rename stays on one file system. The ending stays: some writers ask it."""
    return path.with_name(f".{path.stem}.partial-{uuid4().hex[:8]}{path.suffix}")


def sync(path: Path) -> None:
    """Return when this file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
