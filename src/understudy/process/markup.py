"""Markup: what a notebook shows of an object: a line and a table, everything escaped."""

from collections.abc import Sequence
from html import escape

Cell = object


def shown(line: str, head: Sequence[str] = (), rows: Sequence[Sequence[Cell]] = (), *, below: Sequence[str] = ()) -> str:
    """A line, a table under it where there are rows, and lines below. Numbers stand to the right."""
    parts = [f"<p>{escape(line)}</p>"]
    if rows:
        titles = "".join(f"<th>{escape(each)}</th>" for each in head)
        body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
        parts.append(f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>")
    if below:
        parts.append(f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in below)}</ul>")
    return "".join(parts)


def cell(value: Cell) -> str:
    """One cell: four digits of a number with a fraction."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        said = f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
        return f'<td style="text-align: right">{said}</td>'
    return f"<td>{escape(str(value))}</td>"
