"""Writes docs/methods/NAME.md from each method's docstring, what `understudy list` says from the code, and the README's results
from results/*.json.

--check writes nothing and fails when a page is not what code and results say.
"""

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from understudy import objectives
from understudy.bundled.choices import PATH as CHOICES
from understudy.encoders.joint import JOINT
from understudy.methods import CATALOGUE
from understudy.players.blueprint import OWN
from understudy.players.fusions import FUSIONS
from understudy.players.options import options_of
from understudy.players.published import READERS
from understudy.study.run import SYSTEMS

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "methods"
MARKS = ("<!-- results: written by docs/pages.py -->", "<!-- end of results -->")
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
    parts = [
        f"# {name}",
        f"*{title.partition(': ')[2]}*",
        KEY.sub(r"\n**\1:** ", about).strip(),
        inspect.getdoc(method) or "",
        table,
        f"*{NOTE}*",
    ]
    return "\n\n".join(parts) + "\n"


def choices() -> str:
    """What `understudy list` reads, see `bundled/choices.py`."""
    methods = {}
    for name, method in CATALOGUE.items():
        about = (inspect.getdoc(inspect.getmodule(method)) or "").splitlines()[0].partition(": ")[2]
        methods[name] = {"about": about, "options": ", ".join(str(each) for each in options_of(name).values()) or "none"}
    published = ["FOLDER or hub id of a transformers model"]
    files = {kind: ["onnx:FILE"] for kind in ("image", "audio")}
    encoders = {kind: [*named, *(published if kind in READERS else []), *files.get(kind, [])] for kind, named in OWN.items()}
    fusions = [*FUSIONS, f"FOLDER or hub id of {', '.join(JOINT)}"]
    found = {"methods": methods, "encoders": encoders, "fusions": fusions, "objectives": list(objectives.__all__)}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def figures(name: str) -> dict[str, Any]:
    """The figures of one committed result."""
    return json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))["figures"]


def measured() -> list[list[str]]:
    """The rows of the README's table."""
    mfeat, mosi, digits, theatre = (figures(name) for name in ("mfeat", "mosi", "av_digits", "theatre"))
    found, world = figures("retrieval"), figures("vl_world")
    rows = [
        [
            f"digits, {n} labels: Fourier view alone",
            "accuracy",
            *(f"{mfeat[f'{s}_fou_{n}']:.3f}" for s in SYSTEMS),
            mfeat[f"verdict_fou_{n}"],
        ]
        for n in (50, 100, 300)
    ]
    rows.append(
        [
            "spoken digits, unheard speaker: sound alone",
            "accuracy",
            *(f"{digits[f'{s}_acc']:.3f}" for s in SYSTEMS),
            digits["verdict"],
        ]
    )
    played = [f"{theatre[f'{system}_mae']:.3f}" for system in SYSTEMS]
    rows.append(["puppet theatre, 100 labels: the spoken line alone", "MAE", *played, theatre["verdict"]])
    for student, words in (("minilm", "MiniLM"), ("small", "own small encoder")):
        scores = [mosi["chosen_teacher_mae"], mosi[f"{student}_plain_mae"], mosi[f"{student}_distilled_mae"]]
        rows.append([f"CMU-MOSI: transcript alone, {words}", "MAE", *(f"{x:.3f}" for x in scores), mosi[f"{student}_verdict"]])
    for name, short, words in (
        ("i2t", "wiki", "Wikipedia: a picture finds texts"),
        ("t2i", "wiki", "Wikipedia: a text finds pictures"),
        ("p2s", "stamps", "stamps: a picture finds spoken names"),
        ("s2p", "stamps", "stamps: a spoken name finds pictures"),
    ):
        maps = [found[f"{short}_{name}_map{system}"] for system in ("_teacher", "_plain", "")]
        rows.append([words, "mAP", *(f"{x:.3f}" for x in maps), found[f"{short}_verdict"]])
    for task, words in (("entailment", "claims"), ("question", "questions"), ("choice", "choices")):
        for size, labels in (("1%", "100"), ("10%", "1,000"), ("full", "10,000")):
            cells = [f"{task}_{size}_{test}" for test in ("given", "shifted")]
            scores = [" / ".join(f"{world[f'{c}_{system}']:.3f}" for c in cells) for system in ("teacher", "plain", "mad")]
            verdict = " / ".join(world[f"{cell}_mad_against_plain_verdict"] for cell in cells)
            rows.append([f"made pictures and {words}, {labels} labels: words and regions (*)", "accuracy", *scores, verdict])
    return rows


