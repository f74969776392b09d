"""Figures: systems, subsets of modalities, learning curves, and how far predictions can be trusted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from understudy.report.numbers import label, value
from understudy.report.recorded import Recorded
from understudy.report.svg import COLOURS, INK, LINE, MUTED, PAPER, drawing, inline, is_narrow, new_figure
from understudy.tasks.calibration import reliability, trend
from understudy.tasks.shares import SHARES, bounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 36
"""Characters of a row's name; longer ones are cut, and half as long on a phone: they stand in the tables."""
SHOWN = 300
"""Points of a scatter; more would only weigh the page down."""


def colour(system: str) -> str:
    """A system's colour; those beyond the three are drawn in the ink of the text."""
    return COLOURS.get(system, INK)


def scale(metric: str) -> float:
    """Shares are drawn in percent."""
    return 100.0 if metric in SHARES else 1.0


def axis_label(metric: str, higher: bool, unit: str = "") -> str:
    """The metric, its unit, and which way is better."""
    named = "%" if metric in SHARES else unit
    between = ",\n" if is_narrow() else ", "
    return f"{label(metric)}{f' ({named})' if named else ''}{between}{'higher is better' if higher else 'lower is better'}"


def systems_figure(run: Recorded) -> str:
    """Each system's seeds as dots, its mean as a bar, its interval as a band."""
    factor, names = scale(run.metric), list(run.systems)
    with drawing("systems"):
        figure, (axes,) = new_figure(0.95 + 0.52 * len(names))
        for row, name in enumerate(names):
            found = run.systems[name]["metrics"][run.metric]
            seeds = [factor * one for one in found["seeds"] if one is not None]
            if found["low"] is not None:
                low, high = (factor * end for end in bounded(run.metric, found["low"], found["high"]))
                axes.barh(row, high - low, left=low, height=0.5, color=colour(name), alpha=0.16, linewidth=0)
            axes.plot(seeds, [row] * len(seeds), "o", color=colour(name), markersize=6, alpha=0.55, markeredgewidth=0)
            axes.plot([factor * found["mean"]] * 2, [row - 0.27, row + 0.27], color=colour(name), linewidth=3)
            text = value(run.metric, found["mean"], digits=1)
            axes.annotate(
                text,
                (1, row),
                xycoords=("axes fraction", "data"),
                xytext=(12, 0),
                textcoords="offset points",
                va="center",
                weight="bold",
                annotation_clip=False,
            )
        rows_of(axes, names)
        for style, each in zip((":", "--"), run.results.get("baselines", {}).values(), strict=False):
            axes.axvline(factor * each["metric"], color=MUTED, linestyle=style, linewidth=1.2, zorder=0)
        axes.set_xlabel(axis_label(run.metric, run.higher, run.results["task"].get("unit", "")))
        return inline(figure)


def rows_of(axes: "Axes", names: Sequence[str]) -> None:
    """Named rows from the top down, without lines between them."""
    room = LONGEST // 2 if is_narrow() else LONGEST
    axes.set_yticks(range(len(names)), [name if len(name) <= room else f"{name[: room - 1]}…" for name in names])
    for tick in axes.get_yticklabels():
        tick.set_color(INK)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.use_sticky_edges = False
    axes.margins(x=0.05)


def subset_rows(run: Recorded) -> list[tuple[str, list[str]]]:
    """The subsets that are drawn: all up to 15, else each modality alone, all but one, and all."""
    found = {name: entry["modalities"] for system in run.subsets.values() for name, entry in system.items()}
    every = max((len(modalities) for modalities in found.values()), default=0)
    sizes = {1, every - 1, every} if len(found) > 15 else set(range(1, every + 1))
    return sorted(((n, m) for n, m in found.items() if len(m) in sizes), key=lambda item: len(item[1]))


def subset_name(modalities: Sequence[str], every: Sequence[str]) -> str:
    """fou, fou + zer, all but zer, all six."""
    if len(modalities) == len(every) > 2:
        return f"all {len(every)}"
    without = [m for m in every if m not in modalities]
    return f"all but {without[0]}" if len(without) == 1 and len(every) > 3 else " + ".join(modalities)


def subsets_figure(run: Recorded) -> str:
    """One row a subset; a dot for each system that can read it."""
    rows, factor = subset_rows(run), scale(run.metric)
    every = max((m for _, m in rows), key=len)
    with drawing("subsets"):
        figure, (axes,) = new_figure(1.3 + 0.34 * len(rows))
        for name in [name for name in COLOURS if name in run.subsets]:
            places, means = [], []
            for row, (subset, _) in enumerate(rows):
                seeds = run.subsets[name].get(subset, {}).get("metrics", {}).get(run.metric)
                seeds = [factor * one for one in seeds or [] if one is not None]
                if seeds:
                    axes.plot([min(seeds), max(seeds)], [row, row], color=colour(name), linewidth=5, alpha=0.22)
                    places, means = [*places, row], [*means, float(np.mean(seeds))]
            axes.plot(
                means, places, "o", color=colour(name), markersize=9, markeredgecolor=PAPER, markeredgewidth=1.5, label=name
            )
        rows_of(axes, [subset_name(modalities, every) for _, modalities in rows])
        axes.hlines(range(len(rows)), 0, 1, transform=axes.get_yaxis_transform(), color=LINE, linewidth=0.8, zorder=0)
        axes.set_xlabel(axis_label(run.metric, run.higher, run.results["task"].get("unit", "")))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, handletextpad=0.2, columnspacing=1.4)
        return inline(figure)


