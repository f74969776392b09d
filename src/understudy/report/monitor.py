"""Monitor: whether a teacher that trains beside its student became weak, from the log of the distilled run.

Maximising the information between teacher and student can be had by a teacher that is as weak as the student [stated by AMID,
arXiv 2306.07646]; what is drawn here is the teacher's score beside the student's, and the three quantities of that objective.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from understudy.report.figures import draw_curves, scale
from understudy.report.numbers import label, percent, value
from understudy.report.recorded import Recorded
from understudy.report.svg import AUXILIARY, DISTILLED, INK, TEACHER, drawing, inline, new_figure
from understudy.tasks.shares import SHARES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Log = Sequence[Mapping[str, Any]]
PLAYERS = {"teacher": TEACHER, "student": DISTILLED, "auxiliary": AUXILIARY}
LOSSES = {"teacher": "teacher", "student": "supervised", "auxiliary": "auxiliary"}
"""Player -> its own training loss in the log."""
WEIGHTS = {"ts": ("alpha", 0.1), "ta": ("beta", 0.15)}
"""Term -> the option that weights it, and that option's default."""

WON = 0.5
"""Nats below which a discriminator has won [ours]; where it knows nothing it has 2 log 2, 1.39."""


def is_monitored(run: Recorded) -> bool:
    """Whether the distilled run logged what the monitor draws."""
    return any({"ts", "ta"} & line["terms"].keys() for seed in run.logs.get("distilled", []) for line in seed)


def monitor_figure(run: Recorded) -> tuple[str, bool]:
    """Scores of the players and the three information curves by epoch, and whether the scores are of validation rows."""
    logs = [seed for seed in run.logs["distilled"] if seed]
    validated = all(run.metric in line["valid"] for seed in logs for line in seed)
    with drawing("monitor"):
        figure, (scores, shared, left_over) = new_figure(3.4, 3)
        for name, of in PLAYERS.items():
            draw_curves(scores, player_curves(run, logs, name, validated=validated), name, of=of)
        what = label(run.metric) if validated else "training loss"
        titled(scores, f"{what}{' (%)' if validated and run.metric in SHARES else ''}")
        for term, named, of in (("ts", "with the student", DISTILLED), ("ta", "with the auxiliary", AUXILIARY)):
            draw_curves(shared, information(run, logs, term), named, of=of)
            draw_ceiling(shared, curves(logs, f"{term}.ceiling"), of=of)
        titled(shared, "teacher’s information (nats)")
        draw_curves(left_over, curves(logs, "entropy.bound"), "given the student", of=TEACHER)
        titled(left_over, "entropy of its answer (nats)")
        return inline(figure), validated


def player_curves(run: Recorded, logs: Sequence[Log], name: str, *, validated: bool) -> list[list[float]]:
    """A player's validation score in each epoch, seed by seed, else its own training loss."""
    if not validated:
        return curves(logs, LOSSES[name])
    prefix = "" if name == "student" else f"{name}."
    found = [[line["valid"].get(f"{prefix}{run.metric}") for line in seed] for seed in logs]
    return [[scale(run.metric) * one for one in seed] for seed in found if None not in seed]


def information(run: Recorded, logs: Sequence[Log], term: str) -> list[list[float]]:
    """The lower bound in nats that a contrastive term is minus of, once its weight is taken off."""
    option, default = WEIGHTS[term]
    weight = run.settings.get("arguments", {}).get("options", {}).get(option, default)
    return [[-one / weight for one in seed] for seed in curves(logs, term)]


def curves(logs: Sequence[Log], term: str) -> list[list[float]]:
    """A term in each epoch, seed by seed; epochs in which no row counted are left out."""
    found = [[line["terms"].get(term) for line in seed] for seed in logs]
    return [kept for seed in found if (kept := [one for one in seed if one is not None])]


def draw_ceiling(axes: "Axes", found: Sequence[Sequence[float]], *, of: str) -> None:
    """What an estimate could show at most, the mean over all epochs and seeds, in its colour; earlier runs did not log it."""
    if every := [one for seed in found for one in seed]:
        axes.axhline(sum(every) / len(every), color=of, linewidth=1, dashes=(3, 3), label="its ceiling")


def titled(axes: "Axes", title: str) -> None:
    """What a panel shows; its curves are named above it."""
    axes.set_title(title, color=INK, pad=8)
    axes.set_xlabel("epoch")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", handlelength=1.2, fontsize=11)


def verdict(run: Recorded) -> str:
    """Whether the teacher became weak, in one sentence, by the test rows.

    It did where it kept less than half of the lead over the student that the teacher trained alone has [ours].
    """
    if "joint_teacher" not in run.systems:
        return "The teacher was frozen: it could not become weak."
    sign = 1 if run.higher else -1
    three = ("teacher", "joint_teacher", "distilled")
    alone, along, student = (run.systems[name]["metrics"][run.metric]["mean"] for name in three)
    said = [value(run.metric, one, digits=1) for one in (along, alone, student)]
    figures = f"test {label(run.metric)} {said[0]}, trained alone {said[1]}, the student {said[2]}"
    lead = sign * (alone - student)
    if lead <= 0:
        return f"There was no lead to lose: the teacher trained alone is no better than the student ({figures})."
    kept = sign * (along - student) / lead
    if kept >= 0.5:
        return f"The teacher did not become weak: it kept {percent(kept)} of its lead over the student ({figures})."
    much = f"only {percent(kept)}" if kept > 0 else "nothing"
    return f"The teacher became weak: it kept {much} of the lead over the student that it has when trained alone ({figures})."


def critic_verdict(run: Recorded) -> str:
    """A warning where a discriminator has won, by its loss over the last quarter of the epochs; nothing else, or without one."""
    seeds = [seed[-max(1, len(seed) // 4) :] for seed in curves(run.logs.get("distilled", []), "critic.discriminator") if seed]
    if not seeds or (loss := sum(map(sum, seeds)) / sum(map(len, seeds))) >= WON:
        return ""
    return (
        f"The discriminator has won: its loss is {loss:.2f} nats, of 1.39 where it knows nothing, so no gradient is left that "
        "would lead the student. Take cond_entropy=answers, or let the discriminator rest more often (generator_steps)."
    )
