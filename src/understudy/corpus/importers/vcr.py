"""VCR: a question about a movie still with four answers, and four rationales for the right one; one row a stage."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split, hold_out
from understudy.corpus.importers.json_rows import Row, check_kept, read_ids
from understudy.corpus.importers.pictures import Pictures
from understudy.corpus.importers.vcr_annotations import CHOICES, STAGES, mentioned, read_annotations, row_id, text_of
from understudy.corpus.importers.vcr_regions import Regions
from understudy.corpus.importers.vcr_rules import RULES, changed_rows
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.held import Held, ragged
from understudy.prepare.reader import MediaReader, OnError
from understudy.tasks import Choice

ABOUT = {
    "name": "VCR",
    "licence": "non-commercial research, by the form of visualcommonsense.com",
    "layout": "vcr1annots and vcr1images, https://visualcommonsense.com/download",
    "citation": "R. Zellers et al., CVPR 2019, arXiv 1811.10830",
    "rows": "ANNOTATION/answer, and ANNOTATION/rationale whose question is followed by the right answer",
    "names": "people are said by gender-neutral names, by the object's index modulo 15",
}


@dataclass(frozen=True)
class Item:
    """One row of the corpus: a stage of an annotation, where it stands, the part it is of, and what the question is said with."""

    row: Row
    where: str
    stage: str
    part: str
    variant: str = ""
    given: int | None = None
    """The answer that stands behind the question of a rationale row; None in an answer row."""

    @property
    def id(self) -> str:
        # A test row has no right answer: each of the four is tried.
        stage = f"rationale-{self.given}" if self.part == "unlabelled" and self.given is not None else self.stage
        return row_id(self.row["annot_id"], stage, self.variant)

    @property
    def question(self) -> list[Any]:
        return self.row["question"] + ([] if self.given is None else self.row["answer_choices"][self.given])

    @property
    def choices(self) -> list[Any]:
        return self.row[f"{self.stage}_choices"]

    @property
    def target(self) -> int | None:
        return None if self.part == "unlabelled" else self.row[f"{self.stage}_label"]


def import_vcr(
    annotations: Path | str,
    images: Path | str,
    out: Path | str,
    *,
    features: Path | str | None = None,
    shifted: Mapping[str, Path | str] | None = None,
    keep: Path | str | None = None,
    test: bool = False,
    side: int = 128,
    valid: float = 0.05,
    seed: int = 0,
    on_error: OnError = "fail",
) -> Corpus:
    """Modalities `image`, `regions`, `text` (four choices), grouped by picture; splits `given`, `rule-singular`, `rule-plural`.

    annotations: holds train.jsonl and val.jsonl. images: vcr1images, pictures and their metadata. The official val rows test,
    since the official test rows have no labels; `valid` of the train rows validates, by whole pictures, drawn by `seed` (ours).
    The rule splits, and one for each of `shifted` (name -> published jsonl), have the same train and validation rows and test
    changed val rows. features: a folder with an .npz beside each picture's name, `features [1 + objects, D]`, the whole picture
    first; else regions are crops of 16 x 16 pixels. keep: a file of annot_ids, one a line; other train rows are left out.
    test: also take the rows of test.jsonl, without labels and in no split, for a submission. side: longest side of a
    picture in the corpus, in pixels.
    """
    folder, reader = Path(annotations), MediaReader(on_error)
    regions = Regions(Pictures(images, side=side, reader=reader), None if features is None else Path(features))
    items = list(read_items(folder, keep=keep, test=test, shifted=shifted or {}))
    cells = read_cells(items, regions)
    modalities = {"image": Modality("image", shared=True), "regions": Modality("regions", width=regions.width, shared=True)}
    modalities["text"] = Modality("choices", width=CHOICES)
    parts = Counter((item.variant, item.part) for item in items if item.stage == "answer")
    about = {"questions": ", ".join(f"{' '.join(filter(None, name))} {count}" for name, count in parts.items())}
    about |= {"regions": "crops" if features is None else "detector features", "side": str(side)}

    def splits(corpus: Corpus) -> Iterator[Split]:
        plain = [None if item.variant or item.part == "unlabelled" else item.part for item in items]
        given = hold_out(corpus, given_split(corpus, name="given", parts=plain), valid, seed=seed)
        yield given
        for variant in dict.fromkeys(item.variant for item in items if item.variant):
            tested = np.flatnonzero([item.variant == variant for item in items])
            yield Split(variant, given.train, tested, given.labelled, given.valid, group=given.group, seed=given.seed)

    return write_corpus(
        out,
        Schema(Choice(choices=CHOICES), modalities, grouped=True, about=ABOUT | about),
        ids=[item.id for item in items],
        targets=[item.target for item in items],
        groups=[item.row["img_id"] for item in items],
        cells=cells,
        splits=splits,
        errors=reader.errors,
    )


def read_items(folder: Path, *, keep: Path | str | None, test: bool, shifted: Mapping[str, Path | str]) -> Iterator[Item]:
    """Every row of the corpus: of train, val, what the rules make of val, the given changed sets, and the unlabelled ones."""
    kept = set() if keep is None else set(read_ids(Path(keep)))
    trained: set[str] = set()
    known: set[str] = set()
    for where, row in read_annotations(folder / "train.jsonl", labelled=True):
        trained.add(row["annot_id"])
        if not kept or row["annot_id"] in kept:
            yield from stages(row, where, "train")
    check_kept(keep, kept, trained, what=f"annot_id of {folder / 'train.jsonl'}")
    official = list(read_annotations(folder / "val.jsonl", labelled=True))
    for where, row in official:
        known.add(row["annot_id"])
        yield from stages(row, where, "test")
    for variant, rule in RULES.items():
        for where, row in official:
            for found in changed_rows([row], rule):
                yield from stages(found, where, "test", variant)
    for variant, path in shifted.items():
        if variant in RULES or variant == "given" or not variant or "/" in variant:
            raise ValueError(f"a changed set {variant!r}; give it another name, without /")
        for where, row in read_annotations(Path(path), labelled=True):
            if row["annot_id"] not in known:
                raise ValueError(f"{where}: annot_id {row['annot_id']!r} is none of {folder / 'val.jsonl'}")
            yield from stages(row, where, "test", variant)
    if test:
        for where, row in read_annotations(folder / "test.jsonl", labelled=False):
            yield Item(row, where, "answer", "unlabelled")
            yield from (Item(row, where, "rationale", "unlabelled", given=answer) for answer in range(CHOICES))


def stages(row: Row, where: str, part: str, variant: str = "") -> Iterator[Item]:
    """The two rows of a labelled annotation."""
    yield Item(row, where, STAGES[0], part, variant)
    yield Item(row, where, STAGES[1], part, variant, given=row["answer_label"])


def read_cells(items: Sequence[Item], regions: Regions) -> dict[str, Cells]:
    """The three modalities."""
    boxes, texts = Held(), []
    for item in items:
        objects, question = item.row["objects"], item.question
        regions.pictures.add(item.row["img_fn"], where=item.where)
        used = mentioned([question, *item.choices], objects)
        boxes.append(regions.of(item.row, used, where=item.where))
        texts.append(tuple(f"{text_of(question, objects)} {text_of(choice, objects)}" for choice in item.choices))
    return {"image": regions.pictures.rows.cells("image"), "regions": boxes.cells("regions"), "text": ragged("choices", texts)}