def results() -> str:
    """The README's table of what was measured, and what stands beside it."""
    mfeat, speed, cost, weak, worth = (figures(name) for name in ("mfeat", "speed", "cost", "weak_teacher", "worth"))
    kept = [value for name, value in weak.items() if name.startswith("default_")]
    share = f"{mfeat['demo_recovered_share']:.0%} of the teacher's advantage recovered"
    lines = [["task and student", "metric", *SYSTEMS, "distilled against plain"], ["---"] * 6, *measured()]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    said = json.loads((ROOT / "results" / "mfeat.json").read_text(encoding="utf-8"))
    where = f"{said['machine']['cores']} cores of {said['machine']['cpu']}, {said['date']}"
    return f"""## What was measured

{table}

(*) On rows alike / on rows where the words mislead.
With every default, {worth["views"]:.0f} students of one sense each on five public sets: without a teacher
{worth["plain_at_least_simple"]:.0%} of them are no worse than the best of four scikit-learn models on the same columns, with one
{worth["distilled_at_least_simple"]:.0%}; of the {worth["teacher_ahead"]:.0f} whose teacher is ahead {worth["better_share"]:.0%}
gain by distillation, most of them with few labels and many rows without, and {worth["worse"]:.0f}
are worse by it; `advise` foretells it in {worth["advise_hit_rate"]:.0%} of the
cases that it decides ([the table](results/worth.md)).
Every row has its control; intervals and seeds of every verdict stand in results/; "not distinguishable" stays in the table.
`make demo` took
{mfeat["demo_seconds"]:.0f} s after installation: verdict "{mfeat["demo_verdict"]}", {share}. Against a loop written by hand,
`fit` costs {speed["fit_overhead_ms_2ms"]:+.2f} ms a step of a small model; a stored MiniLM teacher makes a small student's epoch
{speed["stored_epoch_speedup"]:.1f} times as fast as a live one. A raw clip through an X-CLIP teacher takes
{cost["teacher_p50_ms"]:.0f} ms, its line through a MiniLM student in ONNX {cost["minilm_onnx_p50_ms"]:.1f} ms. Retrieval's
teacher sees both sides: an upper bound; its verdict is of the mean of both directions. The theatre's row is of the
clips that all three systems see. AMID's weak teacher in a world with closed forms, trained without labels: pulled towards
the student alone it keeps {weak["ity_1_0_0"]:.2f} nats about the label, with the auxiliary model {weak["ity_1_1_0"]:.2f};
with labels and the method's defaults it keeps {min(kept):.2f} to {max(kept):.2f}.
On made pictures the teacher is two encoders that each know one modality, so a student may pass it;
naive distillation of the same vectors does as well or better, on choices much better
([the table](results/vl_world.md)).
Which objective does best where stands in [the catalogue](results/catalogue.md).
On {where}; commands, seeds and all other figures stand in [results/](results/)."""


def readme(text: str) -> str:
    """The README with its results between the marks."""
    before, rest = text.split(MARKS[0])
    return f"{before}{MARKS[0]}\n{results()}\n{MARKS[1]}{rest.split(MARKS[1])[1]}"


def main() -> int:
    """Write the pages, or with --check say which are out of date."""
    wanted = {PAGES / f"{name}.md": page(name) for name in CATALOGUE}
    wanted[CHOICES] = choices()
    wanted[ROOT / "README.md"] = readme((ROOT / "README.md").read_text(encoding="utf-8"))
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    extra = [path for path in PAGES.glob("*.md") if path not in wanted]
    if "--check" in sys.argv:
        for path in stale + extra:
            print(f"{path.relative_to(ROOT)} is not what the code says; run `python docs/pages.py`", file=sys.stderr)
        return 1 if stale or extra else 0
    PAGES.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    for path in extra:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
