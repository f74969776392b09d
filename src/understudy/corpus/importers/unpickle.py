"""Read a pickle of plain NumPy data without letting it run anything: arrays, scalars and builtin containers, nothing else."""

import pickle
import pickletools
from io import BufferedReader
from pathlib import Path
from typing import Any, Never, cast

import numpy as np
from numpy.typing import NDArray

LARGEST = 32 * 2**30
"""Bytes of a file that is read at all; the largest published feature file has about 13 GB."""
PLAIN = "biufcSUO"
"""Kinds of dtype that are read: no records, no sub-arrays, no dates, whose state NumPy does not check well."""
FAULTS = (pickle.UnpicklingError, EOFError, AttributeError, ImportError, LookupError, TypeError, ValueError, ArithmeticError)


def read_pickle(path: Path | str) -> Any:
    """What the file holds, of protocol 0 to 5; ValueError names what is refused, or says that the file is cut off or damaged.

    Nothing that the file names is called: arrays, scalars and dtypes are rebuilt by the functions below from bytes of the file.
    Strings of Python 2 are read as Latin-1, as NumPy's own arrays need it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are read")
    try:
        with path.open("rb") as source:
            _scan(source)
            source.seek(0)
            return _Restricted(source, encoding="latin1").load()
    except (*FAULTS, MemoryError, RecursionError) as error:
        raise ValueError(f"{path} is not a pickle that can be read: {str(error) or type(error).__name__}") from None


def _scan(source: BufferedReader) -> None:
    """Every opcode is there, and no memo slot lies beyond the file's own: the C reader would allocate up to it."""
    for seen, (opcode, argument, _) in enumerate(pickletools.genops(source)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= cast(int, argument) <= seen:
            raise ValueError(f"memo slot {argument} after {seen} instructions")


class _Restricted(pickle.Unpickler):
    """Names lead to the functions of this file, or nowhere."""

    def find_class(self, module: str, name: str) -> Any:
        known = NUMPY.get(name) if module in NUMPY_MODULES else OTHER.get(f"{module}.{name}")
        if known is None:
            raise ValueError(f"it holds {module}.{name}, which is refused: only NumPy arrays and plain values are read")
        return known

    def persistent_load(self, pid: Any) -> Never:
        raise ValueError("it refers to objects outside the file, which is refused")


class _Dtype:
    """Stands in for numpy.dtype, whose own `__setstate__` believes whatever it is told."""

    def __init__(self, code: str, *_: Any) -> None:
        kind, size = (code[:1], code[1:]) if isinstance(code, str) else ("", "")
        if not kind or kind not in PLAIN or not size.isdecimal() or not int(size):
            raise ValueError(f"it holds the dtype {code!r}, which is refused: only plain numbers, strings and objects are read")
        self.value = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        _, order, sub_array, names, fields, *_ = state
        if sub_array is not None or names is not None or fields is not None or order not in ("<", ">", "|", "="):
            raise ValueError(f"it holds a dtype with the state {state!r}, which is refused: no records or sub-arrays are read")
        self.value = self.value.newbyteorder("=" if order == "|" else order)


class _Array(np.ndarray):
    """An array whose state is checked before NumPy sees it."""

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, fortran, content = state
        if not isinstance(dtype, _Dtype):
            raise ValueError("it holds an array without a dtype")
        content = content.encode("latin1") if isinstance(content, str) else content
        super().__setstate__((version, shape, dtype.value, bool(fortran), content))  # pyright: ignore


class _Placeholder:
    """numpy.ndarray, which files name and never call."""


def _reconstruct(kind: Any, shape: Any, code: Any) -> NDArray[Any]:
    if kind is not _Placeholder or shape != (0,):
        raise ValueError(f"it holds an array of {kind!r}, which is refused: only plain arrays are read")
    return np.ndarray.__new__(_Array, (0,), np.int8)


def _frombuffer(content: Any, dtype: _Dtype, shape: Any, order: str, *_: Any) -> NDArray[Any]:
    return np.frombuffer(content, dtype.value).reshape(shape, order="F" if order == "F" else "C")


def _scalar(dtype: _Dtype, content: Any) -> Any:
    content = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(content, dtype.value, count=1)[0]


def _encode(text: str, codec: str = "latin1") -> bytes:
    """How protocols 0 to 2 spell bytes."""
    if codec not in ("latin1", "latin-1"):
        raise ValueError(f"it holds text in the codec {codec!r}, which is refused")
    return text.encode("latin1")


def _bytes(*content: Any) -> bytes:
    """Only the empty value is spelled so."""
    if content:
        raise ValueError("it builds bytes of something, which is refused")
    return b""


NUMPY_MODULES = tuple(f"numpy{each}" for each in ("", ".core.multiarray", "._core.multiarray", ".core.numeric", "._core.numeric"))
NUMPY: dict[str, Any] = {
    "ndarray": _Placeholder,
    "dtype": _Dtype,
    "_reconstruct": _reconstruct,
    "scalar": _scalar,
    "_frombuffer": _frombuffer,
}
OTHER: dict[str, Any] = {"_codecs.encode": _encode} | {
    f"{module}.{name}": value
    for module in ("builtins", "__builtin__")
    for name, value in {"bytes": _bytes, "set": set, "frozenset": frozenset, "complex": complex}.items()
}
