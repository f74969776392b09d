"""Where trainings stopped, and that students which had more to learn get no verdict, anywhere."""

import json
from pathlib import Path

import pytest

import understudy as us
from study.small import SIZES, make_corpus
from understudy.commands.study import after
from understudy.evaluate.results import STILL, recommended
from understudy.evaluate.stopped import stopped_of, with_stops


def write_logs(run: Path, system: str, reasons: list[str | None]) -> None:
    for seed, reason in enumerate(reasons):
        folder = run / system / f"seed-{seed}"
        folder.mkdir(parents=True)
        lines = [{"epoch": epoch, "valid": {"accuracy": score}} for epoch, score in enumerate((0.5, 0.9, 0.9))]
        if reason:
            lines[-1] |= {"stopped": reason}
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def results(verdict: str = "worse") -> dict:
    metric = {"name": "accuracy", "higher_is_better": True}
    return {"metric": metric, "systems": {"plain": {}, "distilled": {}}, "comparison": {"verdict": verdict, "difference": -0.1}}


def test_a_training_says_where_and_why_it_stopped(tmp_path):
    write_logs(tmp_path, "plain", ["plateau", None])
    assert stopped_of(tmp_path, "plain", "accuracy", higher=True) == [{"epochs": 3, "best_epoch": 1, "reason": "plateau"}]
    assert stopped_of(tmp_path, "plain", "mae", higher=False)[0]["best_epoch"] is None
    assert stopped_of(tmp_path, "teacher", "accuracy", higher=True) == []


@pytest.mark.parametrize(
    ("reasons", "waited", "withheld"),
    [
        (["epochs", "minutes", "plateau"], True, True),
        (["epochs", "plateau", "plateau"], True, False),
        (["epochs", "epochs", "epochs"], False, False),
        ([None, None, None], True, False),
    ],
)
def test_a_verdict_is_withheld_where_most_trainings_had_waited_for_more(tmp_path, reasons, waited, withheld):
    write_logs(tmp_path, "plain", reasons)
    found = with_stops(results(), tmp_path, waited={"plain": waited, "distilled": waited})
    assert found["comparison"] == {"verdict": STILL if withheld else "worse", "difference": -0.1}
    assert found.get("still_learning") == (["plain"] if withheld else None)


def test_page_terminal_and_shipping_agree_that_there_is_no_verdict(tmp_path):
    corpus = make_corpus(tmp_path / "corpus")
    plan = {"schedule": "plateau", "epochs": 3, "patience": 3, "rate": 5e-3}
    run = us.distill(corpus, student=["weak"], split="full", plan=plan, sizes=SIZES, seeds=2, out=tmp_path / "run")
    assert run.verdict == STILL
    assert run.results["still_learning"] == ["teacher", "plain", "distilled"]
    assert recommended(run.results) is None
    assert after(run.results, run.folder).startswith("give it more time (--plan epochs=N, or more minutes)")
    with pytest.raises(ValueError, match=r"has no verdict \(still learning when stopped\).*; give it more time"):
        run.export(tmp_path / "artifact", system="auto")
    page = run.report.read_text()
    assert "Still learning when stopped, no verdict" in page
    assert "after 3 epochs: end of the plan 2×" in page
