"""HDF5 files of features: faults name the file, and only arrays that lie in the file itself are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

LARGEST = 2**33
"""Bytes of one array."""
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
    if lies_elsewhere(found):
        raise ValueError(f"{key!r} lies in another file, which is refused")
    if exceeds(found, LARGEST):
        raise ValueError(f"{key!r} of shape {found.shape} has more than {LARGEST:,} bytes")
    return found[()]


def lies_elsewhere(array: Any) -> bool:
    """Whether an array's numbers are in another file than itself."""
    return bool(array.external or array.is_virtual)


def exceeds(array: Any, largest: int) -> bool:
    """Whether an array, read whole, has more than `largest` bytes, or no size at all."""
    return array.size is None or array.size * array.dtype.itemsize > largest
