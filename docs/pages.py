"""Writes docs/methods/NAME.md from each method's own docstring; --check fails when a page is not what the code says."""

import inspect
import re
import sys
from pathlib import Path

from understudy.methods import CATALOGUE
from understudy.recipes.distill import options_of

PAGES = Path(__file__).parent / "methods"
KEY = re.compile(r"^(Idea|Paper|Differs|Use when|Related): ", re.MULTILINE)
NOTE = "Implements the stated objective; details marked ours are our own; published numbers not reproduced unless measured."


def page(name: str) -> str:
    """One method's page: the file's docstring, the class's, and the options."""
    method = CATALOGUE[name]
    module = inspect.getmodule(method)
    title, _, about = (inspect.getdoc(module) or "").partition("\n")
    rows = [f"| `{option}` | `{each.annotation}` | `{each.default}` |" for option, each in options_of(name).items()]
    rows = [row.replace("<class '", "").replace("'>", "") for row in rows]
    table = "\n".join(["| option | type | default |", "|---|---|---|", *rows]) if rows else "No options."
    parts = [f"# {name}", f"*{title.partition(': ')[2]}*", KEY.sub(r"\n**\1:** ", about).strip(), inspect.getdoc(method) or "", table, f"*{NOTE}*"]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the pages, or with --check say which are out of date."""
    wanted = {PAGES / f"{name}.md": page(name) for name in CATALOGUE}
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    extra = [path for path in PAGES.glob("*.md") if path not in wanted]
    if "--check" in sys.argv:
        for path in stale + extra:
            print(
                f"{path.relative_to(PAGES.parent.parent)} is not what the code says; run `python docs/pages.py`", file=sys.stderr
            )
        return 1 if stale or extra else 0
    PAGES.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    for path in extra:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
