"""The development sets of `benchmarks.worth`: corpora, each with its splits, and the students that are asked of it.

mfeat is bundled, breast cancer comes with scikit-learn (Wolberg et al., UCI, CC BY 4.0); the others are read from a folder and left
out where it lacks them: leaves/leaves.npz (Mallah, Cope, Orwell, UCI, CC BY 4.0), hydraulics/valve.npz (Helwig, Pignanelli,
Schuetze, UCI, CC BY 4.0), wikipedia/ (Rasiwasia et al., ACM MM 2010; texts CC BY-SA).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus import Corpus, Schema, Split, write_corpus
from understudy.corpus.draw import given_split, hold_out, make_split
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, Regression, Task

Array = NDArray[Any]
LABELS = (50, 300, 1200)
SENSORS = ("pressure", "flow", "motor", "temperature", "vibration")
HELD = 0.3
"""Of the train rows, scored in place of the test rows while defaults are chosen."""


@dataclass(frozen=True)
class Set:
    """A corpus, how it is made of the data folder, the file that it needs there, its splits, and who is distilled."""

    name: str
    make: Callable[[Path, Path], Corpus]
    students: Sequence[str]
    needs: str = ""
    splits: Sequence[str] = ("given",)


@dataclass(frozen=True)
class View:
    """One student of one split of a set."""

    of: Set
    split: str
    student: str

    @property
    def name(self) -> str:
        part = self.split.removeprefix("draw-0-").removeprefix("given")
        return "-".join(each for each in (self.of.name, self.student, part) if each)


def vectors(
    out: Path,
    task: Task,
    columns: Mapping[str, Array],
    targets: Array,
    draw: Callable[[Corpus], Split],
    groups: Sequence[str] | None = None,
) -> Corpus:
    """A corpus of vectors, with one split."""
    flat = {name: each.reshape(len(each), -1).astype(np.float32) for name, each in columns.items()}
    here = np.ones(len(targets), bool)
    return write_corpus(
        out,
        Schema(task, {name: Modality("vector", width=each.shape[1]) for name, each in flat.items()}, grouped=groups is not None),
        ids=[f"row-{row:05d}" for row in range(len(targets))],
        targets=targets,
        cells={name: Cells("vector", each, here) for name, each in flat.items()},
        groups=groups,
        splits=lambda corpus: [draw(corpus)],
    )


def drawn(test: float) -> Callable[[Corpus], Split]:
    """A share of the rows for test, none for validation: what holds validation rows out is a default, too."""
    return lambda corpus: make_split(corpus, name="given", valid=0.0, test=test)


def digits(data: Path, out: Path) -> Corpus:
    return import_mfeat(out, draws=1, labels=LABELS)


def leaves(data: Path, out: Path) -> Corpus:
    found = np.load(data / "leaves" / "leaves.npz", allow_pickle=False)
    classes, targets = np.unique(found["species"], return_inverse=True)
    columns = {name: found[name] for name in ("shape", "margin", "texture")}
    return vectors(out, Classification(classes=tuple(map(str, classes))), columns, targets, drawn(500 / 1600))


def hydraulics(target: str) -> Callable[[Path, Path], Corpus]:
    """Cycles of one setting of the rig are alike, so settings are groups. Bars of the accumulator are numbers, the rest classes."""

    def make(data: Path, out: Path) -> Corpus:
        found = np.load(data / "hydraulics" / "valve.npz", allow_pickle=False)
        groups = [str(each) for each in found["combo"].tolist()]
        columns = {name: found[name] for name in SENSORS}
        if target == "accumulator":
            return vectors(out, Regression(unit="bar"), columns, found[target].astype(np.float64), drawn(1 / 3), groups)
        classes, targets = np.unique(found[target], return_inverse=True)
        return vectors(out, Classification(classes=tuple(map(str, classes))), columns, targets, drawn(1 / 3), groups)

    return make


def cancer(data: Path, out: Path) -> Corpus:
    from sklearn.datasets import load_breast_cancer

    found: Any = load_breast_cancer()
    columns = {name: found.data[:, 10 * place : 10 * place + 10] for place, name in enumerate(("mean", "error", "worst"))}
    return vectors(out, Classification(classes=("malignant", "benign")), columns, found.target, drawn(0.3))


def wikipedia(data: Path, out: Path) -> Corpus:
    from scipy.io import loadmat

    found = loadmat(data / "wikipedia" / "raw_features.mat")
    lists = [data / "wikipedia" / f"{part}set_txt_img_cat.list" for part in ("train", "test")]
    lines = [path.read_text().split("\n") for path in lists]
    targets = np.array([int(line.split()[2]) - 1 for part in lines for line in part if line.strip()])
    columns = {"text": np.concatenate([found["T_tr"], found["T_te"]]), "image": np.concatenate([found["I_tr"], found["I_te"]])}
    parts = ["train"] * len(found["T_tr"]) + ["test"] * len(found["T_te"])
    task = Classification(classes=tuple(f"category-{each}" for each in range(1, 11)))
    return vectors(out, task, columns, targets, lambda corpus: given_split(corpus, name="given", parts=parts))


SETS = (
    Set("mfeat", digits, ("fou", "zer", "mor"), splits=[f"draw-0-{count}" for count in LABELS]),
    Set("leaves", leaves, ("shape", "margin", "texture"), needs="leaves/leaves.npz"),
    *(Set(target, hydraulics(target), SENSORS, needs="hydraulics/valve.npz") for target in ("valve", "pump", "accumulator")),
    Set("cancer", cancer, ("mean", "error", "worst")),
    Set("wikipedia", wikipedia, ("text", "image"), needs="wikipedia/raw_features.mat"),
)


def views(data: Path) -> Iterator[View]:
    """All students of the sets that are there."""
    for each in SETS:
        if not each.needs or (data / each.needs).is_file():
            yield from (View(each, split, student) for split in each.splits for student in each.students)


def inside(corpus: Corpus, name: str) -> Split:
    """A split of the train rows alone, saved: some of them stand in for the test rows, which nobody looks at."""
    whole = corpus.split(name)
    found = hold_out(corpus, replace(whole, labelled=whole.train), HELD, seed=1)
    labelled = np.intersect1d(found.train, whole.labelled)
    split = Split(f"inside-{name}", found.train, found.valid, labelled, group=whole.group, seed=1)
    corpus.save_split(split)
    return corpus.split(split.name)
