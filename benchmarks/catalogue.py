"""The catalogue on real data: every method, tuned alike without the test rows, against plain training and against kd.

python -m benchmarks.catalogue --data FOLDER               everything, or what is left of it; then the table
python -m benchmarks.catalogue --only mfeat --case 300     one family, or those of its cases that are so called, in a process of its own; no table
ACCELERATE_MIXED_PRECISION=bf16 python -m benchmarks.catalogue --only av_digits      as it was recorded, in half the time of float32
python -m benchmarks.catalogue --methods kd amid           these alone; the other rows of the table stay, with their date
python -m benchmarks.catalogue --finished                  train nothing; the table of the cases that are finished
"""

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.av_digits import SPEAKERS
from benchmarks.grid import TRIES, Scale, at_an_end, best_of, bracketed
from benchmarks.mfeat_plan import held_out
from benchmarks.record import RESULTS, table, write_result
from understudy.corpus import Corpus, corpus_at
from understudy.corpus.importers.av_digits import import_av_digits
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.corpus.importers.wikipedia import import_wikipedia
from understudy.evaluate.compare import adjust, comparison, over_seeds, per_row, with_score
from understudy.evaluate.predictions import Predictions
from understudy.process.whole import write_json
from understudy.recipes import av_digits, mfeat, retrieval
from understudy.recipes.protocol_table import said
from understudy.study.distill import distill
from understudy.study.folds import pooled
from understudy.study.run import Run, load
from understudy.training.plan import Plan

Options = dict[str, Any]


SCALES: dict[str, Scale] = {
    "kd": Scale(9.0, 4.0, lambda odds: {"weight": odds / (1 + odds)}),
    "crd": Scale(5.0, 4.0, lambda w: {"weight": w}),
    "rkd": Scale(25.0, 4.0, lambda w: {"distance": w, "angle": 2 * w}),
    "pkt": Scale(100.0, 10.0, lambda w: {"weight": w}),
    "vid": Scale(10.0, 10.0, lambda w: {"weight": w}),
    "dkd": Scale(0.1, 4.0, lambda w: {"weight": w}),
    "c2kd": Scale(0.3, 4.0, lambda w: {"inner": w, "cross": w}),
    "amid": Scale(1.0, 4.0, lambda w: {"alpha": 0.1 * w, "beta": 0.15 * w, "gamma": 4.0 * w}),
}
"""Of every method; kd's is the odds of its weight."""
ABLATIONS: dict[str, Options] = {
    "amid without I(t;a)": {"beta": 0.0},
    "amid without H(t|s)": {"gamma": 0.0},
    "amid, H(t|s) alone": {"alpha": 0.0, "beta": 0.0},
}
"""Changes to AMID's chosen setting."""
TUNED = (("fou", 50), ("zer", 100), ("mor", 300))
"""The views and label counts of mfeat on which settings are chosen."""
EPOCHS = 25
"""On mfeat, for every system: half of what `benchmarks.mfeat` takes, since eight methods share two cores."""


@dataclass(frozen=True)
class Case:
    """One line of data: runs that are seeds of each other (draws), or folds whose test rows are joined.

    tunings: which of its family's says how each part is trained; the first, where empty.
    """

    name: str
    corpus: Corpus
    arguments: Mapping[str, Any]
    parts: Sequence[Mapping[str, Any]]
    draws: bool = False
    tunings: Sequence[int] = ()

    def play(self, folder: Path, label: str, method: str, settings: Sequence[Options]) -> list[Run]:
        """The runs of a method with the settings of each tuning; the first method's teachers and plain students serve all."""
        runs = []
        for number, part in enumerate(self.parts):
            first, out = (folder / self.name / f"{each}-{number}" for each in ("kd", label))
            told: dict[str, Any] = {**self.arguments, **part}
            if label != "kd":
                told |= {"teachers_of": first, "plain_of": first}
            options = settings[self.tunings[number] if self.tunings else 0]
            runs.append(distill(self.corpus, method=method, options=options, out=out, report=False, **told))
        return runs

    def predictions(self, runs: Sequence[Run], system: str) -> list[Predictions]:
        """One a seed."""
        if self.draws:
            return [run.predictions(system)[0] for run in runs]
        return [pooled(folds) for folds in zip(*(run.predictions(system) for run in runs), strict=True)]


