"""Students in a browser: what their static pages answer against `predict`, and how soon after a page is opened.

python -m benchmarks.browser     # needs chromium and npm's registry
"""

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from tests.serve.browser import CHROMIUM, Browser, files_of
from tests.serve.made_pages import MODALITIES, ROWS, TASKS, cells, rows_of, shipped, wide
from tests.serve.npm import install

from benchmarks.artifact_speed import MINILM, TINY
from benchmarks.record import table, write_result
from understudy.artifact import Artifact
from understudy.serve.browser import write_page
from understudy.serve.question import Question
from understudy.serve.rows import predict_rows

GOALS = {"max_difference": ("<=", 1e-4)}
ROUNDS = 7
LARGE = "minilm-sized"
"""A text student of six layers of 384, whose page is the one that is timed."""
PREDICT = "import('./assets/student.js').then(s => s.open('artifact/')).then(s => s.predict({}))"
ANSWERED = "document.querySelector('article > :is(.answer, p:not(.wrong))') !== null"


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="understudy-browser-") as name:
        folder = Path(name)
        try:
            if CHROMIUM is None:
                raise RuntimeError("no chromium here; Debian and Ubuntu: apt-get install chromium")
            modules = install(folder)
        except RuntimeError as error:
            if quick:
                return print(error)
            raise
        rows = measured(folder, modules, quick)
    if quick:
        return
    figures = {"max_difference": max(row["difference"] for row in rows)} | {
        f"first_answer_seconds_{row['student']}": row["seconds"] for row in rows if row["student"] in (LARGE, "class")
    }
    figures |= {"first_answer_seconds": figures.pop(f"first_answer_seconds_{LARGE}")}
    write_result("browser", figures=figures, rows=rows, seeds=[0], text=page(figures, rows))


def measured(folder: Path, modules: Path, quick: bool) -> list[dict[str, Any]]:
    """A row for each student: the largest difference, and the median seconds from opening its page to its sample's answer."""
    for which in ("several",) if quick else TASKS:
        write_page(shipped(which, folder / f"made-{which}"), modules, folder / "pages" / which)
    write_page(wide(folder / "made-wide", TINY if quick else MINILM), modules, folder / "pages" / LARGE)
    found = []
    browser = Browser(folder / "profile")
    try:
        with files_of(folder / "pages") as url:
            for path in sorted((folder / "pages").iterdir()):
                rows = asked(path.name)
                browser.open(f"{url}{path.name}/")
                off = max(map(difference, browser.ask(PREDICT.format(json.dumps(rows))), answered(path / "artifact", rows)))
                seconds = [first_answer(browser, f"{url}{path.name}/") for _ in range(1 if quick else ROUNDS)]
                size = sum(each.stat().st_size for each in path.rglob("*") if each.is_file()) / 2**20
                found.append(
                    {"student": path.name, "rows": len(rows), "difference": off, "seconds": median(seconds), "mib": size}
                )
    finally:
        browser.close()
    return found


def asked(which: str) -> list[dict[str, Any]]:
    """Rows as people type them, and a drawn one for each of the corpus, of all columns that the student reads."""
    reads = ("said",) if which == LARGE else TASKS[which][1]
    drawn = cells(np.random.default_rng(9))
    rows: list[dict[str, Any]] = [{} for _ in range(ROWS)]
    for name in reads:
        modality, values = MODALITIES[name], drawn[name].values
        for place, row in enumerate(rows):
            here = drawn[name].present[place]
            if modality.kind == "table":
                row |= {column: plain(values[column][place]) if here else None for column in modality.source}
            else:
                cell = plain(values[place]) if here else [None] * len(modality.source)
                row |= dict(zip(modality.source, cell if len(modality.source) > 1 else [cell if here else None], strict=True))
    return [*(rows_of(which) if which in TASKS else []), *rows]


def plain(value: Any) -> Any:
    """As JSON has it."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else list(value) if isinstance(value, tuple) else value


def answered(folder: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `predict` says, of each row by itself."""
    artifact = Artifact(folder)
    return [predict_rows(artifact, Question([row]))["predictions"][0] for row in rows]


def difference(there: dict[str, Any], here: dict[str, Any]) -> float:
    """The largest of a row's numbers, relative to those above 1; infinite where anything else differs."""
    if list(there) != list(here):
        return np.inf
    pairs = [
        (np.ravel(a), np.ravel(b)) for a, b in zip(there.values(), here.values(), strict=True) if isinstance(b, float | list)
    ]
    others = [(a, b) for a, b in zip(there.values(), here.values(), strict=True) if not isinstance(b, float | list)]
    if any(a != b for a, b in others) or any(a.shape != b.shape for a, b in pairs):
        return np.inf
    return max((float(np.max(np.abs(a - b) / np.maximum(1, np.abs(b)))) for a, b in pairs), default=0.0)


def first_answer(browser: Browser, url: str) -> float:
    """Seconds from the request for a page to the answer to its sample; libraries and weights come from the same machine."""
    begun = perf_counter()
    browser.open(url)
    browser.ask("document.querySelector('form').requestSubmit()")
    browser.wait(ANSWERED)
    return perf_counter() - begun


def page(figures: dict[str, float], rows: list[dict[str, Any]]) -> str:
    """What was done, and the table."""
    lines = [
        [row["student"], row["rows"], f"{row['difference']:.1e}", f"{row['seconds']:.2f}", f"{row['mib']:.0f}"] for row in rows
    ]
    return f"""# In a browser

Untrained students of every kind of numbers, words and tables as static pages (`export --browser`) in headless Chromium, one thread of
WebAssembly, against `predict` of the same artifact on the same rows: drawn ones, and rows as people type them (blank cells, words of
many scripts, texts beyond the limit). Largest difference: {figures["max_difference"]:.1e} (goal: at most
{GOALS["max_difference"][1]:g}), relative where a number is above 1. Seconds: median of {ROUNDS} from the request for the page, which is served by the same
machine, to the answer to its sample; MiB: of the whole page.

{table(["student", "rows", "largest difference", "seconds to the first answer", "MiB"], lines)}
"""


if __name__ == "__main__":
    main()
