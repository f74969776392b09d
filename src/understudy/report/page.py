"""Page: RUN/report.html, one file that needs no network, no script and no other file."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy.process.whole import write_text
from understudy.report import figures as draw
from understudy.report.answers import class_table, example_rows
from understudy.report.cascade import cascade_figure, chosen, curves_of, sentence
from understudy.report.monitor import critic_verdict, is_monitored, monitor_figure, verdict
from understudy.report.numbers import change, interval, label, milliseconds, names, percent, plain, probability, value, whole
from understudy.report.recorded import Recorded, read_run
from understudy.report.svg import narrow
from understudy.report.words import baseline_rows, ends, following, order, points, repeats, story, unit

TITLES = {
    "teacher": "Teacher",
    "plain": "Plain student",
    "distilled": "Distilled student",
    "ensemble": "Teachers together",
    "joint_teacher": "Teacher trained along",
    "auxiliary": "Auxiliary model",
    "assistant": "Assistant",
}

TRUST = {"classification": draw.reliability_figure, "choice": draw.reliability_figure, "regression": draw.truth_figure}
"""Kind of task -> whether its predictions can be trusted as they are, for `recorded.DRAWN`."""


def write_report(run: os.PathLike[str] | str) -> Path:
    """Write the page of a finished run (or its folder) and return its path; it is replaced whole or not at all."""
    target = Path(run) / "report.html"
    write_text(target, render(read_run(target.parent)))
    return target


def render(run: Recorded) -> str:
    """The page as text. Everything that comes from data is escaped by the template."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    here = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=here, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    return environment.get_template("page.html.j2").render(
        run=run.name,
        story=story(run),
        metric=label(run.metric) + (f" ({unit(run).strip()})" if unit(run) else ""),
        systems=[system_row(run, name) for name in run.systems],
        baselines=baseline_rows(run),
        metrics=metric_rows(run),
        titles=[title(name) for name in run.systems],
        facts=facts(run),
        comparison=run.results["comparison"],
        figures=figures(run),
        slim=slim(run),
        following=following(run),
        classes=class_table(run),
        examples=example_rows(run),
        called=title,
        weak=verdict(run) if is_monitored(run) else "",
        won=critic_verdict(run),
        costs=[cost_rows(run, name) for name in ("teacher", "distilled") if name in run.cost],
        machine=next((entry["machine"] for entry in run.cost.values()), {}),
        data=data_rows(run),
        settings=flat(run.settings),
        interval_kind=run.results.get("interval", "95 % interval over seeds"),
        footnotes=run.results["comparison"]["test"],
    )


def title(system: str) -> str:
    """What a system is called in the text."""
    return TITLES.get(system, system)


def system_row(run: Recorded, name: str) -> dict[str, Any]:
    """A system's line in the main table."""
    system = run.systems[name]
    found = system["metrics"][run.metric]
    return {
        "key": name,
        "title": title(name),
        "modalities": names(list(system["modalities"])),
        "parameters": whole(system["parameters"]),
        "mean": value(run.metric, found["mean"]),
        "interval": interval(run.metric, found["low"], found["high"]),
        "seeds": len(found["seeds"]),
    }


def metric_rows(run: Recorded) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every metric with its mean and deviation by system."""
    rows = []
    for metric in run.systems["plain"]["metrics"]:
        cells = [system["metrics"].get(metric, {"mean": None, "std": None}) for system in run.systems.values()]
        rows.append((label(metric), [(value(metric, c["mean"]), value(metric, c["std"]) if c["std"] else "") for c in cells]))
    return rows


def facts(run: Recorded) -> list[tuple[str, str, str]]:
    """The few numbers of the strip under the headline: what, how much, and a note."""
    comparison, share = run.results["comparison"], run.results.get("recovered_share")
    spread = ", ".join(part for part in (points(run).strip(), f"95 % interval {ends(run, 'to')}") if part)
    found = [("Difference to plain", change(run.metric, comparison["difference"]), spread)]
    if share:
        span = f"{percent(share['low'])} to {percent(share['high'])}"
        found.append(("Share recovered", percent(share["value"]), f"of the teacher’s advantage, {span}"))
    if repeats(run) > 1:
        found.append(("Chance alone", probability(comparison["p"]), "two-sided, from the same interval"))
    if (eps := order(run)) is not None:
        found.append(("Almost stochastic order", f"ε = {plain(eps)}", "over seeds; from 0.2 down it favours distillation"))
    parameters = {name: run.systems[name]["parameters"] for name in run.systems}
    if "teacher" in parameters:
        part = parameters["distilled"] / max(parameters["teacher"], 1)
        found.append(("Size of what ships", whole(parameters["distilled"]), f"parameters, {percent(part)} of the teacher’s"))
    if took := per_row(run):
        found.append(("Time of what ships", f"{took} ms", "for one row by itself, prepared and answered, in the middle of many"))
    return found


def per_row(run: Recorded) -> str:
    """Milliseconds that the distilled student takes for a row, median; "" where they were not measured."""
    latency = run.cost.get("distilled", {}).get("latency_ms")
    parts = [*latency["views"].values(), latency["model"]] if latency else []
    if not parts or any(each is None or each["p50"] is None for each in parts):
        return ""
    return milliseconds({"p50": sum(each["p50"] for each in parts)}, "p50")


def figures(run: Recorded) -> dict[str, Any]:
    """The drawings that the run's files allow; what is missing is None."""
    logged = any(log for logs in run.logs.values() for log in logs)
    predicted = any(run.predictions.values())
    kind = run.results["task"]["kind"]
    trust = TRUST.get(kind) if predicted else None
    curves, validated = draw.curves_figure(run) if logged else (None, False)
    monitor, scores = monitor_figure(run) if is_monitored(run) else (None, False)
    return {
        "systems": draw.systems_figure(run),
        "subsets": draw.subsets_figure(run) if draw.has_subsets(run.subsets) else None,
        "curves": curves,
        "validated": validated,
        "monitor": monitor,
        "monitored_scores": scores,
        "trust": trust(run) if trust else None,
        "classes": trust is draw.reliability_figure,
        "cascade": cascade_figure(run) if curves_of(run) else None,
        "handed": (choice := chosen(run)),
        "handing": sentence(run, choice) if choice else "",
    }


