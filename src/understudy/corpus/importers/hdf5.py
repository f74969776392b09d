"""HDF5 files of features: faults name the file, and only arrays that lie in the file itself are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 2**33
"""Bytes of one array."""
PACKED = 1032
"""Bytes that deflate makes of one at most (zlib's documentation): what claims more beside its stored bytes is not there."""
SHOWN = 8
"""Keys that an error names."""


@contextmanager
def opened_hdf5(path: Path, *, holds: str) -> Iterator[Any]:
    """The open file; ValueError where it is damaged. holds: what it should, said where there is none."""
    import h5py

    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; it holds {holds}")
    try:
        with h5py.File(path, "r") as opened:
            yield opened
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as HDF5: {error}") from None


def read_array(opened: Any, key: str) -> NDArray[Any]:
    """One array of the file itself; a link, or data that lies in another file, is refused."""
    import h5py

    found = opened.get(key)
    if not isinstance(found, h5py.Dataset) or not isinstance(opened.get(key, getlink=True), h5py.HardLink):
        names = list(opened)
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        raise ValueError(f"it has no array {key!r}; it holds {shown or 'nothing'}")
    return stored(found, repr(key), LARGEST)


def stored(array: Any, what: str, largest: int) -> NDArray[Any]:
    """The numbers that lie in the file itself. ValueError, before any memory is taken, where they are in another file, are more
    than `largest` bytes or were never written: the bytes that are stored decide, not the shape that is claimed.
    """
    if array.external or array.is_virtual:
        raise ValueError(f"{what} lies in another file, which is refused")
    if array.size is None:
        return np.zeros((0, 0))
    claimed, held = array.size * array.dtype.itemsize, min(array.id.get_storage_size(), Path(array.file.filename).stat().st_size)
    if claimed > largest:
        raise ValueError(f"{what} of shape {array.shape} has more than {largest:,} bytes")
    if claimed > PACKED * held:
        raise ValueError(f"{what} of shape {array.shape} claims {claimed:,} bytes, of which the file holds {held:,}")
    return array[()]
