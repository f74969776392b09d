"""Parts: the answers to some rows of a file at a time, each whole or not at all, so that a job goes on where it was killed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from understudy.artifact.writers import write_arrow
from understudy.prepare.faults import Fault
from understudy.process.alone import alone
from understudy.process.partial import discard
from understudy.process.share import ALL, Share
from understudy.process.whole import read_json, whole_file, write_json

JOB = "job.json"
KEY = b"understudy answers"


@dataclass(frozen=True)
class Answered:
    """The answers to some rows, beside what names them; how many hold any answer, were too unsure, or were handed over."""

    table: pa.Table
    answered: int
    abstained: int = 0
    handed_over: int = 0
    faults: tuple[Fault, ...] = ()


class Parts:
    """A hidden folder beside `out` with the answers to each piece of the input by its number. job: what they are answers to."""

    def __init__(self, out: Path, job: Mapping[str, Any]) -> None:
        self.folder, self.job = out.with_name(f".{out.name}.parts"), dict(job)

    def somewhere(self) -> "Parts":
        """The same, asked from another folder."""
        found = copy(self)
        found.folder = self.folder.resolve()
        return found

    @contextmanager
    def open(self, share: Share) -> Iterator[None]:
        """No other process at this share inside. Parts of another job are removed; ValueError where machines share the folder."""
        begun = self.folder / JOB
        if begun.is_file() and read_json(begun) != self.job:
            if share != ALL:
                raise ValueError(
                    f"{self.folder} holds parts of another job: another input, artifact or wish; remove it, or give another --out"
                )
            discard(self.folder)
        with alone(self._own(share)):
            if not begun.is_file():
                write_json(begun, self.job)
            yield

    def _own(self, share: Share) -> Path:
        return self.folder / share.name

    def paths(self) -> dict[int, Path]:
        """Of every part that is there, by its number; one that two machines wrote counts once."""
        return {int(path.stem.partition("-")[2]): path for path in self.folder.glob("*/part-*.arrow")}

    def put(self, share: Share, number: int, found: Answered) -> None:
        """A part, whole or not at all."""
        told = {name: each for name, each in asdict(found).items() if name != "table"}
        table = found.table.replace_schema_metadata({KEY: json.dumps(told).encode()})
        with whole_file(self._own(share) / f"part-{number}.arrow") as partial:
            write_arrow([table], partial)

    def get(self, path: Path) -> Answered:
        """A part as it was put."""
        with pa.OSFile(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        told = json.loads(table.schema.metadata[KEY])
        faults = tuple(Fault(**each) for each in told.pop("faults"))
        return Answered(table.replace_schema_metadata(None), **told, faults=faults)

    def schema(self, path: Path) -> pa.Schema:
        """Of a part's table."""
        with pa.OSFile(str(path)) as file:
            return pa.ipc.open_file(file).schema.remove_metadata()

    def remove(self) -> None:
        """All of it."""
        if self.folder.exists():
            discard(self.folder)