def slim(run: Recorded) -> dict[str, Any]:
    """The same for a phone; the style sheet shows either."""
    with narrow():
        return figures(run)


def cost_rows(run: Recorded, system: str) -> dict[str, Any]:
    """A system's costs by modality, then of what joins them, then in all."""
    entry = run.cost[system]
    parameters, latency = entry["parameters"], entry["latency_ms"]
    rows = [
        (name, whole(count), latency["views"][name], latency["encoders"][name]) for name, count in parameters["encoders"].items()
    ]
    joint = whole(parameters["fusion"] + parameters["head"])
    lines = [(name, count, *times(view), *times(encoder)) for name, count, view, encoder in rows]
    dashes = ("", "", "", "")
    return {
        "title": title(system),
        "lines": [*lines, ("fusion and head", joint, *dashes)],
        "total": ("whole model", whole(parameters["total"]), "", "", *times(latency["model"])),
    }


def times(latency: Mapping[str, Any] | None) -> tuple[str, str]:
    """p50 and p95."""
    return milliseconds(latency, "p50"), milliseconds(latency, "p95")


def data_rows(run: Recorded) -> list[tuple[str, str]]:
    """Facts of the split, of coverage and of selection."""
    split, results = run.results["split"], run.results
    counts = [
        (f"{part.capitalize()} rows", whole(split[part])) for part in ("train", "labelled", "valid", "test") if part in split
    ]
    scored = whole(results["rows"]) if "rows" in results else whole(split["test"] * results["coverage"])
    corpus, fingerprint = run.settings.get("arguments", {}).get("corpus"), run.settings.get("corpus_fingerprint", "")
    return [
        ("Date", run.date),
        *([("Corpus", f"{Path(corpus).name}, {fingerprint[:12]}")] if corpus else []),
        ("Split", str(split["name"])),
        *counts,
        ("Test rows scored", f"{scored}, coverage {value('coverage', results['coverage'], digits=1)}"),
        ("Selection", results.get("selection", "")),
        *stopped(run),
        *listened(run),
        *searched(run),
    ]


def stopped(run: Recorded) -> list[tuple[str, str]]:
    """Where and why the trainings of each system ended."""
    reasons = {"plateau": "no longer improved", "epochs": "end of the plan", "minutes": "end of the time"}
    found = []
    for name, system in run.systems.items():
        stops = system.get("stopped", [])
        counted = Counter(reasons[each["reason"]] for each in stops)
        epochs = sorted(each["epochs"] for each in stops)
        if stops:
            why = ", ".join(f"{reason} {many}×" for reason, many in counted.items())
            span = f"{epochs[0]}" if epochs[0] == epochs[-1] else f"{epochs[0]} to {epochs[-1]}"
            found.append((f"{title(name)} stopped", f"after {span} epochs: {why}"))
    return found


def listened(run: Recorded) -> list[tuple[str, str]]:
    """What the distilled student listened to: how good and how sure it is on train rows, beside the teacher on test rows."""
    found = run.results.get("listening")
    if not found:
        return []
    titles, lines = {"train": "train rows with a label", "held_out": "test rows"}, []
    for part, title in titles.items():
        each = found.get(part, {})
        sure = f", mean confidence {percent(each['confidence'])}" if "confidence" in each else ""
        if each:
            lines.append((f"Teacher on {title}", f"{label(run.metric)} {value(run.metric, each[run.metric])}{sure}"))
    return [("Listened to", found["source"]), *lines]


def searched(run: Recorded) -> list[tuple[str, str]]:
    """What a search on validation rows chose for the students, and what it took."""
    found = run.results.get("search", {"settings": 0, "systems": {}})
    lines = []
    for name, each in found["systems"].items():
        spent = f"best of {found['settings']} settings on validation rows, {each['updates']:,} updates"
        lines.append((f"{title(name)} chosen", f"{each['chose']} ({spent})"))
    return lines


def flat(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Nested settings as `a.b` and text."""
    rows: list[tuple[str, str]] = []
    for name, given in settings.items():
        if isinstance(given, Mapping) and given:
            rows += flat(given, f"{above}{name}.")
        else:
            shown = ", ".join(map(str, given)) if isinstance(given, list) else "none" if given is None else str(given)
            rows.append((f"{above}{name}", shown or "–"))
    return rows