@dataclass(frozen=True)
class Family:
    """Cases that share tunings: name -> the cases it is done on; `merit` is what a run says without test rows."""

    name: str
    cases: Sequence[Case]
    tunings: Mapping[str, Sequence[Case]]
    merit: Callable[[Run], float]

    def play(self, folder: Path, only: str = "", *, tries: int = TRIES) -> None:
        """Choose each method's settings, then train it on all cases, or those so called; what is on disk is not done again."""
        for tuning, method in product(self.tunings, SCALES):
            self.tune(folder, tuning, method, tries)
        for case in (case for case in self.cases if only in case.name):
            for label, (method, settings) in self.systems(folder).items():
                case.play(folder, label, method, settings)

    def tune(self, folder: Path, tuning: str, method: str, tries: int) -> None:
        """Keep the merits of the strengths that a method tries; the one of a single try is its start's, without a merit."""
        kept = merits_file(folder, tuning, method)
        if not kept.is_file():
            ask = partial(self.tried, folder / "tuning", tuning, method)
            found = bracketed(ask, SCALES[method], tries=tries) if tries > 1 else {SCALES[method].start: 0.0}
            write_json(kept, [list(each) for each in found.items()])

    def tried(self, folder: Path, tuning: str, method: str, strength: float) -> float:
        """The mean merit of a strength over the cases of the tuning."""
        scale = SCALES[method]
        label = method if strength == scale.start else f"{method}-{strength:g}"
        options = [scale.options(strength)]
        runs = [run for case in self.tunings[tuning] for run in case.play(folder, label, method, options)]
        return float(np.mean([self.merit(run) for run in runs]))

    def tuned(self, folder: Path) -> bool:
        """Whether all settings are chosen."""
        return all(merits_file(folder, tuning, method).is_file() for tuning, method in product(self.tunings, SCALES))

    def systems(self, folder: Path) -> dict[str, tuple[str, list[Options]]]:
        """Label -> method, and its options by each tuning; kd first."""
        best = {
            method: [scale.options(best_of(merits(folder, tuning, method))) for tuning in self.tunings]
            for method, scale in SCALES.items()
        }
        of_amid = best.get("amid", [])
        ablated = {label: ("amid", [each | change for each in of_amid]) for label, change in ABLATIONS.items() if of_amid}
        return {method: (method, best[method]) for method in SCALES} | ablated


def merits_file(folder: Path, tuning: str, method: str) -> Path:
    """Where a method's tries are kept."""
    return folder / f"{tuning}-{method}.json"


def merits(folder: Path, tuning: str, method: str) -> dict[float, float]:
    """Strength -> mean merit, of a method's tries."""
    return dict(json.loads(merits_file(folder, tuning, method).read_text(encoding="utf-8")))


def best_epoch(run: Run) -> float:
    """The distilled students' best validation score, mean over seeds."""
    logs = [path.read_text().splitlines() for path in sorted(run.folder.glob("distilled/seed-*/log.jsonl"))]
    name = run.results["metric"]["name"]
    return float(np.mean([max(json.loads(line)["valid"][name] for line in log) for log in logs]))


def test_score(run: Run) -> float:
    """Where the run's test rows are themselves held-out train rows."""
    return float(run.results["systems"]["distilled"]["metrics"][run.results["metric"]["name"]]["mean"])


def of_mfeat(folder: Path, *, draws: int = 5, cells: Sequence[tuple[str, int]] = ()) -> Family:
    """Few labels: three views x three label counts, five draws of labelled rows; tuned on held-out train rows of other draws."""
    home = folder / "mfeat-corpus"
    corpus = corpus_at(home, import_mfeat)
    fixed = {"sizes": mfeat.SIZES, "plan": replace(mfeat.PLAN, epochs=EPOCHS), "teacher_plan": mfeat.TEACHER_PLAN}
    fixed |= {"encoders": mfeat.ENCODERS, "valid": 0.0}

    def case(view: str, count: int) -> Case:
        parts = [{"split": f"draw-{draw}-{count}", "seeds": [draw]} for draw in range(draws)]
        return Case(f"mfeat {view} {count}", corpus, fixed | {"student": [view]}, parts, draws=True)

    def held(view: str, count: int) -> Case:
        parts = [{"split": held_out(corpus, draw, count), "seeds": [draw]} for draw in range(2)]
        return Case(f"mfeat {view} {count}", corpus, fixed | {"student": [view]}, parts, draws=True)

    chosen = cells or [(view, count) for count in (50, 100, 300) for view in ("fou", "zer", "mor")]
    return Family("mfeat", [case(*cell) for cell in chosen], {"mfeat": [held(*cell) for cell in TUNED]}, test_score)


