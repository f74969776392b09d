"""Read a pickle of plain NumPy data without letting it run anything: arrays, scalars and builtin containers, nothing else."""

import pickle
import pickletools
import sys
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
            return _plain(_Restricted(source, encoding="latin1").load(), {})
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


class _Array:
    """Stands in for an array until all is read: NumPy's own `__setstate__` crashes on some malformed states."""

    __hash__ = None  # pyright: ignore
    value: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


def _array(content: Any, dtype: Any, shape: Any, order: str) -> NDArray[Any]:
    """From the bytes of the file; objects stand in a list."""
    if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("it holds an array without a dtype or with an impossible shape")
    if dtype.value.kind != "O":
        content = content.encode("latin1") if isinstance(content, str) else content
        flat = np.frombuffer(content, dtype.value) if len(content) else np.zeros(0, dtype.value)
        if flat.dtype.kind == "U" and (flat.view(np.dtype("u4").newbyteorder(flat.dtype.byteorder)) > sys.maxunicode).any():
            raise ValueError("it holds an array of characters that do not exist")
    else:
        flat = np.empty(len(content), object)
        for place, each in enumerate(content):
            flat[place] = each
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _plain(found: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    """The same with every stand-in replaced. done: what was seen, by identity, so that each is looked at once."""
    if not isinstance(found, (list, dict, tuple, _Array, _Dtype)):
        return found
    if id(found) in done:
        return done[id(found)][1]
    done[id(found)] = found, found
    if isinstance(found, list):
        found[:] = [_plain(each, done) for each in found]
        return found
    if isinstance(found, dict):
        found |= {key: _plain(each, done) for key, each in found.items()}
        return found
    if isinstance(found, tuple):
        result: Any = tuple(_plain(each, done) for each in found)
    else:
        result = found.value
        if result is None:
            raise ValueError("it holds an array without content")
        if isinstance(result, np.ndarray) and result.dtype.kind == "O":
            for place, each in np.ndenumerate(result):
                result[place] = _plain(each, done)
    done[id(found)] = found, result
    return result


class _Placeholder:
    """numpy.ndarray, which files name and never call."""


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    if kind is not _Placeholder or shape != (0,):
        raise ValueError(f"it holds an array of {kind!r}, which is refused: only plain arrays are read")
    return _Array()


def _frombuffer(content: Any, dtype: Any, shape: Any, order: str, *_: Any) -> _Array:
    found = _Array()
    found.value = _array(content, dtype, shape, order)
    return found


def _scalar(dtype: Any, content: Any) -> Any:
    return _array(content, dtype, (1,), "C")[0]


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
