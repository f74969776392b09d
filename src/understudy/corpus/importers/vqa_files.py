"""Files of VQA v2 and VQA-CP v2: questions, annotations and results, as a bare list or in their envelope."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.corpus.importers.json_rows import Row, field, read_json
from understudy.tasks.vqa import ANSWERS


@dataclass(frozen=True)
class Question:
    """coco_split: the folder of COCO that holds the picture, train2014, val2014 or test2015."""

    number: int
    image: int
    text: str
    coco_split: str
    where: str

    @property
    def picture(self) -> str:
        """COCO's name of the file."""
        return f"COCO_{self.coco_split}_{self.image:012d}.jpg"


@dataclass(frozen=True)
class Annotation:
    """The raw answers of a question, the main one of them, and what kind of question it is."""

    number: int
    image: int
    answers: tuple[str, ...]
    main: str
    question_type: str
    answer_type: str
    where: str


def entries(path: Path, key: str) -> Iterator[tuple[str, Row]]:
    """Each object of a list, bare or under `key` of an envelope, with where it stands."""
    found = read_json(path)
    if isinstance(found, dict):
        found = found.get(key)
    if not isinstance(found, list) or not found:
        raise ValueError(f"{path}: expected a list, or an object with the list {key!r}, that is not empty")
    for number, entry in enumerate(found, start=1):
        where = f"{path}, entry {number}"
        if not isinstance(entry, dict):
            raise ValueError(f"{where}: {type(entry).__name__} given; expected an object")
        yield where, entry


def read_questions(path: Path, *, coco_split: str = "") -> dict[int, Question]:
    """By id. coco_split: where all their pictures are; "" where each question says it (VQA-CP)."""
    found: dict[int, Question] = {}
    for where, row in entries(path, "questions"):
        number, image = (whole(row, name, where) for name in ("question_id", "image_id"))
        split = coco_split or field(row, "coco_split", str, where)
        if not coco_split and split not in ("train2014", "val2014"):
            raise ValueError(f"{where}: coco_split {split!r}; expected train2014 or val2014")
        once(found, number, where)
        found[number] = Question(number, image, field(row, "question", str, where), split, where)
    return found


def read_answers(path: Path) -> dict[int, Annotation]:
    """Annotations by the id of their question."""
    found: dict[int, Annotation] = {}
    for where, row in entries(path, "annotations"):
        number, image = (whole(row, name, where) for name in ("question_id", "image_id"))
        once(found, number, where)
        listed = field(row, "answers", list, where)
        if len(listed) != ANSWERS:
            raise ValueError(f"{where}: {len(listed)} answers to question {number}; expected {ANSWERS}")
        answers = tuple(said for each in listed if isinstance(each, dict) and isinstance(said := each.get("answer"), str))
        if len(answers) != ANSWERS:
            raise ValueError(f"{where}: an answer to question {number} has no text in 'answer'")
        main, asked, answered = (
            field(row, name, str, where) for name in ("multiple_choice_answer", "question_type", "answer_type")
        )
        found[number] = Annotation(number, image, answers, main, asked, answered, where)
    return found


def matched(questions: dict[int, Question], annotations: dict[int, Annotation]) -> Iterator[tuple[Question, Annotation]]:
    """Each question with its annotation; ValueError for one without the other, or of another picture."""
    for number, annotation in annotations.items():
        if number not in questions:
            raise ValueError(f"{annotation.where}: question {number} is unknown; no question has that id")
    for number, question in questions.items():
        if number not in annotations:
            raise ValueError(f"{question.where}: question {number} has no annotation")
        if annotations[number].image != question.image:
            raise ValueError(
                f"{annotations[number].where}: image {annotations[number].image}, but {question.where} has {question.image}"
            )
        yield question, annotations[number]


def read_results(path: Path) -> dict[int, str]:
    """The answer to each question of a results file."""
    found: dict[int, str] = {}
    for where, row in entries(path, "results"):
        number = whole(row, "question_id", where)
        once(found, number, where)
        found[number] = field(row, "answer", str, where)
    return found


def whole(row: Row, name: str, where: str) -> int:
    """A whole number from 0."""
    found = field(row, name, int, where)
    if found < 0:
        raise ValueError(f"{where}: {name!r} is {found}; expected a whole number from 0")
    return found


def once(found: dict[int, Any], number: int, where: str) -> None:
    """ValueError for an id that stands twice."""
    if number in found:
        said = getattr(found[number], "where", "an entry before")
        raise ValueError(f"{where}: question_id {number} stands in {said} too")
