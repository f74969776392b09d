"""The page: one form made from the contract, self-contained. Every name in it is escaped."""

import json
from html import escape
from pathlib import Path
from string import Template

from understudy.artifact.contract import Contract
from understudy.prepare.cells import Modality
from understudy.prepare.source import source_columns

FEW = 12
"""Number columns that get a box each; more share one box."""


def page(contract: Contract) -> str:
    """HTML with inline style and script; no other request than POST /predict."""
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    groups = "\n".join(group(name, modality) for name, modality in contract.modalities.items())
    return template.substitute(name=escape(contract.name), groups=groups, answer=escape(answer(contract)))


def answer(contract: Contract) -> str:
    """What comes out, in a few words."""
    if contract.branches:
        return f"an embedding of {' and of '.join(contract.branches)}"
    if contract.choices:
        return f"the place of one of {contract.choices} choices, from 0"
    if contract.apart:
        return f"the likeliest of {len(contract.classes)} answers"
    if contract.classes:
        return f"one of {len(contract.classes)} classes"
    return f"a number in {contract.task['unit']}" if contract.task.get("unit") else "a number"


def group(name: str, modality: Modality) -> str:
    """The boxes of one modality."""
    columns = source_columns(name, modality)
    boxes = "\n".join(fields(modality, columns))
    return f"<fieldset><legend>{escape(name)} <small>{modality.kind}</small></legend>\n{boxes}\n</fieldset>"


def fields(modality: Modality, columns: tuple[str, ...]) -> list[str]:
    """One labelled box a column, or one for many number columns."""
    match modality.kind:
        case "choices" if len(columns) == 1:
            hint = f"{columns[0]}: {modality.width} choices, one a line"
            return [box("lines", list(columns), hint, '<textarea rows="4"></textarea>')]
        case "text" | "choices":
            return [box("text", [c], c, '<textarea rows="4"></textarea>') for c in columns]
        case "image" | "audio" | "video":
            return [box("file", [c], c, f'<input type="file" accept="{modality.kind}/*">') for c in columns]
        case "table":
            numbers = {c for c in columns if modality.columns.get(c) == "number"}
            return [box("number" if c in numbers else "text", [c], c, number() if c in numbers else "<input>") for c in columns]
        case "sequence":
            hint = f"one step a line, {modality.width} numbers each"
            return [box("steps", [c], f"{c}: {hint}", '<textarea rows="4"></textarea>') for c in columns]
        case "regions":
            hint = f"one region a line: x1 y1 x2 y2 in shares of the picture, then {modality.width} numbers"
            return [box("steps", [c], f"{c}: {hint}", '<textarea rows="4"></textarea>') for c in columns]
        case "vector" if len(columns) == 1:
            return [box("numbers", list(columns), f"{columns[0]}: {modality.width} numbers", '<textarea rows="4"></textarea>')]
        case "vector" if len(columns) > FEW:
            label = f"{len(columns)} numbers, {columns[0]} to {columns[-1]}"
            return [box("spread", list(columns), label, '<textarea rows="4"></textarea>')]
    return [box("number", [c], c, number()) for c in columns]


def number() -> str:
    """A box for one number."""
    return '<input type="number" step="any">'


def box(how: str, columns: list[str], label: str, control: str) -> str:
    """A labelled control; how: the way in which the script reads it."""
    data = escape(json.dumps(columns), quote=True)
    return f'<label data-how="{how}" data-columns="{data}"><span>{escape(label)}</span>{control}</label>'
