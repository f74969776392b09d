"""videoadviser: the ablation of the method's two steps, {no distillation, step 2 only, steps 1 and 2} x class prompts x modes."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from shutil import rmtree
from typing import Any

from understudy.corpus import Corpus
from understudy.evaluate.compare import adjust, against, compare_runs
from understudy.process.whole import write_json
from understudy.study.distill import distill
from understudy.study.join import join
from understudy.study.run import Run, load

STEPS: dict[str, dict[str, float]] = {"step 2": {"w3": 0.0}, "steps 1+2": {}}
"""What switches step 1 off, and nothing."""
MODES = ("two_phase", "joint")
NONE = "no distillation"


def ablation(
    corpus: Corpus | Path | str,
    *,
    student: Sequence[str],
    heads: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any] | None = None,
    teachers_of: Path | str = "",
    seeds: int | Sequence[int] = 5,
    out: Path | str = "runs/videoadviser",
    **asked: Any,
) -> dict[str, Any]:
    """Every cell as a run of its own below `out`, and one table of all in `out`/ablation.json; the same call resumes.

    heads: name -> `teacher_head`, e.g. `{"2": {"classes": 2}, "7": {"classes": 7}}`. options: of the method in every cell. asked:
    all else that `distill` takes. The plain student is trained once, the teachers alone once for each head and set of steps;
    with `teachers_of`, the `out` of an ablation with another student, they are taken from there.
    """
    runs = cells(
        corpus, student=student, heads=heads, options=options, teachers_of=teachers_of, seeds=seeds, out=Path(out), **asked
    )
    document = table(runs)
    write_json(Path(out) / "ablation.json", document)
    return document


def cells(
    corpus: Corpus | Path | str,
    *,
    heads: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any] | None,
    teachers_of: Path | str,
    out: Path,
    **asked: Any,
) -> dict[tuple[str, str, str], Run]:
    """(steps, head, mode) -> its run; each teacher and the plain student are trained where they are first needed."""
    found: dict[tuple[str, str, str], Run] = {}
    first: Path | str = ""
    for head, settings in heads.items():
        for steps, weights in STEPS.items():
            taught: Path | str = Path(teachers_of) / folder(steps, head, "two_phase") if teachers_of else ""
            for mode in MODES:
                run = distill(
                    corpus,
                    method="videoadviser",
                    options=dict(options or {}) | weights | {"mode": mode},
                    teacher_head=settings,
                    teachers_of=taught,
                    plain_of=first,
                    out=out / folder(steps, head, mode),
                    report=False,
                    **asked,
                )
                found[steps, head, mode] = run
                first, taught = first or run.folder, taught or run.folder
    return found


def join_ablations(parts: Sequence[Path | str], *, heads: Sequence[str], out: Path | str) -> dict[str, Any]:
    """The table of ablations that differ in their seeds alone, joined cell by cell below `out`.

    A cell has the seeds of the parts that finished it; one that no part finished is left out.
    """
    found = {}
    for head, steps, mode in product(heads, STEPS, MODES):
        name = folder(steps, head, mode)
        finished = [Path(part) / name for part in parts if (Path(part) / name / "results.json").is_file()]
        if finished:
            found[steps, head, mode] = joined(finished, Path(out) / name)
    document = table(found)
    write_json(Path(out) / "ablation.json", document)
    return document


def joined(parts: Sequence[Path], out: Path) -> Run:
    """The parts of a cell as one run; what was joined when fewer were finished is joined again."""
    if (out / "results.json").is_file():
        if set(load(out).seeds) == {seed for part in parts for seed in load(part).seeds}:
            return load(out)
        rmtree(out)
    return join(parts, out)


def folder(steps: str, head: str, mode: str) -> str:
    """The name of a cell's folder: two_phase-7-steps1+2."""
    return f"{mode}-{head}-{steps.replace(' ', '')}"


def table(runs: Mapping[tuple[str, str, str], Run]) -> dict[str, Any]:
    """One row a cell: scores over seeds, and the paired verdict against the plain student, adjusted by Holm over the table.

    Beside the rows, `step_1`: what the first step adds to the second.
    """
    results = {cell: run.results for cell, run in runs.items()}
    first = max(results.values(), key=seeds_of)
    metric = first["metric"]["name"]
    plain = {"cell": NONE, "seeds": seeds_of(first), "score": first["systems"]["plain"]["metrics"][metric]}
    rows = [plain]
    for (cell, found), entry in zip(results.items(), compare_runs([run.folder for run in runs.values()]), strict=True):
        systems = {name: system["metrics"][metric] for name, system in found["systems"].items()}
        steps, head, mode = cell
        row = {"cell": f"{steps}, {head} classes, {mode}", "steps": steps, "head": head, "mode": mode, "seeds": seeds_of(found)}
        rows.append(row | {"score": systems["distilled"], "comparison": entry["comparison"]} | beside(systems))
    about = {name: first[name] for name in ("metric", "split", "selection")}
    return about | {"rows": rows, "step_1": what_step_1_adds(runs)}


def seeds_of(results: Mapping[str, Any]) -> int:
    """How many seeds a run's results rest on."""
    return len(results["systems"]["plain"]["metrics"][results["metric"]["name"]]["seeds"])


def what_step_1_adds(runs: Mapping[tuple[str, str, str], Run]) -> list[dict[str, Any]]:
    """The student of both steps against that of step 2 alone, paired, for each head and mode with both; Holm over these."""
    both, alone = reversed(STEPS)
    found = []
    for steps, head, mode in runs:
        if steps == both and (alone, head, mode) in runs:
            comparison = against(runs[both, head, mode].folder, runs[alone, head, mode].folder)
            found += [{"head": head, "mode": mode, "comparison": comparison}] if comparison else []
    adjust([each["comparison"] for each in found])
    return found


def beside(systems: Mapping[str, Any]) -> dict[str, Any]:
    """The teachers of a cell: alone, and where it trained along."""
    return {name: systems[name] for name in ("teacher", "joint_teacher") if name in systems}


def table_lines(document: Mapping[str, Any]) -> list[list[str]]:
    """The table for people: a heading, then cell, seeds, teacher, student, difference with its interval, p, verdict, eps_min."""
    name = document["metric"]["name"]
    lines = [["cell", "seeds", f"teacher {name}", f"student {name}", "difference to plain", "p (Holm)", "verdict", "ASO eps_min"]]
    for row in document["rows"]:
        taught = row.get("joint_teacher") or row.get("teacher")
        shown = [row["cell"], str(row["seeds"]), spread(taught) if taught else "", spread(row["score"])]
        lines.append([*shown, *(judged(row["comparison"]) if "comparison" in row else [""] * 4)])
    return lines


def judged(found: Mapping[str, Any]) -> list[str]:
    """Difference, adjusted p, verdict after adjustment, and almost stochastic order."""
    interval = f"{found['difference']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]"
    order = f"{found['aso']['eps_min']:.2f}" if found["aso"] else ""
    return [interval, f"{found['p_holm']:.2g}", found["verdict_holm"], order]


def spread(found: Mapping[str, Any]) -> str:
    """Mean and deviation over seeds."""
    return f"{found['mean']:.3f}" + (f" ± {found['std']:.3f}" if found["std"] is not None else "")