def of_wikipedia(folder: Path, data: Path, *, seeds: int = 5) -> Family:
    """Search between pictures and texts; tuned on the validation rows, which are train rows, with two seeds."""
    home = folder / "wikipedia-corpus"
    corpus = corpus_at(home, lambda home: import_wikipedia(data, home))
    fixed = {"student": ["image", "text"], "space": "probabilities", "plan": retrieval.FEATURES, "sizes": retrieval.SIZES}
    fixed["encoders"] = retrieval.ENCODERS
    cases = [Case("wikipedia", corpus, fixed | {"split": "given", "seeds": n}, [{}]) for n in (seeds, min(2, seeds))]
    return Family("wikipedia", cases[:1], {"wikipedia": cases[1:]}, best_epoch)


def of_av_digits(folder: Path, data: Path, *, seeds: int = 5) -> Family:
    """An unheard speaker, each of six once; tuned with one seed on the validation speakers of two folds, the next in the list.

    Twice, so that no test speaker has a say: the folds of jackson and lucas, who choose for all others, follow nicolas and theo.
    """
    home = folder / "av_digits-corpus"
    corpus = corpus_at(home, lambda home: import_av_digits(data / "fsdd", data / "mnist5k", home))
    fixed = {"student": ["audio"], "teacher": ["image", "audio"], "plan": av_digits.PLAN, "sizes": av_digits.SIZES}
    parts = [{"split": f"leave-{speaker}"} for speaker in SPEAKERS]
    names = ("av_digits", "av_digits jackson lucas")
    whole = Case(names[0], corpus, fixed | {"seeds": seeds}, parts, tunings=[int(each in SPEAKERS[1:3]) for each in SPEAKERS])
    pairs = zip(names, (parts[:2], parts[2:4]), strict=True)
    tuned = {name: [Case(name, corpus, fixed | {"seeds": 1}, pair)] for name, pair in pairs}
    return Family("av_digits", [whole], tuned, best_epoch)


def judged(family: Family, folder: Path) -> list[dict[str, Any]]:
    """A row for each finished case and system: its score over seeds, and its difference to plain and to kd."""
    rows, systems = [], family.systems(folder)
    for case in family.cases:
        folders = {label: [folder / case.name / f"{label}-{n}" for n in range(len(case.parts))] for label in systems}
        done = {label for label, each in folders.items() if all((one / "results.json").is_file() for one in each)}
        if "kd" not in done:
            continue
        runs = {label: [load(one) for one in folders[label]] for label in folders if label in done}
        found = {"teacher": case.predictions(runs["kd"], "teacher"), "plain": case.predictions(runs["kd"], "plain")}
        found |= {label: case.predictions(each, "distilled") for label, each in runs.items()}
        task = runs["kd"][0].model("plain").task
        scores, groups = with_score({name: per_row(task, each) for name, each in found.items()}, found["plain"][0].group)
        for name, predicted in found.items():
            values = over_seeds([task.metrics(each.values, each.target)[task.primary] for each in predicted])
            row = {"case": case.name, "system": name, "metric": task.primary} | values
            row["settings"] = systems[name][1] if name in runs else []
            for control in ("plain", "kd"):
                if name not in ("teacher", "plain", control):
                    row[f"against_{control}"] = comparison(scores[name] - scores[control], groups, draws=10_000, seed=0)
            rows.append(row)
    return rows


def in_words(options: Options) -> str:
    """A setting as the table names it."""
    return ", ".join(f"{name} {round(value, 6) if isinstance(value, float) else value}" for name, value in options.items())


