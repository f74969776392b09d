"""Verify: advice against what a distillation with all defaults then finds."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from understudy.corpus import Corpus, Split
from understudy.evaluate.advice import Advice
from understudy.evaluate.results import OPEN
from understudy.study.distill import distill


@dataclass(frozen=True)
class Verified:
    """The verdict of a run, and whether advice was right: "yes" then better, "no" then not; None where either decides nothing."""

    run: str
    verdict: str
    right: bool | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        told = {True: "the advice was right", False: "the advice was wrong", None: "that decides nothing about the advice"}
        return f"Trained in {self.run}: distilled is {self.verdict}; {told[self.right]}."


def verify(advice: Advice, corpus: Corpus, split: Split, *, out: Path, seeds: int = 5) -> Verified:
    """Train as `distill` does by default, score the test rows, and hold the advice against the verdict; the same call resumes."""
    run = distill(corpus, student=advice.student, split=split, seeds=seeds, out=out)
    open_ended = advice.verdict == "undecided" or run.verdict in OPEN
    return Verified(str(out), run.verdict, None if open_ended else (advice.verdict == "yes") == (run.verdict == "better"))
