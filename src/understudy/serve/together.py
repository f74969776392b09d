"""Together: questions of few rows that come at about the same time are answered in one run (micro-batching). No torch."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from understudy.artifact.answers import joined
from understudy.artifact.predict import Artifact
from understudy.prepare.faults import Fault
from understudy.prepare.frames import Answer, Answers
from understudy.prepare.reader import OnError
from understudy.serve.question import Question
from understudy.serve.rows import Said, document, pieces, predict_rows

MOST_TOGETHER = 256
"""Rows of one run."""
FEW = 32
"""Rows up to which a question waits for others: more fill a run by themselves."""
Outcome = Said | Exception


@dataclass(frozen=True, eq=False)
class Waiting:
    """A question, and where its answer goes."""

    question: Question
    outcome: "asyncio.Future[Said]"


class Together:
    """One artifact's queue. Used from one event loop; runs take turns in `executor`.

    wait: seconds that a run is held for more questions to come, where the run before had several; a question that comes alone
    is answered at once. While one run computes, the next one gathers.
    """

    def __init__(self, artifact: Artifact, executor: Executor, *, wait: float, on_error: OnError) -> None:
        self.artifact, self.executor, self.wait = artifact, executor, wait
        self.on_error: OnError = on_error
        self._waiting: deque[Waiting] = deque()
        self._runs: asyncio.Task[None] | None = None

    def takes(self, question: Question) -> bool:
        """Whether a question may wait for others: a few rows without media, which are read one by one."""
        return bool(self.wait) and self.artifact.light and 0 < len(question.rows) <= FEW

    def ask(self, question: Question) -> "asyncio.Future[Said]":
        """What it will be answered; who cancels it wants no answer."""
        outcome: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(question, outcome))
        if self._runs is None or self._runs.done():
            self._runs = asyncio.create_task(self._run())
        return outcome

    async def _run(self) -> None:
        """One run after the other until nobody waits."""
        busy = False
        while self._waiting:
            if busy:
                await asyncio.sleep(self.wait)
            batch = self._next()
            busy = len(batch) > 1
            questions = [each.question for each in batch]
            try:
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(self.executor, predict_together, self.artifact, questions, self.on_error)
            except Exception as error:
                found = [error] * len(batch)
            for each, outcome in zip(batch, found, strict=True):
                if each.outcome.done():
                    continue
                if isinstance(outcome, Exception):
                    each.outcome.set_exception(outcome)
                else:
                    each.outcome.set_result(outcome)

    def _next(self) -> list[Waiting]:
        """The first that waits, and others of its manner, in their order; who is gone is left out."""
        batch: list[Waiting] = []
        rows, others = 0, deque[Waiting]()
        while self._waiting:
            each = self._waiting.popleft()
            if each.outcome.done():
                continue
            alike = not batch or each.question.manner == batch[0].question.manner
            if alike and rows + len(each.question.rows) <= MOST_TOGETHER:
                batch.append(each)
                rows += len(each.question.rows)
            else:
                others.append(each)
        self._waiting = others
        return batch


def predict_together(artifact: Artifact, questions: Sequence[Question], on_error: OnError) -> list[Outcome]:
    """What each of several questions of one manner is answered, or what it raises: as `predict_rows` would, in one run.

    Where a row of one of them is at fault each is asked alone, so that it is told of its own rows.
    """
    if len(questions) > 1:
        faults: list[Fault] | None = [] if on_error == "skip" else None
        rows = [row for each in questions for row in each.rows]
        try:
            answers = joined([*pieces(artifact, replace(questions[0], rows=rows), faults=faults)])
            if not faults:
                return apart(artifact, questions, answers, faults)
        except ValueError:
            pass
    return [alone(artifact, each, on_error) for each in questions]


def apart(artifact: Artifact, questions: Sequence[Question], answers: Answers, faults: list[Fault] | None) -> list[Outcome]:
    """Each question's own part of the answers to all of them."""
    found: list[Outcome] = []
    start = 0
    for each in questions:
        own = slice(start, start := start + len(each.rows))
        part = {n: Answer(a.values[own], None if a.absent is None else a.absent[own]) for n, a in answers.items()}
        found.append(document(artifact, each, part, faults))
    return found


def alone(artifact: Artifact, question: Question, on_error: OnError) -> Outcome:
    """The same of one."""
    try:
        return predict_rows(artifact, question, on_error=on_error)
    except ValueError as error:
        return error
