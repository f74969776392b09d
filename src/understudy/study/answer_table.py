"""Answers of a teacher from elsewhere, by id: a file or a table of them, held against the corpus that they are about."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import log_softmax

from understudy.corpus import Corpus
from understudy.prepare.cells import Modality
from understudy.prepare.columns import Column
from understudy.prepare.npz import read_arrays
from understudy.prepare.source import cells_from_table, read_table
from understudy.process.whole import whole_file
from understudy.study.spread import spread
from understudy.tasks import Classification
from understudy.tasks.calibration import temperature_of

Array = NDArray[Any]
SMALLEST, OFF = 1e-4, 1e-3
"""The least probability of a class, since some teachers say 0; and how far from 1 the sum of a row's probabilities may be."""
EMBEDDING = re.compile(r"embedding(_\d+)?")
BESIDE = ("id", "prediction")
"""Columns of a file of predictions that are no class's."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What somebody says of N rows of a corpus.

    values: log-probabilities of the task's classes `[N C]`, or numbers in the target's unit `[N]`. source: who says it, and
    whether it is "crossfit", by models that never saw the row, or "as given". embedding: of each row `[N D]`, where it says one.
    """

    ids: Array
    values: Array
    source: str
    embedding: Array | None = None

    @property
    def label(self) -> str:
        """Who says it, and a digest of what is said: what a run's settings hold."""
        said = hashlib.sha256("\n".join(self.ids.tolist()).encode() + np.ascontiguousarray(self.values).tobytes())
        said.update(b"" if self.embedding is None else np.ascontiguousarray(self.embedding).tobytes())
        return f"{self.source}, {said.hexdigest()[:16]}"

    def save(self, path: Path) -> None:
        """A .npz, whole or not at all."""
        with whole_file(path) as partial, partial.open("wb") as opened:
            kept: dict[str, Any] = {"id": self.ids.astype(str), "values": self.values, "source": np.array(self.source)}
            kept |= {} if self.embedding is None else {"embedding": self.embedding}
            np.savez(opened, **kept)

    @staticmethod
    def load(path: Path) -> "Answers":
        """What `save` wrote."""
        arrays = read_arrays(path)
        return Answers(arrays["id"], arrays["values"], str(arrays["source"]), arrays.get("embedding"))


def read_answers(path: Path, corpus: Corpus) -> Answers:
    """A .csv, .parquet, .jsonl or .npz with a column `id` and what `answers_in` reads."""
    return answers_in(read_table(path), corpus, where=path.name, source=f"{path.name}, as given")


def answers_in(table: pa.Table, corpus: Corpus, *, where: str, source: str) -> Answers:
    """The answers of a table: `id`, and for each class `probability_CLASS` (or CLASS alone) or `logit_CLASS`; of a number
    `prediction`, or the only other column; or what `spread` reads. Beside them, of each row, its `embedding`: a column of lists,
    or `embedding_0 embedding_1 ...`. Columns may stand in any order; a row without any answer is left out.

    ValueError, one sentence, for ids that the corpus lacks or that repeat, other classes, a row that is answered in part,
    probabilities that are none or do not add up to 1, and no answer at all.
    """
    parts = [name for name in table.column_names if EMBEDDING.fullmatch(name)]
    beside, table = table, spread(table.drop_columns(parts), corpus, where)
    ids = ids_of(table, corpus, where)
    if isinstance(corpus.task, Classification):
        kind, columns = columns_of(table.column_names, corpus.task.classes, where)
    else:
        kind, columns = "number", [number_column(table.column_names, where)]
    said = np.stack([Column.of(table, name, 1).numbers() for name in columns], axis=1)
    known = ~np.isnan(said).any(axis=1)
    if (partly := ~known & ~np.isnan(said).all(axis=1)).any():
        raise ValueError(
            f"{where}: row {ids[partly][0]!r} has some classes without a number (NaN or empty); give all of them, or none, "
            "and the row is not taught"
        )
    if not known.any():
        raise ValueError(f"{where} has no answer in any row; there must be at least one")
    ids, said = ids[known], said[known]
    values = said[:, 0] if kind == "number" else log_softmax(said, axis=1) if kind == "logit" else logs(said, ids, where)
    return Answers(ids, values, source, embedding_of(beside, parts, ids, where) if parts else None)


