"""Shown: an artifact with what a page or a description says of it. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.artifact.contract import MISSING, SCORES
from understudy.artifact.predict import Artifact
from understudy.process.whole import CHECKSUMS, read_json, sha256
from understudy.serve.question import Question
from understudy.serve.rows import Said, predict_rows
from understudy.serve.sample import sample_of


@dataclass(frozen=True, eq=False)
class Shown:
    """One artifact as it was read. revision: of its files. sample: a made-up row, and what is answered to it.

    missing: as `artifact.missing` found what absent modalities cost; card: Markdown.
    """

    name: str
    artifact: Artifact
    revision: str
    sample: Question
    answer: Said
    missing: Mapping[str, Any]
    card: str


def show(name: str, folder: Path) -> Shown:
    """The artifact of a folder; FileNotFoundError or ValueError as `Artifact`."""
    artifact = Artifact(folder)
    # Taken after all files were held against it.
    revision = sha256(folder / CHECKSUMS)[:12]
    sample, card = Question([sample_of(artifact)], model=name), folder / "card.md"
    answer = {key: value for key, value in predict_rows(artifact, sample, on_error="skip").items() if key != "errors"}
    missing = read_json(folder / MISSING, SCORES) if (folder / MISSING).is_file() else {}
    return Shown(name, artifact, revision, sample, answer, missing, card.read_text(encoding="utf-8") if card.is_file() else "")
