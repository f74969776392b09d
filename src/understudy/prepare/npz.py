"""Npz: the arrays of a .npz file from anywhere; a fault is one ValueError that names the file."""

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Every array by its name, or those of `names` that are there, none unpickled; FileNotFoundError where there is no file."""
    try:
        # Opened here, so that a broken archive is closed, too.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files if not names or name in names}
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except (ValueError, OSError, EOFError, TypeError, RuntimeError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a .npz file of plain arrays: {error}") from None
