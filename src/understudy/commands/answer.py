"""Answer: what every command returns, and how NAME=VALUE arguments are read. Standard library only."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def pairs(flag: str, given: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE arguments as a dictionary; ValueError for one without a name."""
    found = {}
    for each in given:
        name, mark, value = each.partition("=")
        if not mark or not name:
            raise ValueError(f"{flag} {each!r}: write NAME=VALUE")
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
