"""Album: a task of the picture world as a corpus: pictures, regions and words, with the splits `given` and `shifted`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.corpus import Corpus, Split, write_corpus
from understudy.corpus.schema import Schema
from understudy.prepare.cells import Cells, Kind, Modality
from understudy.tasks import Choice, Classification, MultiLabel, Task
from understudy.worlds.picture_world.ceilings import ceilings
from understudy.worlds.picture_world.scene import crops, painted
from understudy.worlds.picture_world.world import ANNOTATORS, ANSWERS, CHOICES, LABELS, Name, Row, World, credit

ROWS = {"train": 10_000, "test": 1_000, "shifted": 1_000}
TASKS: dict[Name, Task] = {
    "entailment": Classification(classes=LABELS),
    "question": MultiLabel(classes=ANSWERS, entries=2),
    "choice": Choice(choices=CHOICES),
}
A_PICTURE: dict[Name, int] = {"entailment": 2, "question": 1, "choice": 2}
"""Rows that go with one picture, and stay together in every split."""


@dataclass(frozen=True)
class Album:
    """What decides a corpus: the task, rows a part, seed, pixels, world."""

    name: Name
    rows: Mapping[str, int]
    seed: int
    size: int
    world: World

    def fill(self, folder: Path) -> Corpus:
        """Draw, paint and write."""
        ids, groups, words, answers, pictures, regions = [], [], [], [], [], []
        for part, count in self.rows.items():
            seed = self.seed * len(ROWS) + list(ROWS).index(part)
            made = self.world.write(self.name, -(-count // A_PICTURE[self.name]), seed=seed, shifted=part == "shifted")
            for number, (scene, rows) in enumerate(zip(made.scenes, made.of, strict=True)):
                picture = painted(scene, size=self.size)
                seen = crops(scene, picture)
                for row in rows:
                    ids.append(f"{part}-{number}/{row.stage}")
                    groups.append(f"{part}-{number}")
                    words.append(row.words)
                    answers.append(target_of(row))
                    pictures.append(picture)
                    regions.append(seen)
        kind: Kind = "choices" if self.name == "choice" else "text"
        return write_corpus(
            folder,
            Schema(TASKS[self.name], self.modalities(regions[0].shape[1] - 4), grouped=True, about=self.about()),
            ids=ids,
            targets=answers,
            groups=groups,
            cells={"image": whole("image", pictures), "regions": whole("regions", regions), "text": whole(kind, words)},
            splits=splits,
        )

    def modalities(self, features: int) -> dict[str, Modality]:
        """The picture, the same as crops of its things, and the words."""
        text = Modality("choices", width=CHOICES) if self.name == "choice" else Modality("text")
        return {"image": Modality("image"), "regions": Modality("regions", width=features), "text": text}

    def about(self) -> dict[str, str]:
        """Name, and all that decides the rows."""
        named = {"name": f"the picture world: {self.name}", "album": json.dumps(asdict(self), sort_keys=True)}
        return named | {"ceilings": json.dumps(ceilings(self.world, self.name))}


def make_album(
    out: Path | str,
    name: Name,
    *,
    rows: Mapping[str, int] | None = None,
    seed: int = 0,
    size: int = 32,
    world: World | None = None,
) -> Corpus:
    """The corpus of a task at `out`; one that is there already is opened, ValueError where it is another.

    rows: train, test and shifted ones, 10,000, 1,000 and 1,000 when None. size: pixels of a picture.
    Modalities `image`, `regions` (boxes as drawn, crops as features) and `text`; split `shifted` has the train rows of `given`.
    """
    album = Album(name, dict(rows or ROWS), seed, size, world or World())
    if set(album.rows) != set(ROWS) or min(album.rows.values()) < A_PICTURE[name]:
        raise ValueError(f"rows={dict(album.rows)}: give how many for each of {', '.join(ROWS)}, at least {A_PICTURE[name]}")
    if size < 16 or size % 2:
        raise ValueError(f"size={size}: expected an even number of pixels, at least 16")
    folder = Path(out)
    if not (folder / "corpus.json").is_file():
        return album.fill(folder)
    corpus = Corpus(folder)
    if corpus.schema.about.get("album") != album.about()["album"]:
        raise ValueError(f"{folder} holds another corpus; give another folder, or remove it first")
    return corpus


def splits(corpus: Corpus) -> list[Split]:
    """The same train rows twice, tested on rows like them, or where their habits mislead. No validation: plans are fixed."""
    part = np.array([name.partition("-")[0] for name in corpus.ids])
    train, test, shifted = (np.flatnonzero(part == name) for name in ROWS)
    return [Split(name, train, rows, train, group=True) for name, rows in (("given", test), ("shifted", shifted))]


def target_of(row: Row) -> Any:
    """A class, or (answer, soft target, credit) of each answer that annotators gave."""
    if isinstance(row.answer, int):
        return row.answer
    assert len(row.answer) == ANNOTATORS
    counted = {answer: credit(row.answer.count(answer)) for answer in sorted(set(row.answer))}
    return [(answer, earned, earned) for answer, earned in counted.items()]


def whole(kind: Kind, values: list[Any]) -> Cells:
    """Cells of which none is absent."""
    return Cells(kind, values, np.ones(len(values), bool))
