"""VQA v2 and VQA-CP v2: an open question about a picture, ten people's answers, a vocabulary to answer from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split
from understudy.corpus.importers.json_rows import check_kept, existing, read_ids
from understudy.corpus.importers.pictures import Pictures
from understudy.corpus.importers.vqa_files import Annotation, Question, matched, read_answers, read_questions
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.vocabulary import LEAST, answer_targets, build_vocabulary
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Modality
from understudy.prepare.held import ragged
from understudy.prepare.reader import MediaReader, OnError
from understudy.tasks import MultiLabel

Dataset = Literal["v2", "cp-v2"]
Vocabulary = Literal["published", "train"]
ABOUT = {
    "licence": "annotations CC BY 4.0; COCO pictures by their own terms",
    "citation": "Y. Goyal et al., CVPR 2017, arXiv 1612.00837; A. Agrawal et al., CVPR 2018, arXiv 1712.00377 (VQA-CP)",
    "target": "soft targets of raw references; the accuracy of a vocabulary answer is the official one, all questions counted",
}
LAYOUT = {"v2": "v2_OpenEnded_mscoco_*_questions.json, v2_mscoco_*_annotations.json", "cp-v2": "vqacp_v2_{train,test}_*.json"}


@dataclass(frozen=True)
class Asked:
    """One row: a question, its annotation where there is one, and the published part."""

    question: Question
    annotation: Annotation | None
    part: str


def import_vqa(
    folder: Path | str,
    images: Path | str,
    out: Path | str,
    *,
    dataset: Dataset = "v2",
    vocabulary: Vocabulary = "published",
    least: int = LEAST,
    keep: Path | str | None = None,
    test: bool = False,
    side: int = 128,
    valid: float = 0.05,
    seed: int = 0,
    on_error: OnError = "fail",
) -> Corpus:
    """Modalities `image` and `text` (the question), grouped by picture (of cp-v2: and part); split `given`. Ids are question ids.

    folder: the JSON files. images: COCO's pictures, in train2014, val2014 and test2015 or all in one. Of v2, val2014 tests; of
    cp-v2, its test part does, which may share pictures with train. `valid` of the train part's pictures validate, drawn by
    `seed` (ours: neither has a labelled validation part beside the one that tests). vocabulary: main answers of `least`
    questions or more, of train and val ("published"; for cp-v2 of train alone), or of this corpus's train rows ("train"). keep:
    a file of question ids, one a line; other train rows are left out. test: also take v2's unlabelled test2015 questions, in no
    split, for a submission. side: longest side of a picture in the corpus, in pixels.
    """
    folder, reader = Path(folder), MediaReader(on_error)
    if dataset not in LAYOUT or vocabulary not in ("published", "train"):
        raise ValueError(f"dataset {dataset!r}, vocabulary {vocabulary!r}; choose v2 or cp-v2, and published or train")
    if not 0 <= valid < 1:
        raise ValueError(f"valid={valid}: a share of the train part's pictures, from 0 to below 1")
    everything = read_v2(folder, test=test) if dataset == "v2" else read_cp(folder)
    rows = everything if keep is None else kept_rows(everything, Path(keep))
    answers, said = vocabulary_of(rows if vocabulary == "train" else everything, dataset, vocabulary, least=least)
    targets = answer_targets([None if row.annotation is None else row.annotation.answers for row in rows], answers)
    pictures = Pictures(images, side=side, reader=reader)
    for row in rows:
        pictures.add(place(pictures, row.question), where=row.question.where)
    about = {"name": f"VQA {dataset}", "layout": LAYOUT[dataset], "side": str(side)}
    about |= {"vocabulary": said}
    # Pictures of VQA-CP stand in both published parts by design: a group is what stays whole within one.
    groups = [str(row.question.image) if dataset == "v2" else f"{row.part} {row.question.image}" for row in rows]
    return write_corpus(
        out,
        Schema(
            MultiLabel(classes=answers, entries=targets.shape[1]),
            {"image": Modality("image", shared=True), "text": Modality("text")},
            grouped=True,
            about=ABOUT | about,
        ),
        ids=[str(row.question.number) for row in rows],
        targets=targets,
        groups=groups,
        cells={
            "image": pictures.rows.cells("image"),
            "text": ragged("text", (row.question.text for row in rows)),
        },
        splits=lambda corpus: [split_of(corpus, [row.part for row in rows], groups, valid=valid, seed=seed)],
        errors=reader.errors,
    )


def read_v2(folder: Path, *, test: bool) -> list[Asked]:
    """train2014 trains, val2014 tests; test2015 has no annotations."""
    found = []
    for part, coco in (("train", "train2014"), ("test", "val2014")):
        questions = read_questions(folder / f"v2_OpenEnded_mscoco_{coco}_questions.json", coco_split=coco)
        annotations = read_answers(folder / f"v2_mscoco_{coco}_annotations.json")
        found += [Asked(*each, part) for each in matched(questions, annotations)]
    if test:
        names = [folder / f"v2_OpenEnded_mscoco_{coco}_questions.json" for coco in ("test2015", "test-dev2015")]
        # test-dev is a part of test, and its pictures are those of test.
        questions = read_questions(existing(*names), coco_split="test2015")
        found += [Asked(each, None, "") for each in questions.values()]
    return found


def read_cp(folder: Path) -> list[Asked]:
    """Both parts of VQA-CP v2; each question says where its picture is."""
    found = []
    for part in ("train", "test"):
        questions = read_questions(folder / f"vqacp_v2_{part}_questions.json")
        annotations = read_answers(folder / f"vqacp_v2_{part}_annotations.json")
        found += [Asked(*each, part) for each in matched(questions, annotations)]
    return found


def kept_rows(rows: Sequence[Asked], keep: Path) -> list[Asked]:
    """All rows but the train rows that are not listed; ValueError for an id that no train row has."""
    ids = set(read_ids(keep))
    check_kept(keep, ids, {str(row.question.number) for row in rows if row.part == "train"}, what="id of a train question")
    return [row for row in rows if row.part != "train" or str(row.question.number) in ids]


def vocabulary_of(rows: Sequence[Asked], dataset: Dataset, vocabulary: Vocabulary, *, least: int) -> tuple[tuple[str, ...], str]:
    """The answers to choose from, and in words which questions they are from."""
    parts, said = {"train"}, "the published train part"
    if vocabulary == "train":
        said = "the train and validation rows of this corpus"
    elif dataset == "v2":
        parts, said = {"train", "test"}, "train and val, the rows that test among them"
    main = {row.question.number: row.annotation.main for row in rows if row.annotation and row.part in parts}
    answers = build_vocabulary(main, least=least)
    return answers, f"{len(answers)} main answers of {least} questions or more, of {said}"


def place(pictures: Pictures, question: Question) -> str:
    """The picture's file: in the folder of its COCO split where there is one, else beside all others."""
    inside = f"{question.coco_split}/{question.picture}"
    return inside if (pictures.folder / question.coco_split).is_dir() else question.picture


def split_of(corpus: Corpus, parts: Sequence[str], groups: Sequence[str], *, valid: float, seed: int) -> Split:
    """The published parts, with train pictures drawn to validate."""
    trained = sorted({group for group, part in zip(groups, parts, strict=True) if part == "train"})
    many = max(1, round(valid * len(trained))) if valid else 0
    if many >= len(trained):
        raise ValueError(f"{len(trained)} pictures to train on; too few to hold {many} out for validation")
    held = set(np.random.default_rng(seed).permutation(trained)[:many].tolist())
    named = ["valid" if part == "train" and group in held else part for group, part in zip(groups, parts, strict=True)]
    return replace(given_split(corpus, name="given", parts=named), seed=seed)
