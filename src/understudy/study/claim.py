"""Claim: a folder taken for one run by one process: new, gone on with, or refused."""

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from understudy.corpus import Corpus, Split
from understudy.corpus.check import changed
from understudy.process.partial import ours
from understudy.process.whole import write_json
from understudy.study.run import Run, load
from understudy.study.settings import Settings

State = Literal["new", "same", "more seeds"]
VERSIONED = ("understudy", "torch", "numpy", "pyarrow", "transformers", "tokenizers")
TOLD = ("results.json", "report.html", "subsets.json", "stages.json", "search.json", "information.json", "transfer/*.json")
"""What is written of all seeds together, or of the one that ships."""
MOST_HASHED = 8 * 2**30
"""Bytes of a corpus that a run holds against its checksums at its start; run.json says whether it did."""
PLACES = ("corpus",)
"""Arguments that say where something lies, not what it is: another fingerprint says that."""


def settings_of(recipe: str, asked: Settings, corpus: Corpus, split: Split) -> dict[str, Any]:
    """run.json: what was asked, of which rows, and with which versions."""
    settings = {
        "recipe": recipe,
        "arguments": asked.to_json(),
        "corpus_fingerprint": corpus.fingerprint,
        "split_hash": split.hash,
        "versions": {"python": platform.python_version()} | installed(),
    }
    return json.loads(json.dumps(settings))


def installed() -> dict[str, str]:
    """Versions of the packages that a result may depend on, where they are installed."""
    found = {}
    for name in VERSIONED:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def state_of(folder: Path, settings: Mapping[str, Any], corpus: Corpus) -> State:
    """Whether the folder is free for a run with these settings, or holds it already; ValueError when it holds anything else.

    The same run with more seeds goes on, too: only those are trained, unless students learn from an ensemble over all seeds, or
    another seed comes first, with which what validation rows choose would be chosen anew.
    """
    if not (folder / "run.json").is_file():
        if folder.exists() and not all(ours(path) for path in folder.iterdir()):
            raise ValueError(f"{folder} exists and holds no run; give another --out or remove it")
        return "new"
    other = load(folder).settings
    asked, known = settings["arguments"], other["arguments"]
    differ = [name for name in ("recipe", "corpus_fingerprint", "split_hash", "versions") if settings[name] != other[name]]
    if "corpus_fingerprint" not in differ:
        theirs = known_of(folder, known).whole(corpus).to_json()
        names = dict.fromkeys([*asked, *theirs])
        differ = [name for name in names if name not in PLACES and asked.get(name) != theirs.get(name)] + differ
    more = set(known["seeds"]) < set(asked["seeds"]) and known["seeds"][0] == asked["seeds"][0]
    if differ == ["seeds"] and more and asked["ensemble"] == "no":
        return "more seeds"
    if differ:
        raise ValueError(f"{folder} holds another run (differs in {', '.join(differ)}); give another --out or remove it")
    return "same"


def known_of(folder: Path, arguments: Mapping[str, Any]) -> Settings:
    """What the run in a folder was asked; ValueError where this version knows no such settings."""
    try:
        return Settings.from_json(arguments)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder} holds a run of another version: {error}; give another --out") from None


def begin(folder: Path, settings: Mapping[str, Any], corpus: Corpus) -> Run:
    """The run in this folder, from here on with these settings; ValueError as `state_of` has it."""
    if state_of(folder, settings, corpus) == "more seeds":
        forget(folder)
    write_json(folder / "run.json", settings)
    return Run(folder, settings)


def hashed(corpus: Corpus) -> bool:
    """Whether the rows were held against their checksums, which is left out where that would take minutes; ValueError where they
    are not as they were written.
    """
    if sum(shard["bytes"] for shard in corpus.shards) > MOST_HASHED:
        return False
    if said := changed(corpus):
        raise ValueError(f"{corpus.folder}: {said[0]}; `understudy check` says more")
    return True


def forget(folder: Path) -> None:
    """Remove what was told of all seeds together; models and predictions stay."""
    for pattern in TOLD:
        for path in folder.glob(pattern):
            path.unlink()
