"""Document: JSON as text, and whether a document holds what it should. Standard library only."""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

Shape = Any
"""What a document holds, written as the document is: a type (str, bool, int, float), or a str or None that stands for itself;
`[shape]` a list of such values; a dict what its entries are: `"name"` must be there, `"name?"` may be, `...` is every other one
(others are let be where no `...` stands); a tuple means any of these, an empty one nothing. Numbers are finite.
"""
SURROGATE = re.compile(r"\\u[dD]")
"""Where an escape may be half of a character, which no UTF-8 file can hold."""


def parsed(text: str, *, halves: bool = False) -> Any:
    """What the text says; ValueError where it is not JSON, nested without end, names one entry twice, or holds half a character.

    halves: take those, for a caller who names where they stand.
    """
    try:
        found = json.loads(text, object_pairs_hook=distinct)
        if SURROGATE.search(text) and not halves:
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested without end") from None
    return found


def distinct(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of them; of two with one name, JSON readers would drop one in silence."""
    found = dict(entries)
    if len(found) < len(entries):
        name, _ = Counter(name for name, _ in entries).most_common(1)[0]
        raise ValueError(f"two entries of one object are called {name!r}")
    return found


def misfit(value: Any, shape: Shape, where: str = "") -> str:
    """Where a value is not of a shape, and what was expected there; "" where all of it is."""
    if isinstance(shape, tuple):
        found = [misfit(value, each, where) for each in shape]
        # Of several shapes, the one that says where inside it is wrong.
        return "" if "" in found else max(found, key=len, default=f"{where} is not known here")
    if isinstance(shape, list):
        if not isinstance(value, list | tuple):
            return expected(value, "a list", where)
        return first(misfit(each, shape[0], f"{where}[{place}]") for place, each in enumerate(value))
    if isinstance(shape, dict):
        return first(misfits(value, shape, where)) if isinstance(value, dict) else expected(value, "an object", where)
    if isinstance(shape, type):
        return "" if is_one(value, shape) else expected(value, NAMES[shape], where)
    return "" if type(value) is type(shape) and value == shape else expected(value, repr(shape), where)


def misfits(value: dict[str, Any], shape: dict[Any, Shape], where: str) -> Iterator[str]:
    """Of each entry of an object, how it does not fit."""
    named = {name.removesuffix("?"): of for name, of in shape.items() if name is not ...}
    for name in shape:
        if name is not ... and not name.endswith("?") and name not in value:
            yield f"{where or 'it'} lacks {name!r}"
    for name, each in value.items():
        if name in named or ... in shape:
            yield misfit(each, named.get(name, shape.get(...)), f"{where}.{name}" if where else name)


def first(found: Iterable[str]) -> str:
    """The first that says anything."""
    return next(filter(None, found), "")


NAMES = {str: "text", bool: "true or false", int: "a whole number from 0 on", float: "a number"}


def is_one(value: Any, kind: type) -> bool:
    """Whether a value is a text, a truth value, a count that fits 64 bits or a finite number."""
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return isinstance(value, kind)


def expected(value: Any, what: str, where: str) -> str:
    """What stands there, and what should."""
    return f"{where or 'it'} is {json.dumps(value, default=str)[:40]}; expected {what}"


def refuse_misfit(value: Any, shape: Shape, what: str) -> None:
    """ValueError where a part of a document, called `what`, is not of a shape."""
    if said := misfit(value, shape):
        raise ValueError(f"{what} cannot be read: {said}")
