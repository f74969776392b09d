"""Cascade: the rows that a student is least sure of are handed to a larger artifact that reads more. No torch."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.artifact.answers import Predicted, columns_of, whole
from understudy.artifact.confidence import NOTHING, Wish
from understudy.artifact.predict import Artifact
from understudy.prepare.faults import Fault
from understudy.prepare.frames import Answer, Answers


@dataclass(frozen=True, eq=False)
class Cascade:
    """A student and the artifact that it turns to for a share `budget` of the rows; both answer the same task.

    ValueError where they do not, or where the student cannot say how sure it is.
    """

    student: Artifact
    teacher: Artifact
    budget: float

    def __post_init__(self) -> None:
        if not 0 < self.budget <= 1:
            raise ValueError(f"budget={self.budget} given; expected the share of rows that the teacher may answer, such as 0.2")
        ours, theirs = self.student.contract, self.teacher.contract
        if (ours.task["kind"], ours.classes, ours.choices) != (theirs.task["kind"], theirs.classes, theirs.choices):
            raise ValueError(f"{ours.name} and {theirs.name} answer different tasks: a cascade needs two artifacts of one task")
        if ours.confidence is None:
            raise ValueError(f"{ours.name} does not say how sure it is: export it from a run with validation rows")

    def answer(
        self,
        table: pa.Table,
        *,
        folder: Path,
        only: Collection[str] | None = None,
        faults: list[Fault] | None = None,
        wish: Wish = NOTHING,
        first_row: int = 1,
    ) -> Answers:
        """As `Artifact.answer`, and a column `answered_by`: "student" or "teacher".

        only: what the student reads. Of the rows that are handed over those that the teacher has nothing of keep the student's
        answer; the surest rows never leave it. The columns of `wish.coverage` are not given: their coverage is the student's.
        """
        if wish.coverage:
            raise ValueError("coverage is of one artifact's answers, not of a cascade's; leave one or the other out")
        self.student.contract.refuse(wish)
        said = self.student.predict_table(table, folder=folder, only=only, faults=faults, first_row=first_row)
        own = whole([*said])
        rows = np.sort(self.least_sure(own))
        by_teacher = np.zeros(len(own.seen), dtype=bool)
        if len(rows):
            handed = table.take(pa.array(rows))
            theirs = whole([*self.teacher.predict_table(handed, folder=folder, faults=None if faults is None else [])])
            own.values[rows[theirs.seen]] = theirs.values[theirs.seen]
            by_teacher[rows[theirs.seen]] = True
        answers = columns_of(self.student.contract, Predicted(own.values, own.seen | by_teacher), wish)
        who = np.where(by_teacher, "teacher", "student").astype(object)
        return {**answers, "answered_by": Answer(who, answers["prediction"].absent)}

    def least_sure(self, predicted: Predicted) -> NDArray[np.intp]:
        """The places of the rows to hand over, from the least sure: first those that the student does not see."""
        assert self.student.contract.confidence is not None
        sureness = np.full(len(predicted.seen), -np.inf)
        sureness[predicted.seen] = self.student.contract.confidence.sureness(predicted.values[predicted.seen])
        return np.argsort(sureness, kind="stable")[: int(self.budget * len(sureness))]
