"""The catalogue on real data: every method, tuned alike without the test rows, against plain training and against kd.

python -m benchmarks.catalogue --data FOLDER               everything, or what is left of it; then the table
python -m benchmarks.catalogue --only mfeat --case 300     one family, or those of its cases that are so called, in a process of its own; no table
ACCELERATE_MIXED_PRECISION=bf16 python -m benchmarks.catalogue --only av_digits      as it was recorded, in half the time of float32
python -m benchmarks.catalogue --finished                  train nothing; the table of the cases that are finished
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.av_digits import SPEAKERS
from benchmarks.mfeat_plan import held_out
from benchmarks.record import table, write_result
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


def amid(strength: float, **others: Any) -> Options:
    """AMID's default weights times `strength`; they keep their proportions."""
    return {"alpha": strength, "beta": 1.5 * strength, "gamma": 0.5 * strength} | others


SETTINGS: dict[str, Sequence[Options]] = {
    "kd": [{"weight": w} for w in (0.5, 0.9, 0.99)] + [{"weight": w, "temperature": 4.0} for w in (0.9, 0.99)],
    "crd": [{"weight": w} for w in (0.4, 1.6, 5.0, 16.0, 50.0)],
    "rkd": [{"distance": w, "angle": 2 * w} for w in (2.5, 8.0, 25.0, 80.0, 250.0)],
    "pkt": [{"weight": w} for w in (1.0, 10.0, 100.0, 1e3, 1e4)],
    "vid": [{"weight": w} for w in (0.1, 1.0, 10.0, 100.0, 1e3)],
    "dkd": [{"weight": w} for w in (0.01, 0.03, 0.1, 0.3, 1.0)],
    "c2kd": [{"inner": w, "cross": w} for w in (0.03, 0.1, 0.3, 1.0)] + [{"inner": 1.0, "cross": 3.0}],
    "amid": [amid(w) for w in (0.03, 0.1, 0.3)] + [amid(w, teacher_start="trained") for w in (0.1, 0.3)],
}
"""Method -> the settings it is tried with: as many for each, and the best on rows that are no test rows is taken."""
ABLATIONS: dict[str, Options] = {"amid without I(t;a)": {"beta": 0.0}, "amid without H(t|s)": {"gamma": 0.0}}
"""Changes to AMID's chosen setting."""
SYSTEMS = ("plain", *SETTINGS, *ABLATIONS)
SCALED = [method for method, each in SETTINGS.items() if len({frozenset(options) for options in each}) == 1]
"""Methods whose settings go from less to more of the same."""
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

    def play(self, folder: Path, only: str = "") -> None:
        """Choose each method's settings, then train it on all cases, or those so called; what is on disk is not done again."""
        for tuning in self.tunings:
            self.tune(folder, tuning)
        for case in (case for case in self.cases if only in case.name):
            for label, (method, settings) in self.systems(folder).items():
                case.play(folder, label, method, settings)

    def tune(self, folder: Path, tuning: str) -> None:
        """Keep the mean merit of every method's settings."""
        if not (folder / f"{tuning}.json").is_file():
            merits = {method: self.merits(folder / "tuning", tuning, method) for method in SETTINGS}
            write_json(folder / f"{tuning}.json", merits)

    def merits(self, folder: Path, tuning: str, method: str) -> list[float]:
        """Mean merit of each setting over the cases of the tuning."""
        found = []
        for number, options in enumerate(SETTINGS[method]):
            label = f"{method}-{number}" if number else method
            runs = [run for case in self.tunings[tuning] for run in case.play(folder, label, method, [options])]
            found.append(float(np.mean([self.merit(run) for run in runs])))
        return found

    def tuned(self, folder: Path) -> bool:
        """Whether all settings are chosen."""
        return all((folder / f"{tuning}.json").is_file() for tuning in self.tunings)

    def chosen(self, folder: Path, tuning: str) -> dict[str, int]:
        """Method -> which of its settings was best; of settings as good the first."""
        merits = json.loads((folder / f"{tuning}.json").read_text(encoding="utf-8"))
        return {method: int(np.argmax(merits[method])) for method in SETTINGS}

    def systems(self, folder: Path) -> dict[str, tuple[str, list[Options]]]:
        """Label -> method, and its options by each tuning; kd first."""
        places = [self.chosen(folder, tuning) for tuning in self.tunings]
        best = {method: [each[chosen[method]] for chosen in places] for method, each in SETTINGS.items()}
        ablated = {label: ("amid", [each | change for each in best["amid"]]) for label, change in ABLATIONS.items()}
        return {method: (method, best[method]) for method in SETTINGS} | ablated


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


def at_the_end(families: Sequence[Family], folder: Path) -> str:
    """Which methods chose the least or the most that they were offered, in words."""
    found = []
    for tuning, places in ((name, family.chosen(folder, name)) for family in families for name in family.tunings):
        ends = {"least": [m for m in SCALED if not places[m]], "most": [m for m in SCALED if places[m] == len(SETTINGS[m]) - 1]}
        found.append(f"{tuning}: " + ", ".join(f"{end} of {' and '.join(names)}" for end, names in ends.items() if names))
    return "Choices at an end of what was offered, " + "; ".join(found) + "."


