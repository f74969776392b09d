"""Choices: what there is to choose from. docs/pages.py reads it off the code, so that listing it need not import the code."""

from pathlib import Path
from typing import Any

from understudy.process.document import Shape
from understudy.process.whole import read_json

PATH = Path(__file__).with_name("choices.json")
CHOICES: Shape = {
    "methods": {...: {"about": str, "options": str}},
    "encoders": {...: [str]},
    "fusions": [str],
    "objectives": [str],
}


def choices() -> dict[str, Any]:
    """Methods with their first docstring line and options, encoders by kind of modality, fusions, objectives."""
    return read_json(PATH, CHOICES)
