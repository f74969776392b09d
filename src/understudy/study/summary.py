"""A run in a few lines of text, for a terminal."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from understudy.process.whole import write_text
from understudy.report.recorded import read_run
from understudy.report.words import order, story
from understudy.study.run import Run
from understudy.tasks.shares import bounded


def summary(run: Run) -> str:
    """The sentence, the table of systems, and where the report is."""
    results, recorded = run.results, read_run(run.folder)
    metric = results["metric"]["name"]
    width = max(map(len, ["system", *results["systems"], *results.get("baselines", {})]))
    lines = [
        story(recorded).headline,
        "",
        f"{'system':{width}s} {'reads':32s} {'parameters':>10s}  {metric} (95 % over seeds)",
    ]
    for name, system in results["systems"].items():
        found = system["metrics"][metric]
        spread = ""
        if found["low"] is not None:
            spread = " [{:.4f}, {:.4f}]".format(*bounded(metric, found["low"], found["high"]))
        lines.append(
            f"{name:{width}s} {'+'.join(system['modalities']):32s} {system['parameters']:10,d}  {found['mean']:.4f}{spread}"
        )
    spoken = {name: sentiment_line(system["metrics"]) for name, system in results["systems"].items()}
    lines += [f"{name:{width}s} {line}" for name, line in spoken.items() if line]
    for name, each in results.get("baselines", {}).items():
        lines.append(f"{name:{width}s} {each['model']:32s} {'':10s}  {each['metric']:.4f} (distilled is {each['verdict']})")
    found, share = results["comparison"], results["recovered_share"]
    interval = f"[{found['low']:+.4f}, {found['high']:+.4f}], p = {found['p']:.2g}"
    eps = order(recorded)
    ordered = "" if eps is None else f"; almost stochastic order: eps_min {eps:.2f}"
    lines.append(f"distilled - plain: {found['difference']:+.4f} {interval}: {found['verdict']}{ordered}")
    if share:
        lines.append(
            f"recovered share of the teacher's advantage: {share['value']:.2f} [{share['low']:.2f}, {share['high']:.2f}]"
        )
    for player, lacking in results["split"].get("untested", {}).items():
        lines.append(f"no test row has {'+'.join(lacking)}, which the {player} reads: it is scored without it")
    return "\n".join([*lines, story(recorded).advice, f"report: {run.report}"])


def sentiment_line(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Scores as the sentiment literature prints them, mean and standard deviation over seeds; empty for another task.

    Accuracy and F1 in percent with 2 decimals, has0 / non0 with the rows of each; MAE and Corr with 3.
    """

    def said(name: str) -> str:
        factor, digits = (1, 3) if name in ("mae", "corr") else (100, 2)
        mean, std = metrics[name]["mean"], metrics[name]["std"]
        if mean is None:
            return "none"
        return f"{factor * mean:.{digits}f}" + ("" if std is None else f" ± {factor * std:.{digits}f}")

    ends = ["MAE " + said("mae"), "Corr " + said("corr")] if "corr" in metrics else []
    if "acc3" in metrics:
        return ", ".join([*(f"Acc-{n} {said(f'acc{n}')}" for n in (2, 3, 5)), "F1 " + said("f1"), *ends])
    if "acc2_has0" not in metrics:
        return ""
    rows = " / ".join(f"{metrics[name]['mean']:.0f}" for name in ("n_has0", "n_non0"))
    both = {name: f"{said(f'{key}_has0')} / {said(f'{key}_non0')}" for name, key in (("Acc-2", "acc2"), ("F1", "f1"))}
    return ", ".join([f"Acc-2 {both['Acc-2']} (n {rows})", f"F1 {both['F1']}", "Acc-7 " + said("acc7"), *ends])


def comparison_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """One line a run."""
    lines = [f"{'run':40s} {'teacher':>8s} {'plain':>8s} {'distilled':>9s} {'difference':>10s} {'p (Holm)':>8s}  verdict"]
    for each in entries:
        means, found = each["means"], each["comparison"]
        teacher = f"{means['teacher']:8.4f}" if means.get("teacher") is not None else " " * 8
        numbers = f"{teacher} {means['plain']:8.4f} {means['distilled']:9.4f} {found['difference']:+10.4f} {found['p_holm']:8.2g}"
        lines.append(f"{each['run']:40s} {numbers}  {found['verdict_holm']}")
    return "\n".join(lines)


def few_rows(run: Run, path: Path, *, rows: int = 20) -> Path:
    """The first test rows as JSON lines with what the student reads and nothing else; vectors only."""
    corpus, split = run.corpus(), run.split()
    chosen = split.test[:rows]
    columns = {m: corpus.cells(m, chosen).values.tolist() for m in run.settings["arguments"]["student"]}
    records = [{"id": corpus.ids[row]} | {m: column[i] for m, column in columns.items()} for i, row in enumerate(chosen)]
    write_text(path, "".join(json.dumps(each) + "\n" for each in records))
    return path
