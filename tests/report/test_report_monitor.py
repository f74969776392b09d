"""The weak-teacher monitor: information without its weight, a sentence by what the teacher kept, no section without cause."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_run import made_run
from matplotlib.figure import Figure

from understudy.methods import AMID
from understudy.report import write_report
from understudy.report.monitor import (
    WEIGHTS,
    critic_verdict,
    draw_ceiling,
    information,
    is_monitored,
    monitor_figure,
    verdict,
)
from understudy.report.recorded import Recorded, read_run


def amid_run(folder: Path, *, validated: bool = True, along: float = 0.8, options: dict[str, Any] | None = None) -> Recorded:
    """A made-up run whose distilled log holds what amid logs; the teacher that trained along scores `along`."""
    run = read_run(made_run(folder, seeds=2, validated=validated))
    for seed in run.logs["distilled"]:
        for line in seed:
            line["terms"] |= {"supervised": 1.0, "teacher": 0.5, "auxiliary": 0.7, "ts": -2.0, "ta": -3.0}
            line["terms"] |= {"ts.ceiling": 4.5, "ta.ceiling": 4.0}
            line["terms"] |= {"entropy": 0.3, "critic.discriminator": 1.2, "entropy.bound": 9.0 - line["epoch"] / 10}
            if validated:
                line["valid"] |= {"teacher.accuracy": along, "auxiliary.accuracy": 0.7}
    scored = {"metrics": {"accuracy": {"mean": along, "std": None, "low": None, "high": None, "seeds": [along]}}}
    systems = run.results["systems"]
    mean = {name: {"metrics": {"accuracy": {"mean": m}}} for name, m in (("teacher", 0.9), ("distilled", 0.6))}
    results = run.results | {"systems": systems | mean | {"joint_teacher": scored}}
    settings = run.settings | {"arguments": run.settings["arguments"] | {"method": "amid", "options": options or {}}}
    return replace(run, results=results, settings=settings)


def test_the_weights_are_the_methods_own():
    known = inspect.signature(AMID).parameters
    assert dict(WEIGHTS.values()) == {name: known[name].default for name in ("alpha", "beta")}


def test_information_is_the_term_without_its_weight(tmp_path):
    run = amid_run(tmp_path / "run", options={"alpha": 4.0})
    logs = run.logs["distilled"]
    assert information(run, logs, "ts")[0][0] == 0.5
    assert information(run, logs, "ta")[0][0] == pytest.approx(3.0 / WEIGHTS["ta"][1])


@pytest.mark.parametrize("validated", [True, False])
def test_the_figure_shows_scores_or_losses_and_three_curves(tmp_path, validated):
    svg, scores = monitor_figure(amid_run(tmp_path / "run", validated=validated))
    assert scores == validated
    for words in (
        "teacher",
        "student",
        "auxiliary",
        "with the student",
        "with the auxiliary",
        "given the student",
        "its ceiling",
    ):
        assert words in svg
    assert ("accuracy (%)" if validated else "training loss") in svg
    assert "var(--auxiliary)" in svg


def test_a_run_without_one_of_the_terms_or_a_seed_without_an_epoch_is_drawn(tmp_path):
    run = amid_run(tmp_path / "run")
    for line in run.logs["distilled"][0]:
        del line["terms"]["ta"], line["valid"]["auxiliary.accuracy"]
    run = replace(run, logs=dict(run.logs) | {"distilled": [run.logs["distilled"][0], []]})
    assert "with the student" in monitor_figure(run)[0]


@pytest.mark.parametrize(
    ("along", "words"),
    [
        (0.88, "did not become weak: it kept 93"),
        (0.7, "became weak: it kept only 33"),
        (0.55, "became weak: it kept nothing"),
    ],
)
def test_the_sentence_says_what_the_teacher_kept(tmp_path, along, words):
    said = verdict(amid_run(tmp_path / "run", along=along))
    assert words in said
    assert "trained alone 90.0" in said


def test_a_frozen_teacher_and_one_without_a_lead_are_told_apart(tmp_path):
    run = amid_run(tmp_path / "run")
    systems = dict(run.results["systems"])
    behind = systems | {"teacher": {"metrics": {"accuracy": {"mean": 0.5}}}}
    assert "no lead to lose" in verdict(replace(run, results=run.results | {"systems": behind}))
    del systems["joint_teacher"]
    assert "frozen" in verdict(replace(run, results=run.results | {"systems": systems}))


def test_a_critic_that_has_won_is_said_and_one_that_still_plays_is_not(tmp_path):
    run = amid_run(tmp_path / "run")
    assert critic_verdict(run) == ""
    for seed in run.logs["distilled"]:
        for line in seed[len(seed) // 2 :]:
            line["terms"]["critic.discriminator"] = 0.31
    assert "no gradient is left" in critic_verdict(run)
    assert "0.31 nats" in critic_verdict(run)
    assert critic_verdict(read_run(made_run(tmp_path / "other", seeds=2))) == ""


def test_other_methods_have_no_monitor(tmp_path):
    folder = made_run(tmp_path / "run", seeds=2)
    assert not is_monitored(read_run(folder))
    assert "become weak" not in write_report(folder).read_text()


def test_the_ceiling_is_the_mean_of_what_the_log_says_and_a_log_without_it_has_none(tmp_path):
    axes = Figure().subplots()
    draw_ceiling(axes, [[4.0, 5.0], [6.0]], of="red")
    draw_ceiling(axes, [], of="red")
    assert [list(line.get_ydata()) for line in axes.lines] == [[5.0, 5.0]]
    run = amid_run(tmp_path / "run")
    for line in (line for seed in run.logs["distilled"] for line in seed):
        del line["terms"]["ts.ceiling"], line["terms"]["ta.ceiling"]
    figure, _ = monitor_figure(run)
    assert "ceiling" not in figure
    assert "with the student" in figure