def curves_figure(run: Recorded) -> tuple[str, bool]:
    """Learning curves, and whether they show validation (one panel) or training losses (a panel a system)."""
    validated = all(run.metric in line.get("valid", {}) for logs in run.logs.values() for log in logs for line in log)
    shown = [name for name in COLOURS if any(run.logs.get(name, []))]
    factor = scale(run.metric) if validated else 1.0
    with drawing("curves"):
        figure, panels = new_figure(3.2, 1 if validated else len(shown))
        for place, name in enumerate(shown):
            axes = panels[0 if validated else place]
            curves = [
                [factor * (line["valid"][run.metric] if validated else line["loss"]) for line in log] for log in run.logs[name]
            ]
            draw_curves(axes, curves, name)
            axes.set_xlabel("epoch")
            if not validated:
                axes.set_title(f"{name}: training loss", color=INK)
                far_apart([loss for curve in curves for loss in curve], axes)
        if validated:
            panels[0].set_ylabel(f"validation\n{label(run.metric)}{' (%)' if run.metric in SHARES else ''}")
            panels[0].legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, handlelength=1.2, columnspacing=1.4)
        return inline(figure), validated


def far_apart(losses: Sequence[float], axes: "Axes") -> None:
    """A logarithmic axis where a linear one would show a drop and a flat line."""
    if min(losses) > 0 and max(losses) > 30 * min(losses):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")


def draw_curves(axes: "Axes", curves: Sequence[Sequence[float]], name: str, *, of: str = "") -> None:
    """Every seed thin, their mean thick as far as all of them went. of: their colour, if not the one of system `name`."""
    from matplotlib.ticker import MaxNLocator

    if not (curves := [curve for curve in curves if curve]):
        return
    for curve in curves:
        axes.plot(range(1, len(curve) + 1), curve, color=of or colour(name), linewidth=1, alpha=0.35)
    common = min(len(curve) for curve in curves)
    mean = np.mean([curve[:common] for curve in curves], axis=0)
    mark = "o" if common == 1 else ""
    axes.plot(range(1, common + 1), mean, color=of or colour(name), linewidth=2.5, marker=mark, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def scored(run: Recorded) -> dict[str, tuple[Any, Any]]:
    """Predictions and targets of the drawn systems, all seeds one after another, over the rows that count."""
    found = {}
    for name in [name for name in COLOURS if run.predictions.get(name)]:
        parts = [p.take(p.has_target & p.seen) for p in run.predictions[name]]
        if sum(len(part) for part in parts):
            found[name] = np.concatenate([p.values for p in parts]), np.concatenate([p.target for p in parts])
    return found


def reliability_figure(run: Recorded) -> str:
    """Confidence against accuracy, a panel a system; a dot's area is its share of the rows."""
    found = scored(run)
    with drawing("reliability"):
        figure, panels = new_figure(3.8, len(found), sharey=True)
        for axes, (name, (prediction, target)) in zip(panels, found.items(), strict=True):
            bins = reliability(prediction, target)
            here = bins.count > 0
            axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, dashes=(3, 3))
            axes.plot(100 * bins.confidence[here], 100 * bins.accuracy[here], color=colour(name), linewidth=1.5, alpha=0.6)
            areas = 20 + 500 * bins.count[here] / bins.count.sum()
            axes.scatter(
                100 * bins.confidence[here],
                100 * bins.accuracy[here],
                s=areas,
                color=colour(name),
                alpha=0.75,
                linewidth=0,
                clip_on=False,
            )
            axes.set_title(f"{name}: error {value('ece', bins.error, digits=1)}", color=INK)
            square(axes, (0.0, 104.0), "confidence (%)")
        panels[0].set_ylabel("accuracy (%)")
        return inline(figure)


def square(axes: "Axes", limits: tuple[float, float], named: str) -> None:
    """The same range on both axes."""
    axes.set(xlim=limits, ylim=limits, xlabel=named)
    axes.set_box_aspect(1)


def truth_figure(run: Recorded) -> str:
    """Predicted against true, a panel a system, with the mean truth of rows that are predicted alike."""
    found, draw = scored(run), np.random.default_rng(0)
    unit = run.results["task"].get("unit", "")
    named = f" ({unit})" if unit else ""
    limits = span(both for pair in found.values() for both in pair)
    with drawing("truth"):
        figure, panels = new_figure(3.8, len(found), sharey=True)
        for axes, (name, (prediction, target)) in zip(panels, found.items(), strict=True):
            some = draw.permutation(len(prediction))[:SHOWN]
            axes.plot(limits, limits, color=MUTED, linewidth=1, dashes=(3, 3))
            axes.plot(prediction[some], target[some], "o", color=colour(name), markersize=4, alpha=0.3, markeredgewidth=0)
            line = trend(prediction, target)
            axes.plot(line.prediction, line.target, "o-", color=colour(name), markersize=5, linewidth=2)
            axes.set_title(name, color=INK)
            square(axes, limits, f"predicted{named}")
        panels[0].set_ylabel(f"true{named}")
        return inline(figure)


def span(values: Iterable[Any]) -> tuple[float, float]:
    """A range that holds 99.8 % of all values, so that one wild prediction does not hide the rest."""
    low, high = np.quantile(np.concatenate(list(values)), [0.001, 0.999])
    room = 0.05 * (high - low) or 1.0
    return float(low - room), float(high + room)


def has_subsets(subsets: Mapping[str, Any]) -> bool:
    """Whether there is more than one subset to compare."""
    return len({name for system in subsets.values() for name in system}) > 1