def ends(families: Sequence[Family], folder: Path) -> list[str]:
    """Each choice that is at an end of what its method tried, in words."""
    asked = ((family, tuning, method) for family in families for tuning, method in product(family.tunings, SCALES))
    found = {(tuning, method): at_an_end(merits(folder, tuning, method)) for _, tuning, method in asked}
    return [f"{method} on {tuning} (the {end})" for (tuning, method), end in found.items() if end]


def earlier(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the table as it stands that were not measured anew, each with its date; amid's are of the defaults it had then."""
    path = RESULTS / "catalogue.json"
    document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"date": "", "rows": []}
    now = {(row["case"], row["system"]): row["settings"] for row in rows}
    dated = [{"measured": document["date"]} | row for row in document["rows"]]
    anew = [row for row in dated if now.get((row["case"], row["system"])) == row["settings"]]
    renamed = [
        row | {"system": re.sub("^amid(?! of)", f"amid of {row['measured']}", row["system"])} for row in dated if row not in anew
    ]
    return [row for row in renamed if (row["case"], row["system"]) not in now]


def page(rows: Sequence[Mapping[str, Any]], cases: Sequence[str], ended: Sequence[str], *, tries: int) -> str:
    """The tables, and what they say."""
    parts, wins = [], []
    names = [name for name in dict.fromkeys(row["system"] for row in rows) if name not in ("teacher", "plain")]
    for case in (case for case in cases if any(row["case"] == case for row in rows)):
        lines = []
        for row in (row for row in rows if row["case"] == case):
            spread = "" if row["std"] is None else f" ± {row['std']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            settings = "; ".join(dict.fromkeys(in_words(each) for each in row["settings"]))
            told = [said(row.get("against_plain")), said(row.get("against_kd"))]
            lines.append([row["system"], settings, f"{row['mean']:.3f}{spread}", *told, row.get("measured", "now")])
        metric = next(row["metric"] for row in rows if row["case"] == case)
        parts.append(f"## {case}\n\n" + table(["system", "setting", metric, "against plain", "against kd", "measured"], lines))
    for name in names:
        mine = [row for row in rows if row["system"] == name]
        counts = [name, len(mine)]
        for control in ("plain", "kd"):
            verdicts = verdicts_of(mine, control)
            counts += [verdicts.count("better"), verdicts.count("worse")] if verdicts else ["", ""]
        wins.append(counts)
    now = [row for row in rows if "measured" not in row]
    chose = f"""Each method chose its strength among {tries} by mean score on rows that are no test rows: a start and its neighbours, then beyond
the best where it is at an end of those, else beside it. mfeat chose on 250 held-out train rows in three cells x two draws. Still at an end after that:
{", ".join(ended) or "none"}."""
    fixed = """Of those measured now no strength was chosen: kd has weight .9 and temperature 2, amid its defaults, which come from held-out train rows of
three of these cells (fou 50, zer 100, mor 300); one setting each."""
    return f"""# The catalogue on real data

Every method trains the same student with the same plan, steps and labelled rows, and learns from the same teachers (amid's train anew beside the
student, c2kd's train on). {chose if tries > 1 else fixed} The ablations of amid take its settings.

**Rows with a date were not measured anew**: they are of that day's methods and of the fixed lists of five settings that were used then (some choices at
their ends), tuned on validation rows in wikipedia (two seeds) and on the validation speakers of two folds in av_digits (one seed); "amid of" a date has
the defaults of then (`cond_entropy=alice`; the settings name its weights). Differences of dated rows are to the plain and kd of the same day.

av_digits: six folds, five seeds each, in bfloat16. mfeat: {EPOCHS} epochs; draws of the labelled rows ({draws_of(now)} of those measured now,
else five), one seed each; 800 test rows. Mean ± deviation [95 % t interval] over seeds or draws. Differences: crossed bootstrap over seeds and test rows
(speakers in av_digits); the verdict stands only where Holm's p over all cells of its column that were measured together (now: {judgements(now, "plain")} and
{judgements(now, "kd")}) is at most .05; – is "not distinguishable".

{table(["system", "cases", "better than plain", "worse than plain", "better than kd", "worse than kd"], wins)}

{(chr(10) * 2).join(parts)}
"""