def page(rows: Sequence[Mapping[str, Any]], cases: Sequence[str], borders: str) -> str:
    """The tables, and what they say."""
    parts, wins = [], []
    for case in (case for case in cases if any(row["case"] == case for row in rows)):
        lines = []
        for row in (row for row in rows if row["case"] == case):
            spread = "" if row["std"] is None else f" ± {row['std']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            settings = "; ".join(dict.fromkeys(in_words(each) for each in row["settings"]))
            told = [said(row.get("against_plain")), said(row.get("against_kd"))]
            lines.append([row["system"], settings, f"{row['mean']:.3f}{spread}", *told])
        metric = next(row["metric"] for row in rows if row["case"] == case)
        parts.append(f"## {case}\n\n" + table(["system", "setting", metric, "against plain", "against kd"], lines))
    for name in SYSTEMS[1:]:
        mine = [row for row in rows if row["system"] == name]
        counts = [name, len(mine)]
        for control in ("plain", "kd"):
            verdicts = [row[f"against_{control}"]["verdict_holm"] for row in mine if f"against_{control}" in row]
            counts += [verdicts.count("better"), verdicts.count("worse")] if verdicts else ["", ""]
        wins.append(counts)
    few = {case: missing(rows, case) for case in cases}
    lacking = [f"{case} ({', '.join(names)})" for case, names in few.items() if names]
    return f"""# The catalogue on real data

Every method trains the same student with the same plan, steps and labelled rows, and learns from the same teachers (amid's train anew beside the
student, c2kd's train on). Each method chose one of five settings, by mean score on rows that are no test rows: mfeat on 250 held-out
train rows in three cells x two draws, wikipedia on its validation rows with two seeds, av_digits on the validation speakers of two folds with one
seed: on jackson and lucas, and, for the folds that test these two, on nicolas and theo (their settings stand second). The two ablations of amid
take its settings. {borders}
amid was offered at most .3 of its default weights: of an earlier list with .1, .3 and the defaults themselves it had chosen the least.

av_digits: six folds, five seeds each, in bfloat16 (settings that stand first, or alone, were chosen in float32). mfeat: {EPOCHS} epochs; five
draws of the labelled rows, one seed each; 800 test rows. Mean ± deviation [95 % t interval] over seeds or draws. Differences: crossed bootstrap over seeds and test rows (speakers in av_digits); the verdict stands only where
Holm's p over all cells of its column, here {len([row for row in rows if "against_plain" in row])} and {len([row for row in rows if "against_kd" in row])}, is at most .05; – is "not distinguishable".

{table(["system", "cases", "better than plain", "worse than plain", "better than kd", "worse than kd"], wins)}

{(chr(10) * 2).join(parts)}
{f"{chr(10)}Not finished: {'; '.join(lacking)}." if lacking else ""}"""


def missing(rows: Sequence[Mapping[str, Any]], case: str) -> list[str]:
    """Systems that this case lacks."""
    return [name for name in SYSTEMS if not any(row["case"] == case and row["system"] == name for row in rows)]


def quick(folder: Path) -> None:
    """One cell, one draw, one epoch; two methods and one setting each."""
    for name in [name for name in SETTINGS if name not in ("kd", "amid")]:
        SETTINGS.pop(name)
    SCALED.clear()
    for name in SETTINGS:
        SETTINGS[name] = SETTINGS[name][:1]
    family = of_mfeat(folder, draws=1, cells=[("mor", 50)])
    short = {"plan": Plan(epochs=1, batch_size=256), "teacher_plan": Plan(epochs=1, batch_size=256)}
    cases = [Case(each.name, each.corpus, dict(each.arguments) | short, each.parts[:1], draws=True) for each in family.cases]
    family = Family("mfeat", cases, {"mfeat": cases}, test_score)
    family.play(folder)
    rows = judged(family, folder)
    for control in ("plain", "kd"):
        adjust([row[f"against_{control}"] for row in rows if f"against_{control}" in row])
    page(rows, [case.name for case in cases], at_the_end([family], folder))


def main() -> None:
    """Write results/catalogue.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/catalogue"))
    parser.add_argument("--only", choices=("mfeat", "wikipedia", "av_digits"), help="train this family; no table")
    parser.add_argument("--case", default="", help="with --only: its cases whose name holds this")
    parser.add_argument("--finished", action="store_true", help="train nothing; the table of what is finished")
    parser.add_argument("--quick", action="store_true", help="one small cell, nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            quick(Path(folder))
        return
    builders: dict[str, Callable[[], Family]] = {
        "mfeat": lambda: of_mfeat(options.runs),
        "wikipedia": lambda: of_wikipedia(options.runs, options.data / "wikipedia"),
        "av_digits": lambda: of_av_digits(options.runs, options.data),
    }
    if options.only:
        builders[options.only]().play(options.runs, options.case)
        return
    families = [build() for build in builders.values()]
    for family in families if not options.finished else ():
        family.play(options.runs)
    tuned = [family for family in families if family.tuned(options.runs)]
    rows = [row for family in tuned for row in judged(family, options.runs)]
    names = [case.name for family in families for case in family.cases]
    for control in ("plain", "kd"):
        adjust([row[f"against_{control}"] for row in rows if f"against_{control}" in row])
    figures = {f"{row['case']} {row['system']}".replace(" ", "_"): round(row["mean"], 4) for row in rows}
    text = page(rows, names, at_the_end(tuned, options.runs))
    write_result("catalogue", figures=figures, rows=rows, seeds=list(range(5)), text=text)


if __name__ == "__main__":
    main()
