"""Shelf: the artifacts that are served, by name; one replaced on disk is swapped in whole, or the old one stays. No torch."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.artifact.contract import read_contract
from understudy.artifact.predict import Artifact
from understudy.prepare.source import source_columns
from understudy.serve.rows import Said
from understudy.serve.shown import Shown, show
from understudy.serve.together import Together

NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)")
Stamp = tuple[tuple[str, int, int, int], ...]


class Unserved(LookupError):
    """No such model is served."""


@dataclass(frozen=True, eq=False)
class Served(Shown):
    """One that is served. together: the queue of questions that are answered in one run."""

    together: Together


class Shelf:
    """Artifacts by name, the first of them the page's. make: the queue of an artifact.

    FileNotFoundError or ValueError as `Artifact`.
    """

    def __init__(self, folders: Mapping[str, Path], make: Callable[[Artifact], Together]) -> None:
        self.folders, self._make = dict(folders), make
        self._stamps = {name: stamp_of(folder) for name, folder in self.folders.items()}
        self._served = {name: self._read(name) for name in self.folders}
        self.refused: dict[str, str] = {}
        """Of those whose folder holds something by now that cannot be served: why."""

    def __iter__(self) -> Iterator[Served]:
        return iter(self._served.values())

    def one(self, name: str) -> Served:
        """That one, or the only one for ""; Unserved that names them all."""
        if not name and len(self._served) == 1:
            return next(iter(self))
        if name not in self._served:
            said = f"no model {name!r:.60} is served" if name else "several models are served, so the request has to name one"
            raise Unserved(f"{said}: {', '.join(self._served)}")
        return self._served[name]

    def stale(self) -> list[str]:
        """Those whose folder changed since it was last read, whatever came of that."""
        return [name for name, folder in self.folders.items() if stamp_of(folder) != self._stamps[name]]

    def renew(self, name: str) -> str:
        """Read an artifact anew, and serve it from here on; "" or why the one of before stays. Requests under way keep theirs."""
        self._stamps[name] = stamp_of(self.folders[name])
        try:
            found = self._read(name)
        except (ValueError, OSError) as error:
            self.refused[name] = f"{error}; what was read before is served"
            return self.refused[name]
        self._served = self._served | {name: found}
        self.refused.pop(name, None)
        return ""

    def _read(self, name: str) -> Served:
        shown = show(name, self.folders[name])
        return Served(**vars(shown), together=self._make(shown.artifact))


def stamp_of(folder: Path) -> Stamp:
    """What changes when any file of a folder is replaced; nothing while there is no folder."""
    try:
        found = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    except OSError:
        return ()
    return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def named(given: Sequence[str | Path]) -> dict[str, Path]:
    """NAME=FOLDER, or a folder alone, whose contract names it -> folders by name; ValueError for two of one name."""
    folders: dict[str, Path] = {}
    for each in given:
        found = None if isinstance(each, Path) or Path(each).is_dir() else NAMED.fullmatch(each)
        folder = Path(found[2] if found else each)
        name = found[1] if found else name_of(folder)
        if name in folders:
            said = f"{folders[name]} and {folder} are both called {name!r}"
            raise ValueError(f"{said}; name one of them yourself: serve {folders[name]} other={folder}")
        folders[name] = folder
    if not folders:
        raise ValueError("no artifact given; expected at least one folder that `understudy export` wrote")
    return folders


def name_of(folder: Path) -> str:
    """What an artifact calls itself."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no artifact at {folder}: `understudy export` writes one")
    return read_contract(folder).name


def told(served: Served) -> Said:
    """What a list of models says of one."""
    contract = served.artifact.contract
    return {
        "name": served.name,
        "revision": served.revision,
        "task": contract.task["kind"],
        "weights": contract.weights,
        "modalities": {name: list(source_columns(name, modality)) for name, modality in served.artifact.modalities.items()},
    }


def details(served: Served) -> Said:
    """The same with its contract, its card, and a made-up row with what is answered to it."""
    return told(served) | {
        "contract": served.artifact.contract.to_json(),
        "card": served.card,
        "missing": served.missing,
        "sample": {"rows": served.sample.rows, "answer": served.answer},
    }