def verdicts_of(rows: Sequence[Mapping[str, Any]], control: str) -> list[str]:
    """What these rows are against plain, or against kd, after Holm."""
    return [row[f"against_{control}"]["verdict_holm"] for row in rows if f"against_{control}" in row]


def judgements(rows: Sequence[Mapping[str, Any]], control: str) -> int:
    """How many verdicts there are."""
    return len(verdicts_of(rows, control))


def draws_of(rows: Sequence[Mapping[str, Any]]) -> int:
    """The draws, or seeds, of these rows."""
    return max((len(row["seeds"]) for row in rows), default=0)


def quick(folder: Path) -> None:
    """One cell, one draw, one epoch; two methods and one strength each."""
    only("kd", "amid")
    family = of_mfeat(folder, draws=1, cells=[("mor", 50)])
    short = {"plan": Plan(epochs=1, batch_size=256), "teacher_plan": Plan(epochs=1, batch_size=256)}
    cases = [Case(each.name, each.corpus, dict(each.arguments) | short, each.parts[:1], draws=True) for each in family.cases]
    family = Family("mfeat", cases, {"mfeat": cases}, test_score)
    family.play(folder, tries=1)
    rows = judged(family, folder)
    for control in ("plain", "kd"):
        adjust([row[f"against_{control}"] for row in rows if f"against_{control}" in row])
    page(rows, [case.name for case in cases], ends([family], folder), tries=1)


def only(*methods: str) -> None:
    """Leave the others out: their rows stay what they were."""
    for name in [name for name in SCALES if name not in methods]:
        SCALES.pop(name)


def main() -> None:
    """Write results/catalogue.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/catalogue"))
    parser.add_argument("--only", choices=("mfeat", "wikipedia", "av_digits"), help="train this family; no table")
    parser.add_argument("--case", default="", help="with --only: its cases whose name holds this")
    parser.add_argument("--methods", nargs="+", choices=list(SCALES), default=list(SCALES), help="kd and some others, not all")
    parser.add_argument("--tries", type=int, default=TRIES, help="strengths that each method may try; 1 takes where it starts")
    parser.add_argument("--draws", type=int, default=5, help="of labelled rows, on mfeat")
    parser.add_argument("--finished", action="store_true", help="train nothing; the table of what is finished")
    parser.add_argument("--quick", action="store_true", help="one small cell, nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            quick(Path(folder))
        return
    only(*options.methods)
    builders: dict[str, Callable[[], Family]] = {
        "mfeat": lambda: of_mfeat(options.runs, draws=options.draws),
        "wikipedia": lambda: of_wikipedia(options.runs, options.data / "wikipedia"),
        "av_digits": lambda: of_av_digits(options.runs, options.data),
    }
    if options.only:
        builders[options.only]().play(options.runs, options.case, tries=options.tries)
        return
    families = [build() for build in builders.values()]
    for family in families if not options.finished else ():
        family.play(options.runs, tries=options.tries)
    tuned = [family for family in families if family.tuned(options.runs)]
    rows = [row for family in tuned for row in judged(family, options.runs)]
    for control in ("plain", "kd"):
        adjust([row[f"against_{control}"] for row in rows if f"against_{control}" in row])
    ended = ends(tuned, options.runs)
    of_amid = [row for row in rows if row["system"] == "amid"]
    counts = {
        "amid_worse_than_kd": verdicts_of(of_amid, "kd").count("worse"),
        "amid_better_than_plain": verdicts_of(of_amid, "plain").count("better"),
        "amid_cases": len(of_amid),
    } | ({"choices_at_an_end": len(ended)} if options.tries > 1 else {})
    rows += earlier(rows)
    figures = counts | {f"{row['case']} {row['system']}".replace(" ", "_"): round(row["mean"], 4) for row in rows}
    text = page(rows, list(dict.fromkeys(case.name for family in families for case in family.cases)), ended, tries=options.tries)
    write_result("catalogue", figures=figures, rows=rows, seeds=list(range(5)), text=text)


if __name__ == "__main__":
    main()
