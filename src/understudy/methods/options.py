"""What is asked of a method's options, whichever method it is: weights, words of a kind, and that none is given for nothing."""

import inspect
import typing
import warnings
from collections.abc import Mapping

from understudy.methods.method import Method


def check_weights(**weights: float) -> None:
    """ValueError for a weight that is not a finite number of at least 0."""
    if not all(0 <= weight < float("inf") for weight in weights.values()):
        given = ", ".join(f"{name} {weight}" for name, weight in weights.items())
        raise ValueError(f"{given} given; weights must be finite and at least 0")


def check_words(method: Method, kind: type[Method]) -> None:
    """ValueError for an option that takes one of several words and was given another: those of `kind`'s constructor."""
    for name, hint in typing.get_type_hints(kind.__init__).items():
        words = typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal and getattr(method, name) not in words:
            raise ValueError(f"{name} {getattr(method, name)!r} given; choose from {', '.join(words)}")


def warn_idle(method: Method, kind: type[Method], effects: Mapping[str, tuple[object, str]]) -> None:
    """A warning for each option that is not the default of `kind`'s constructor and changes nothing beside the others.

    effects: option -> whether it has one here, and why it has none otherwise.
    """
    told = inspect.signature(kind).parameters
    for name, (effective, reason) in effects.items():
        if getattr(method, name) != told[name].default and not effective:
            warnings.warn(f"{name} {getattr(method, name)!r} has no effect: {reason}")
