"""The page: one form made from the contract, and assets of its own. Every name in it is escaped. No torch."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from understudy.artifact.contract import Contract
from understudy.prepare.cells import Modality
from understudy.prepare.source import source_columns
from understudy.serve.shown import Shown

FEW = 12
"""Number columns that get a box each; more share one box."""
FOLDER = Path(__file__).with_name("assets")
ASSETS = {"page.css": "text/css", "page.js": "text/javascript", "ask.js": "text/javascript"}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, and no script that stands in the page."""
SERVICE = (
    '<details id="curl"><summary>The same from a shell</summary><pre tabindex="0"></pre>'
    '<button type="button" class="quiet">Copy</button></details>\n'
    '<footer><a href="docs">Reference</a> <a href="openapi.json">openapi.json</a> <a href="metrics">metrics</a></footer>'
)
"""What stands below the page of a service."""
COVERAGE = 0.9
"""Asked of models that know it."""


def page(shown: Sequence[Shown], chosen: Shown, *, head: str = "", foot: str = SERVICE) -> str:
    """HTML. Models of the same task as `chosen` are asked beside it; its form has what any of them reads.

    head, foot: HTML for the document's head, and below the form.
    """
    beside = [chosen, *(each for each in shown if each is not chosen and comparable(each, chosen))]
    groups: dict[tuple[str, ...], str] = {}
    for each in beside:
        for name, modality in each.artifact.modalities.items():
            by = "" if each is chosen else f", read by {each.name}"
            groups.setdefault(source_columns(name, modality), group(name, modality, by))
    more = f" Beside it: {', '.join(each.name for each in beside[1:])}." if len(beside) > 1 else ""
    template = Template((FOLDER / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        name=escape(chosen.name),
        groups="\n".join(groups.values()),
        answer=escape(answer(chosen.artifact.contract)),
        beside=escape(more),
        others=others(shown, chosen),
        head=head,
        foot=foot,
        # Inside of a script element nothing but `</` ends it.
        models=json.dumps([known(each) for each in beside]).replace("<", "\\u003c"),
    )


def asset(name: str) -> str:
    """A file of the page's own."""
    return (FOLDER / name).read_text(encoding="utf-8")


def others(shown: Sequence[Shown], chosen: Shown) -> str:
    """Links to the pages of the other models."""
    links = [f'<a href="./?model={quote(each.name)}">{escape(each.name)}</a>' for each in shown if each is not chosen]
    return f"<p>Pages of other models: {', '.join(links)}</p>" if links else ""


def comparable(one: Shown, other: Shown) -> bool:
    """Whether two answer the same question."""
    a, b = one.artifact.contract, other.artifact.contract
    return (a.task["kind"], a.classes, a.choices, a.task.get("unit")) == (
        b.task["kind"],
        b.classes,
        b.choices,
        b.task.get("unit"),
    )


def known(shown: Shown) -> Mapping[str, Any]:
    """What the script has to know of a model."""
    contract = shown.artifact.contract
    return {
        "name": shown.name,
        "modalities": {name: list(source_columns(name, modality)) for name, modality in contract.modalities.items()},
        "coverage": COVERAGE if contract.confidence and contract.confidence.most >= COVERAGE else 0,
        "metric": shown.missing.get("metric", ""),
        "scores": shown.missing.get("scores", {}),
        "sample": shown.sample.rows[0],
    }


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


def group(name: str, modality: Modality, by: str) -> str:
    """The boxes of one modality; by: which other model reads it."""
    columns = source_columns(name, modality)
    boxes = "\n".join(fields(modality, columns))
    return f"<fieldset><legend>{escape(name)} <small>{escape(modality.kind + by)}</small></legend>\n{boxes}\n</fieldset>"


def fields(modality: Modality, columns: tuple[str, ...]) -> list[str]:
    """One labelled box a column, or one for many number columns."""
    match modality.kind:
        case "choices" if len(columns) == 1:
            hint = f"{columns[0]}: {modality.width} choices, one a line"
            return [box("lines", list(columns), hint, '<textarea rows="4"></textarea>')]
        case "text" | "choices":
            return [box("text", [c], c, '<textarea rows="4"></textarea>') for c in columns]
        case "image" | "audio" | "video":
            return [box("file", [c], c, f'<input type="file" accept="{modality.kind}/*">', modality.kind) for c in columns]
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


def box(how: str, columns: list[str], label: str, control: str, kind: str = "") -> str:
    """A labelled control; how: the way in which the script reads it; kind: of a medium."""
    data = escape(json.dumps(columns), quote=True)
    return f'<label data-how="{how}" data-kind="{kind}" data-columns="{data}"><span>{escape(label)}</span>{control}</label>'
