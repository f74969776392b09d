"""Words: the verdict of a run as a manager reads it. Nothing is claimed that the interval does not carry."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from understudy.evaluate.results import LABELS, ONE_RUN, STILL, recommended, todo
from understudy.report.numbers import change, label, names, percent, signed, value
from understudy.report.recorded import Recorded
from understudy.tasks.shares import SHARES

MODELS = {
    "constant": "a constant guess",
    "forest": "a random forest",
    "boosting": "gradient boosting",
    "svm": "a support vector machine",
}
"""Baselines in words."""
FEW = 3
"""Trainings of each student below which their spread is hardly known."""
SIMPLER = "Do not count on a gain here; the plain student is the simpler choice."


@dataclass(frozen=True)
class Story:
    """A headline, what it rests on, and what to do."""

    tag: str
    headline: str
    evidence: str
    share: str
    advice: str
    cautions: tuple[str, ...]


def story(run: Recorded) -> Story:
    """The run in words, by its verdict (the rule: `evaluate.significance.verdict`)."""
    verdict = run.results["comparison"]["verdict"]
    usual = alone if run.results.get("listening", {}).get("source") == LABELS else undecided
    return {"better": better, "worse": worse, ONE_RUN: one_run, STILL: learning}.get(verdict, usual)(run)


def better(run: Recorded) -> Story:
    """A gain over the plain control."""
    return Story(
        tag="better",
        headline=f"Distillation helped: with {reads(run)} alone, {moved(run)}.",
        evidence=f"{against(run)} The gain is {size(run)}; with 95 % confidence it lies between {ends(run)}.",
        share=share(run),
        advice=rather(run) or "Ship the distilled student.",
        cautions=cautions(run),
    )


def worse(run: Recorded) -> Story:
    """A loss against the plain control."""
    return Story(
        tag="worse",
        headline=f"Distillation hurt: with {reads(run)} alone, {moved(run)}.",
        evidence=f"{against(run)} The difference is {size(run)}; with 95 % confidence it lies between {ends(run)}.",
        share="",
        advice=rather(run) or "Ship the plain student, or try another method or teacher.",
        cautions=cautions(run),
    )


def undecided(run: Recorded) -> Story:
    """Nothing that could be told from luck."""
    advantage = "" if run.results.get("recovered_share") else no_advantage(run, "it had little to pass on")
    return Story(
        tag="not distinguishable",
        headline=f"No gain can be shown: {stood(run)}.",
        evidence=f"{against(run)} The difference, {size(run)}, is within what chance gives (95 % interval {ends(run, 'to')}).",
        share=advantage,
        advice=f"Do not count on a gain here. {rather(run)}" if rather(run) else SIMPLER,
        cautions=cautions(run),
    )


def alone(run: Recorded) -> Story:
    """Nothing was distilled, since validation rows forbade it."""
    return Story(
        tag="not distilled",
        headline=f"The teacher’s answers would do harm, so the distilled student is the plain one: {stood(run)}.",
        evidence=f"{against(run)} On validation rows the plain student was better than one that listened to the teacher, or to "
        "teachers that never saw the row, by more than a standard error (first seed).",
        share="",
        advice=rather(run) or "Ship the plain student; another teacher or more rows may have more to pass on.",
        cautions=cautions(run),
    )


def one_run(run: Recorded) -> Story:
    """A single training of each student: its luck may be all there is to see."""
    return Story(
        tag=ONE_RUN,
        headline=f"One training run, no verdict: {stood(run)}.",
        evidence=f"{against(run)} The difference is {size(run)}; other test rows would give these two models "
        f"{ends(run, 'to')} (95 % interval). That says nothing about another training.",
        share="",
        advice="Repeat it with several seeds before counting on it.",
        cautions=cautions(run),
    )


def learning(run: Recorded) -> Story:
    """Students that had more to learn: a gain or a loss may be that of the moment."""
    return Story(
        tag="still learning",
        headline=f"Still learning when stopped, no verdict: {stood(run)}.",
        evidence=f"{against(run)} Most trainings of {names(run.results['still_learning'])} came to the end of their plan while "
        f"their validation score still rose. The difference is {size(run)} (95 % interval {ends(run, 'to')}) at that moment.",
        share="",
        advice="Give both students more epochs or minutes before counting on it.",
        cautions=cautions(run),
    )


def rather(run: Recorded) -> str:
    """What is at least as good as the student that would ship, in words; "" where nothing is."""
    found = recommended(run.results)
    if not found or not found.rather:
        return ""
    baseline = run.results["baselines"][found.rather]
    reached = value(run.metric, baseline["metric"], digits=1) + unit(run)
    what = model_name(run.results, found.rather)
    return f"Do not ship the {found.system} student: {what} on the same columns is at {reached}, no worse than it."


def following(run: Recorded) -> tuple[str, str]:
    """What to do next: a sentence, and a command to type, which may be ""."""
    found = recommended(run.results)
    if found is None:
        return f"To decide it, {todo(run.results)}: the same command then goes on in this folder, or begins in another.", ""
    if found.rather:
        return "Before anything is shipped, ask which modality would help, or bring more labels.", advise(run)
    return "Ship it:", shlex.join(["understudy", "export", run.where, "--system", found.system, "--out", "ARTIFACT"])


def advise(run: Recorded) -> str:
    """The command that asks for advice about this corpus; "" where nobody knows where it lies."""
    asked = run.settings.get("arguments", {})
    if not asked.get("corpus"):
        return ""
    words = ["understudy", "advise", asked["corpus"], "--student", *asked["student"], "--split", asked["split"]]
    return shlex.join(map(str, words))


def model_name(results: Mapping[str, Any], baseline: str) -> str:
    """A baseline in words: a random forest."""
    model = results["baselines"][baseline]["model"]
    if model == "linear":
        return "ridge regression" if results["task"]["kind"] == "regression" else "a linear model"
    return MODELS[model]


def baseline_rows(run: Recorded) -> list[tuple[str, str, str, str]]:
    """Of each baseline its name, its metric, the distilled student against it with the interval, and the verdict."""
    found = []
    for name, each in run.results.get("baselines", {}).items():
        span = (
            f"{change(run.metric, each['difference'])} ({change(run.metric, each['low'])} to {change(run.metric, each['high'])})"
        )
        what = "A constant guess" if name == "constant" else f"Best simple model: {model_name(run.results, name)}"
        found.append((what, value(run.metric, each["metric"]), span, each["verdict"]))
    return found


def stood(run: Recorded) -> str:
    """The student's accuracy is 76.4 % with distillation, 58.2 % without."""
    plain, distilled = (value(run.metric, mean(run, name), digits=1) + unit(run) for name in ("plain", "distilled"))
    return f"the student’s {label(run.metric)} is {distilled} with distillation, {plain} without"


