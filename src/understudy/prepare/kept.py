"""Kept: what a frozen encoder said of a cell, on disk by the cell's content, so that it is asked once."""

import hashlib
import sqlite3
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PATIENCE = 60.0
"""Seconds that a process waits for another one's write."""
TOGETHER = 500
"""Keys of one question."""


class Kept:
    """A file of numbers by key, which several processes may read and write; what one was killed over is asked again.

    OSError where the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._new = path, list[tuple[bytes, bytes]]()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = sqlite3.connect(path, timeout=PATIENCE)
            self._file.execute("create table if not exists said (key blob primary key, numbers blob) without rowid")
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}; remove it, and it is made anew") from None

    def get(self, keys: Collection[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Those that are there, flat."""
        wanted, found = list(keys), {}
        for start in range(0, len(wanted), TOGETHER):
            some = wanted[start : start + TOGETHER]
            marks = ",".join("?" * len(some))
            try:
                rows = self._file.execute(f"select key, numbers from said where key in ({marks})", some).fetchall()
            except sqlite3.Error as error:
                raise OSError(f"{self.path}: {error}; remove it, and it is made anew") from None
            found |= {key: np.frombuffer(numbers, dtype="<f4") for key, numbers in rows}
        return found

    def put(self, key: bytes, numbers: NDArray[np.float32]) -> None:
        """Written when the file is closed: a lock is held for no longer than that takes."""
        self._new.append((key, numbers.astype("<f4").tobytes()))

    def close(self) -> None:
        """Everything is on disk."""
        try:
            self._file.executemany("insert or ignore into said values (?, ?)", self._new)
            self._file.commit()
            self._file.close()
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: {error}") from None


def digest(value: NDArray[np.generic]) -> bytes:
    """A key for what a cell holds: its numbers, their kind and how they lie."""
    about = f"{value.dtype.str}{value.shape}".encode()
    return hashlib.blake2b(about + np.ascontiguousarray(value).tobytes(), digest_size=16).digest()