def embedding_of(table: pa.Table, parts: Sequence[str], ids: Array, where: str) -> Array:
    """The embeddings of these ids, float32 `[N D]`; ValueError for an id without a whole one, or with several."""
    parts = sorted(parts, key=lambda name: int(name.rpartition("_")[2]) if name[-1].isdigit() else -1)
    named = Column.of(table, "id", 1).categories(missing=False).tolist()
    place = {each: row for row, each in enumerate(named)}
    if len(place) < len(named):
        raise ValueError(f"{where}: an id stands in several rows, each with an embedding; give one embedding a row")
    cells = cells_from_table(table, "embedding", Modality("vector", source=tuple(parts)), folder=Path())
    found = cells.values[[place[each] for each in ids.tolist()]]
    if (wrong := np.isnan(found).any(axis=1)).any():
        raise ValueError(f"{where}: row {ids[wrong][0]!r} is answered without a whole embedding; give every answered row one")
    return found.astype(np.float32)


def logs(said: Array, ids: Array, where: str) -> Array:
    """Logarithms of probabilities `[N C]`; ValueError for what is none."""
    total = said.sum(axis=1)
    wrong = ((said < 0) | (said > 1)).any(axis=1) | (np.abs(total - 1) > OFF)
    if wrong.any():
        raise ValueError(
            f"{where}: the probabilities of row {ids[wrong][0]!r} are not from 0 to 1, or add up to {total[wrong][0]:.4g}, "
            "not to 1; logits stand in columns logit_CLASS"
        )
    return np.log(np.maximum(said, SMALLEST) / np.maximum(said, SMALLEST).sum(axis=1, keepdims=True))


def calibrated(values: Array, target: Array) -> Array:
    """Logarithms of probabilities `[N C]` over the temperature under which the first rows, of classes `target`, are likeliest."""
    found = np.log(np.maximum(values, SMALLEST))
    return found / temperature_of(found[: len(target)], target)


def ids_of(table: pa.Table, corpus: Corpus, where: str) -> Array:
    """The column `id`, each a row of the corpus, once."""
    if "id" not in table.column_names:
        raise ValueError(f"{where} has no column 'id' that names the corpus's rows; it has {', '.join(table.column_names)}")
    ids = Column.of(table, "id", 1).categories(missing=False)
    known = set(corpus.ids.tolist())
    unknown = [each for each in ids.tolist() if each not in known]
    if unknown:
        raise ValueError(
            f"{where} answers for {len(unknown)} ids that {corpus.folder} has not, the first {unknown[0]!r}; its own are such as "
            f"{corpus.ids[0]!r}"
        )
    different, times = np.unique(ids.astype(str), return_counts=True)
    if (times > 1).any():
        raise ValueError(f"{where} answers {times.max()} times for id {str(different[times.argmax()])!r}; give one answer a row")
    return ids


def columns_of(names: Sequence[str], classes: Sequence[str], where: str) -> tuple[str, list[str]]:
    """What the classes' columns hold, and which they are, in the order of `classes`; ValueError unless they are those."""
    for kind, prefix in (("probability", "probability_"), ("logit", "logit_"), ("probability", "")):
        given = [name.removeprefix(prefix) for name in names if name.startswith(prefix) and name not in BESIDE]
        if given or not prefix:
            check_classes(given, classes, where)
            return kind, [prefix + name for name in classes]
    raise AssertionError("the last kind has no prefix")


def check_classes(given: Sequence[str], classes: Sequence[str], where: str) -> None:
    """ValueError unless these are the corpus's classes, in whatever order."""
    if set(given) != set(classes) or len(given) != len(classes):
        raise ValueError(
            f"{where} answers for the classes {', '.join(given) or 'none'}, and the corpus has {', '.join(classes)}: "
            "they must be the same by name"
        )


def number_column(names: Sequence[str], where: str) -> str:
    """Which column says the number."""
    others = [name for name in names if name != "id"]
    if "prediction" not in others and len(others) != 1:
        raise ValueError(f"{where} has the columns {', '.join(names)}; expected id and prediction")
    return "prediction" if "prediction" in others else others[0]
