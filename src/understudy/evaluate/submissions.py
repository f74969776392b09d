"""Submissions: files of VCR, VQA and SNLI-VE answers, written whole or not at all, and scored. Torch-free."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from understudy.corpus.importers.json_rows import field, opened_text, read_lines
from understudy.corpus.importers.snli_ve import LABELS
from understudy.corpus.importers.vcr_annotations import CHOICES, read_annotations
from understudy.corpus.importers.vqa_files import read_answers, read_results
from understudy.evaluate.entailment import entailment_scores
from understudy.evaluate.predictions import Array
from understudy.evaluate.vcr import stages_of_scores
from understudy.process.whole import whole_file, write_json
from understudy.tasks.vqa import vqa_scores

COLUMNS = (
    "annot_id",
    *(f"answer_{choice}" for choice in range(CHOICES)),
    *(f"rationale_conditioned_on_a{answer}_{choice}" for answer in range(CHOICES) for choice in range(CHOICES)),
)
"""Of VCR's file: 1 + 20."""


def write_vcr(path: Path, scores: Mapping[str, Array]) -> None:
    """Annotation id -> probabilities `[5 4]`: of the answers, then of the rationales given each answer, as VCR asks.

    ValueError for anything else, before a file is there.
    """
    if not scores:
        raise ValueError("there are no annotations to hand in")
    for name, each in scores.items():
        fair = each.shape == (1 + CHOICES, CHOICES) and (each >= 0).all() and np.allclose(each.sum(axis=1), 1, atol=1e-3)
        if not fair:
            raise ValueError(f"annotation {name!r}: scores {each.tolist()}; expected five times four probabilities")
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([name, *(f"{number:.6f}" for number in each.ravel().tolist())] for name, each in scores.items())


def read_vcr(path: Path) -> dict[str, Array]:
    """What `write_vcr` wrote; ValueError names the line that is wrong."""
    found: dict[str, Array] = {}
    for where, row in csv_rows(path):
        try:
            numbers = np.array(row[1:], np.float64).reshape(1 + CHOICES, CHOICES)
        except ValueError:
            raise ValueError(f"{where}: {len(row)} cells; expected an annot_id and {len(COLUMNS) - 1} numbers") from None
        if not np.isfinite(numbers).all():
            raise ValueError(f"{where}: a score is not finite")
        if row[0] in found:
            raise ValueError(f"{where}: annot_id {row[0]!r} stands twice")
        found[row[0]] = numbers
    return found


def csv_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The rows behind VCR's columns, with where they stand."""
    with opened_text(path) as opened:
        rows = csv.reader(opened)
        try:
            if tuple(next(rows, ())) != COLUMNS:
                raise ValueError(f"{path}: expected the columns annot_id, answer_0 to {COLUMNS[-1]}, {len(COLUMNS)} in order")
            for row in rows:
                yield f"{path}, line {rows.line_num}", row
        except csv.Error as error:
            raise ValueError(f"{path}, line {rows.line_num}: {error}") from None


def score_vcr(path: Path, annotations: Path) -> dict[str, float]:
    """Q->A, QA->R (given the right answer) and Q->AR of a file of all annotations of a labelled jsonl."""
    rows = {row["annot_id"]: row for _, row in read_annotations(annotations, labelled=True)}
    scores = read_vcr(path)
    same_ids(path, scores, rows)
    answer, rationale = (np.array([row[f"{stage}_label"] for row in rows.values()]) for stage in ("answer", "rationale"))
    each = np.stack([scores[name] for name in rows])
    given = each[np.arange(len(each)), 1 + answer]
    return stages_of_scores(each[:, 0], given, answer, rationale).metrics() | {"examples": float(len(rows))}


def write_vqa(path: Path, answers: Mapping[int, str]) -> None:
    """Question id -> answer, as a list of {"question_id", "answer"}."""
    if not answers:
        raise ValueError("there are no questions to hand in")
    write_json(path, [{"question_id": number, "answer": answer} for number, answer in answers.items()])


def score_vqa(path: Path, annotations: Path) -> dict[str, dict[str, float]]:
    """Official accuracy in percent, over all, by answer type and by question type; the ids must be exactly those annotated."""
    answers, known = read_results(path), read_answers(annotations)
    same_ids(path, answers, known)
    rows = list(known.values())
    kinds = {"answer_type": [row.answer_type for row in rows], "question_type": [row.question_type for row in rows]}
    return vqa_scores([answers[number] for number in known], [row.answers for row in rows], kinds)


def score_entailment(path: Path, annotations: Path) -> dict[str, float]:
    """Accuracy over all and by class, of JSON lines with `pairID` and `label` (a layout of ours) against a file of SNLI-VE."""
    said, known = (labels_of(*each) for each in ((path, "label"), (annotations, "gold_label")))
    same_ids(path, said, known)
    return entailment_scores([said[name] for name in known], list(known.values())) | {"rows": float(len(known))}


def labels_of(path: Path, key: str) -> dict[str, str]:
    """The class of each pair."""
    found: dict[str, str] = {}
    for where, row in read_lines(path):
        name, label = field(row, "pairID", str, where), field(row, key, str, where)
        if label not in LABELS or name in found:
            said = f"{key} {label!r} is none of {', '.join(LABELS)}" if name not in found else f"pairID {name!r} stands twice"
            raise ValueError(f"{where}: {said}")
        found[name] = label
    if not found:
        raise ValueError(f"{path} holds no rows")
    return found


def same_ids(path: Path, given: Iterable[Any], wanted: Iterable[Any]) -> None:
    """ValueError unless a file answers exactly what is annotated."""
    given, wanted = set(given), set(wanted)
    missing, unknown = wanted - given, given - wanted
    if missing or unknown:
        first = f"the first that lacks {min(missing)!r}" if missing else f"the first unknown {min(unknown)!r}"
        raise ValueError(f"{path}: {len(missing)} ids are missing and {len(unknown)} unknown; {first}")
