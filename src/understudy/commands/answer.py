"""Answer: what every command returns, and how NAME=VALUE arguments are read. Standard library only."""

import json
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a command says: a document for --json, a text for people, the next sensible step, and whether all is well."""

    document: Mapping[str, Any]
    text: str
    next: str = ""
    ok: bool = True


def step(*words: object) -> str:
    """A command to type next, quoted as a shell needs it."""
    return shlex.join(["understudy", *(str(word) for word in words)])


def refuse_unheeded(command: Callable[..., Any], given: Mapping[str, Any], unheeded: Collection[str], where: str) -> None:
    """ValueError for an option of `command` among the `unheeded` that was changed: its user wants what would not be done.

    given: options by name with their values. where: what leaves them without effect, in words.
    """
    usual = {name: each.default for name, each in signature(command).parameters.items()}
    lost = ["--" + name.replace("_", "-") for name, value in given.items() if name in unheeded and value != usual[name]]
    if lost:
        raise ValueError(f"{' and '.join(lost)} would have no effect {where}; leave one or the other out")


def pairs(flag: str, given: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE arguments as a dictionary; ValueError for one without a name."""
    found = {}
    for each in given:
        name, mark, value = each.partition("=")
        if not mark or not name:
            raise ValueError(f"{flag} {each!r}: write NAME=VALUE")
        if name in found:
            raise ValueError(f"{flag} names {name!r} twice: {found[name]!r} and {value!r}; give it once")
        found[name] = value
    return found


def values(flag: str, given: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE arguments with numbers, true, false and null read as such."""
    found: dict[str, Any] = {}
    for name, text in pairs(flag, given).items():
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
