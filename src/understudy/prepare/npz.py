"""Arrays of .npy and .npz files from anywhere: none is unpickled, none larger than its file; a fault is one ValueError."""

import struct
import zlib
from io import BufferedIOBase
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

PLAIN = (ValueError, OSError, EOFError, TypeError, RuntimeError, SyntaxError, MemoryError, OverflowError)
FAULTS = (*PLAIN, TokenError, BadZipFile, zlib.error, struct.error)
"""What a file that is no array may raise while it is read: of its header, of an archive, of what is packed in it."""


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Every array of a .npz by its name, or those of `names` that are there; FileNotFoundError where there is no file."""
    # A device or a pipe may never end.
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with path.open("rb") as opened, ZipFile(opened) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            found: dict[str, NDArray[Any]] = {}
            for name, member in members.items():
                if not names or name in names:
                    with archive.open(member) as packed:
                        found[name] = read_array(packed, member.file_size)
            return found
    except FAULTS as error:
        raise ValueError(f"{path} is not a .npz file of plain arrays: {error}") from None


def read_array(opened: IO[bytes] | BufferedIOBase, size: int) -> NDArray[Any]:
    """The array of an open .npy of that many bytes; ValueError, before any memory is taken, where it claims to be larger."""
    shape, _, dtype = header_of(opened)
    bytes_claimed = dtype.itemsize * int(np.prod(shape, dtype=object))
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never unpickled")
    if bytes_claimed > size:
        raise ValueError(f"its header claims {bytes_claimed:,} bytes of numbers, the file has {size:,}")
    opened.seek(0)
    return npy.read_array(opened, allow_pickle=False)


def header_of(opened: IO[bytes] | BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type that a .npy claims."""
    version = npy.read_magic(opened)
    if version == (1, 0):
        return npy.read_array_header_1_0(opened)
    # Version 3 differs from 2 in how names of fields are encoded, and arrays of fields are refused by who reads them.
    return npy.read_array_header_2_0(opened)