def mean(run: Recorded, system: str) -> float:
    """A system's mean primary metric."""
    return run.systems[system]["metrics"][run.metric]["mean"]


def order(run: Recorded) -> float | None:
    """eps_min of distilled over plain, where there are seeds enough for it to mean something."""
    found = run.results["comparison"].get("aso")
    return found["eps_min"] if found else None


def repeats(run: Recorded) -> int:
    """How many times each student was trained."""
    return len(run.systems["plain"]["metrics"][run.metric]["seeds"])


def reads(run: Recorded) -> str:
    """What the student reads."""
    return names(list(run.systems["distilled"]["modalities"]))


def moved(run: Recorded) -> str:
    """The student's accuracy rose from 58.2 % to 76.4 %."""
    plain, distilled = mean(run, "plain"), mean(run, "distilled")
    verb = "rose" if distilled > plain else "fell"
    start, end = (value(run.metric, number, digits=1) for number in (plain, distilled))
    return f"the student’s {label(run.metric)} {verb} from {start} to {end}{unit(run)}"


def unit(run: Recorded) -> str:
    """The target's unit with a space before it, if it has one."""
    named = run.results["task"].get("unit", "")
    return f" {named}" if named and run.metric in ("mae", "rmse") else ""


def against(run: Recorded) -> str:
    """What the comparison holds fixed."""
    seeds = repeats(run)
    labelled = run.results["split"].get("labelled")
    rows = f"the same {signed(labelled, 0)} labelled rows" if labelled else "the same labelled rows"
    runs = f"{seeds} training runs of each" if seeds > 1 else "one training run of each"
    return f"Measured against the same student trained without distillation: {rows}, as many steps, {runs}."


def size(run: Recorded) -> str:
    """The signed difference with its unit."""
    return f"{change(run.metric, run.results['comparison']['difference'])}{points(run)}"


def points(run: Recorded) -> str:
    """The unit of a difference, with a space before it."""
    return " percentage points" if run.metric in SHARES else unit(run)


def ends(run: Recorded, joint: str = "and") -> str:
    """Both ends of the interval of the difference."""
    found = run.results["comparison"]
    return f"{change(run.metric, found['low'])} {joint} {change(run.metric, found['high'])}"


def share(run: Recorded) -> str:
    """How much of the teacher's advantage was passed on."""
    found: Mapping[str, Any] | None = run.results.get("recovered_share")
    if "teacher" not in run.systems:
        return ""
    if not found:
        return no_advantage(run, "no share of its advantage is given")
    teacher = names(list(run.systems["teacher"]["modalities"]))
    span = f"95 % interval {percent(found['low'])} to {percent(found['high'])}"
    return f"That is {percent(found['value'])} ({span}) of the advantage of a teacher that reads {teacher}."


def no_advantage(run: Recorded, therefore: str) -> str:
    """Why there is no recovered share."""
    if "teacher" not in run.systems:
        return ""
    return f"The teacher itself is not clearly better than the plain student on these rows, so {therefore}."


def cautions(run: Recorded) -> tuple[str, ...]:
    """What the headline must not make one forget."""
    found = []
    if run.results["task"]["kind"] == "retrieval" and "teacher" in run.systems:
        found.append("The teacher sees both sides of a row even when it searches: its figure is an upper bound, not a search.")
    if run.results["coverage"] < 1:
        unseen = percent(1 - run.results["coverage"])
        found.append(f"{unseen} of the test rows lack what a system needs and are in none of these numbers.")
    for player, lacking in run.results["split"].get("untested", {}).items():
        found.append(f"No test row has {names(lacking)}, which the {player} reads: its figure is that of a {player} without it.")
    if 1 < repeats(run) < FEW:
        found.append(f"{repeats(run)} training runs of each: how much a repetition differs is hardly known yet; five say more.")
    learning = [name for name in run.results.get("still_learning", []) if run.results["comparison"]["verdict"] != STILL]
    if learning:
        found.append(f"Most trainings of {names(learning)} came to the end of their plan while their score still rose.")
    return tuple(found)
