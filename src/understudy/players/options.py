"""Settings by name: what a method can be told, and whether a value can be meant."""

import inspect
import math
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from understudy.methods import CATALOGUE


def options_of(method: str) -> dict[str, inspect.Parameter]:
    """A method's own options: the keyword-only arguments of its constructor."""
    found = inspect.signature(CATALOGUE[method]).parameters
    return {name: each for name, each in found.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def whole_options(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of a method: those given, and the defaults of its constructor; ValueError for one that it does not take."""
    known = options_of(method)
    told = typed(method, given, {name: each.annotation for name, each in known.items()})
    return {name: each.default for name, each in known.items()} | told


def typed(what: str, given: Mapping[str, Any], allowed: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with whole numbers as floats where a float is meant; ValueError for an unknown name or a value of another type."""
    wrong = [name for name in given if name not in allowed]
    if wrong:
        raise ValueError(f"{what} has no {', '.join(wrong)}; it has {', '.join(allowed) or 'nothing to set'}")
    found = {}
    for name, value in given.items():
        if not accepts(allowed[name], value):
            raise ValueError(f"{what}: {name} is {value!r}; expected {in_words(allowed[name])}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{what}: {name} is {value!r}; expected a finite number")
        found[name] = float(value) if allowed[name] is float else value
    return found


WORDS = {float: "a number", int: "a whole number", bool: "True or False", str: "a text", NoneType: "None", None: "None"}


def in_words(annotation: Any) -> str:
    """What a value that fits a plain annotation is, in the words of an error."""
    origin = get_origin(annotation)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, get_args(annotation)))
    if origin in (Union, UnionType):
        return " or ".join(map(in_words, get_args(annotation)))
    return WORDS.get(annotation) or inspect.formatannotation(annotation)


def accepts(annotation: Any, value: object) -> bool:
    """Whether a value fits a plain annotation: a type, a Literal or a union of these."""
    origin = get_origin(annotation)
    if origin is Literal:
        return value in get_args(annotation)
    if origin in (Union, UnionType):
        return any(accepts(each, value) for each in get_args(annotation))
    if annotation in (None, NoneType):
        return value is None
    if isinstance(value, bool):
        return annotation is bool
    return isinstance(value, int | float if annotation is float else annotation)
