"""A real text teacher, few labels: MiniLM into small students on stamps (caption and picture) and on MOSI (transcript).

python -m benchmarks.mad_text --data FOLDER --stamps FOLDER          either may be absent; the same command goes on
python -m benchmarks.mad_text --only stamps                         one set, in a process of its own; no table
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.few_rows import few_rows
from benchmarks.record import figures_of, write_result
from understudy.corpus.importers.mosi import import_mosi
from understudy.process.whole import write_json
from understudy.recipes.mad_text import SIZES, STEPS, TEXT, mosi_text, stamp_classes, stamps_text
from understudy.recipes.protocol_table import protocol_text
from understudy.recipes.vision_language import WEIGHTS

DRAWS = 5
SEEDS = (0,)


def rows_of(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of all sets, each naming its own."""
    return [{"set": name} | row for name, document in found.items() for row in document["rows"]]


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The tables, and what was done."""
    titles = {
        "stamps": "Stamps: caption and picture, eight folders",
        "mosi": "MOSI: transcripts, sentiment in [-3, 3] (smaller is better)",
    }
    tables = [f"## {titles[name]}\n\n{protocol_text(document)}" for name, document in found.items()]
    return f"""# A real text teacher and few labels

The teacher is all-MiniLM-L6-v2, frozen, with a linear head trained on the same labelled rows; it reads the text alone. Students are small and have no
pretrained weights: on the stamps one stream over English caption and picture, on MOSI a text encoder. Nested, stratified subsets of 50, 100 and 300 rows, of
the stamps by group, of MOSI by utterance, {DRAWS} draws, one seed each; {STEPS} steps everywhere, no validation rows, the last step counts. *naive*: MiniLM's pooled vectors alone, every row alike.
*mad*: also tokens, chosen by their cosine with the teacher's own vector of the text (a text teacher shares no space with pictures), each row weighted by how
probable the teacher finds the truth; distance InfoNCE in both. Control: random tokens at equal number. Each took one of the weights
{", ".join(f"{w:g}" for w in WEIGHTS)} on a quarter of its own rows (two draws). Plans and distance were fixed beforehand, not chosen on these sets.

Differences are paired by draw and row, signed so that positive is better: crossed bootstrap, 95 %; a verdict stands only where Holm's p over its column of the table
is at most .05; – is "not distinguishable".

{(chr(10) * 2).join(tables)}
"""


def quick(data: Path, stamps: Path) -> None:
    """One subset, one draw, one or two steps of two systems."""
    few: dict[str, Any] = {"sizes": (16,), "draws": 1, "seeds": 1, "weights": (1.0,), "steps": 2, "teacher_steps": 2}
    few["systems"] = {label: TEXT[label] for label in ("naive", "mad")}
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        if stamps.is_dir():
            stamp_classes(stamps, Path(folder) / "stamps" / "corpus", test=0.05)
            found["stamps"] = stamps_text(stamps, Path(folder) / "stamps", **few)
        elif data.is_dir():
            few_rows(import_mosi(data, Path(folder) / "mosi" / "corpus"), "sdk", train=64, valid=8, test=16)
            found["mosi"] = mosi_text(data, Path(folder) / "mosi", **few)
        page(found)
        figures_of(rows_of(found), "set", "size")


def main() -> None:
    """Play what is left; write results/mad_text.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mosi"))
    parser.add_argument("--stamps", type=Path, default=Path("/usr/share/tuxpaint/stamps"))
    parser.add_argument("--runs", type=Path, default=Path("runs/mad_text"))
    parser.add_argument("--only", choices=("stamps", "mosi"), help="train on this set; no table")
    parser.add_argument("--quick", action="store_true", help="a few rows; nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        quick(options.data, options.stamps)
        return
    sets = {"stamps": (options.stamps, stamps_text), "mosi": (options.data, mosi_text)}
    found = {}
    for name, (folder, play) in sets.items():
        home = options.runs / name
        if options.only in (None, name) and (folder.is_dir() or home.is_dir()):
            began = time.process_time()
            found[name] = play(folder, home, draws=DRAWS, seeds=SEEDS, sizes=SIZES)
            if not (home / "seconds.json").is_file():
                write_json(home / "seconds.json", {"cpu_seconds": time.process_time() - began})
    if options.only:
        return
    clocks = sum(json.loads(path.read_text())["cpu_seconds"] for path in options.runs.glob("*/seconds.json"))
    rows = rows_of(found)
    figures = figures_of(rows, "set", "size") | {"cpu_minutes": round(clocks / 60, 1)}
    write_result("mad_text", figures=figures, rows=rows, seeds=SEEDS, text=page(found))


if __name__ == "__main__":
    main()
