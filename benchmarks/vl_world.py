"""The picture world: few labels, all of them, and shifted rows; plain, naive, mad, its ablations and controls, beside the ceilings.

python -m benchmarks.vl_world                              everything, or what is left of it; then the table
python -m benchmarks.vl_world --prepare                    albums and teachers alone: before several processes share the rest
python -m benchmarks.vl_world --only entailment-1%         the parts whose names begin so, in a process of its own; no table
python -m benchmarks.vl_world --finished                   train nothing; the table of the tasks that are finished
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import figures_of, table, write_result
from understudy.corpus.low_shot import Size, size_name
from understudy.process.whole import write_json
from understudy.recipes.picture_teachers import Schooling
from understudy.recipes.picture_world import STEPS, WEIGHTS, picture_world, prepared
from understudy.recipes.protocol_table import protocol_text
from understudy.recipes.vision_systems import SYSTEMS
from understudy.worlds.picture_world.world import NAMES, Name

SIZES: tuple[Size, ...] = (0.01, 0.1, 1.0)
SCENE = 1
"""Plans were chosen on the albums of seed 0."""
SEEDS = (0, 1, 2)
DRAWS = 3


def parts(only: str) -> list[tuple[Name, Size]]:
    """Tasks and sizes whose name, `choice-10%`, begins with `only`; each in folders that no other part touches."""
    return [(name, size) for name in NAMES for size in SIZES if f"{name}-{size_name(size)}".startswith(only)]


def play(runs: Path, name: Name, **changes: Any) -> dict[str, Any]:
    """The document of a task; empty while a size is missing."""
    arguments: dict[str, Any] = {"sizes": SIZES, "draws": DRAWS, "seeds": SEEDS, "scene": SCENE} | changes
    return picture_world(runs, name=name, systems=SYSTEMS, **arguments)


def clocked(runs: Path, name: Name, size: Size) -> None:
    """Play a part, and note the processor's time; a part that was interrupted notes what was left of it."""
    began = time.process_time()
    play(runs, name, only=[size])
    path = runs / name / f"seconds-{size_name(size)}.json"
    if not path.is_file():
        write_json(path, {"cpu_seconds": round(time.process_time() - began, 1)})


def rows_of(documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of all tasks, each naming its own."""
    return [{"task": document["task"]} | row for document in documents for row in document["rows"]]


def ceilings(documents: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Figures: entailment_ceiling_text_shifted and so on."""
    return {
        f"{document['task']}_ceiling_{what}_{test}": round(value, 4)
        for document in documents
        for what, tests in document["ceilings"].items()
        for test, value in tests.items()
    }


def page(documents: Sequence[Mapping[str, Any]], teachers: Mapping[str, Any]) -> str:
    """The tables, and what was done."""
    told = teachers["schooling"]
    texts = []
    for document in documents:
        lines = [[what, *(f"{value:.3f}" for value in tests.values())] for what, tests in document["ceilings"].items()]
        best = table(["the best that ... allows", "given", "shifted"], lines)
        texts.append(f"## {document['task']}\n\n{best}\n\n{protocol_text(document)}")
    return f"""# The picture world

Made pictures (32 x 32) with claims (entailment, neutral, contradiction), questions (ten made annotators, official VQA accuracy) and four-way choices (answer and
rationale), drawn by `understudy.worlds.picture_world`; see `docs/guide/picture_world.md`. 10,000 train rows, 1,000 test rows like them (*given*), 1,000 on which
the words mislead (*shifted*). Ceilings are exact; *shifted* holds the best rules that can be learnt on rows like the train rows. The student reads words
and regions through one stream (depth 1, width 64); the teacher is a CLIP's two towers, trained on {told["pairs"]:,} other made pictures with captions
(a held-out picture finds its caption among 100 with {teachers["clip_top1_of_100"]:.2f}), and linear heads trained on the same labelled rows. Sizes are shares of the train rows,
drawn by picture, nested and stratified; {DRAWS} draws x {len(SEEDS)} seeds (of all rows, {len(SEEDS)} seeds); {STEPS} steps everywhere; no validation rows, the last step
counts. Each of naive, mad and the two controls took one of the weights {", ".join(f"{w:g}" for w in WEIGHTS)} by its mean score on a quarter of its own train rows (two draws, one seed);
ablations have mad's. Distance: InfoNCE, in naive distillation too. Nothing was chosen on these test or shifted rows: plans come from albums of another seed. *naive*: the pooled vectors alone, weighted alike.

Accuracy, mean ± deviation over draws and seeds. Differences are paired by draw, seed and row: crossed bootstrap over trainings and pictures, 95 %; a verdict stands
only where Holm's p over its column of this table is at most .05; – is "not distinguishable".

{(chr(10) * 2).join(texts)}
"""


def quick(folder: Path) -> None:
    """One task, one subset, one seed, a step or two; two systems."""
    rows = {"train": 48, "test": 12, "shifted": 12}
    school = Schooling(pairs=64, epochs=1, batch=32, width=16, depth=1)
    few = {label: SYSTEMS[label] for label in ("naive", "mad")}
    arguments: dict[str, Any] = {"rows": rows, "schooling": school, "systems": few, "sizes": (0.5,), "draws": 1, "seeds": 1}
    document = picture_world(folder, weights=(1.0,), steps=2, teacher_steps=2, **arguments)
    teachers = json.loads((folder / "teachers" / "about.json").read_text(encoding="utf-8"))
    assert "against plain" in document["rows"][-1]
    page([document], teachers)
    figures_of(rows_of([document]), "task", "size", "test")
    ceilings([document])


def main() -> None:
    """Play what is left; write results/vl_world.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/vl_world"))
    parser.add_argument("--prepare", action="store_true", help="albums and teachers; nothing else")
    parser.add_argument(
        "--only", default=None, help="the parts whose names begin so, such as entailment or choice-10%%; no table"
    )
    parser.add_argument("--finished", action="store_true", help="train nothing; the table of the tasks that are finished")
    parser.add_argument("--quick", action="store_true", help="a few rows; nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            quick(Path(folder))
        return
    if options.prepare:
        for name in NAMES:
            prepared(options.runs, name, scene=SCENE)
        return
    if not options.finished:
        for name, size in parts(options.only or ""):
            clocked(options.runs, name, size)
    if options.only is not None:
        return
    documents = [document for name in NAMES if (document := play(options.runs, name, only=()))]
    teachers = json.loads((options.runs / "teachers" / "about.json").read_text(encoding="utf-8"))
    rows = rows_of(documents)
    figures = (
        ceilings(documents)
        | figures_of(rows, "task", "size", "test")
        | {"clip_top1_of_100": round(teachers["clip_top1_of_100"], 4)}
    )
    clocks = [json.loads(path.read_text())["cpu_seconds"] for path in sorted(options.runs.glob("*/seconds-*.json"))]
    figures["cpu_minutes"] = round(sum(clocks) / 60, 1)
    write_result("vl_world", figures=figures, rows=rows, seeds=SEEDS, text=page(documents, teachers))


if __name__ == "__main__":
    main()
