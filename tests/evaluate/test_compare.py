"""Compare: results.json from predictions, the same rows for all systems, and a table of runs."""

import json

import numpy as np
import pytest
from scipy import stats

from understudy.evaluate.compare import System, compare, compare_runs, write_results
from understudy.evaluate.predictions import Predictions
from understudy.tasks import Classification, Regression

NUMBER = Regression(unit="points")
SPLIT = {"name": "fold", "train": 100, "labelled": 100, "valid": 0, "test": 60}


def made(error, *, seeds=3, rows=60, seed=0, groups=True, seen=None):
    """Predictions off the truth by a normal error of this deviation."""
    truth = np.random.default_rng(99).normal(size=rows)
    draw = np.random.default_rng(seed)
    return [
        Predictions(
            id=np.array([f"r{row}" for row in range(rows)]),
            values=truth + draw.normal(size=rows) * error,
            target=truth,
            has_target=np.ones(rows, bool),
            seen=np.ones(rows, bool) if seen is None else seen,
            group=np.array([f"g{row // 5}" for row in range(rows)]) if groups else None,
        )
        for _ in range(seeds)
    ]


def systems(teacher=0.2, plain=1.0, distilled=0.5, **kwargs):
    return {
        "teacher": System(["a", "b"], 100, made(teacher, seed=1, **kwargs)),
        "plain": System(["a"], 10, made(plain, seed=2, **kwargs)),
        "distilled": System(["a"], 10, made(distilled, seed=3, **kwargs)),
    }


def document(**kwargs):
    return compare(NUMBER, systems(**kwargs), split=SPLIT, selection="plan fixed in advance", draws=2000)


def test_a_clear_gain_is_signed_by_the_metric():
    found = document()
    assert found["metric"] == {"name": "mae", "higher_is_better": False}
    assert found["comparison"]["verdict"] == "better"
    assert found["comparison"]["difference"] > 0
    means = {name: system["metrics"]["mae"]["mean"] for name, system in found["systems"].items()}
    assert found["comparison"]["difference"] == pytest.approx(means["plain"] - means["distilled"])
    share = found["recovered_share"]
    assert share["value"] == pytest.approx((means["plain"] - means["distilled"]) / (means["plain"] - means["teacher"]))
    assert share["low"] < share["value"] < share["high"]
    assert "3 seeds and 12 groups of 60 test rows" in found["comparison"]["test"]
    json.dumps(found, allow_nan=False)


def test_a_loss_and_a_tie():
    assert document(plain=0.5, distilled=1.0)["comparison"]["verdict"] == "worse"
    tie = document(plain=0.5, distilled=0.5)
    assert tie["comparison"]["verdict"] == "not distinguishable"
    assert tie["comparison"]["low"] < 0 < tie["comparison"]["high"]
    assert document(teacher=0.5, plain=0.5)["recovered_share"] is None


def test_every_metric_has_its_t_interval_over_seeds():
    plain = document()["systems"]["plain"]
    found = plain["metrics"]["corr"]
    expected = stats.t.interval(0.95, 2, loc=np.mean(found["seeds"]), scale=stats.sem(found["seeds"]))
    assert (found["low"], found["high"]) == pytest.approx(expected)
    assert found["std"] == pytest.approx(np.std(found["seeds"], ddof=1))
    assert plain["modalities"] == ["a"]
    assert plain["parameters"] == 10


def test_one_seed_says_so_and_claims_no_spread():
    found = document(seeds=1)
    assert "one seed only" in found["comparison"]["test"]
    assert found["comparison"]["verdict"] == "one training run"
    assert found["recovered_share"] is None
    mae = found["systems"]["plain"]["metrics"]["mae"]
    assert (mae["std"], mae["low"], mae["high"]) == (None, None, None)
    assert len(mae["seeds"]) == 1


@pytest.mark.parametrize("name", ["teacher", "plain", "distilled"])
def test_a_prediction_that_is_not_finite_is_the_error_of_score(name):
    from understudy.evaluate.score import score

    given = systems()
    given[name].predictions[1].values[7] = np.nan
    with pytest.raises(ValueError, match="the prediction of row r7 is not finite, nor are 0 others"):
        compare(NUMBER, given, split=SPLIT, selection="")
    with pytest.raises(ValueError, match="the prediction of row r7 is not finite, nor are 0 others"):
        score(NUMBER, given[name].predictions[1])


def test_a_constant_prediction_leaves_null_in_the_document():
    given = systems()
    constant = [Predictions(p.id, np.zeros(60), p.target, p.has_target, p.seen, p.group) for p in made(1)]
    with pytest.warns(RuntimeWarning, match="constant"):
        found = compare(NUMBER, given | {"plain": System(["a"], 1, constant)}, split=SPLIT, selection="", draws=200)
    assert found["systems"]["plain"]["metrics"]["corr"]["mean"] is None
    json.dumps(found, allow_nan=False)


def test_same_rows_for_all_systems_and_coverage():
    hidden = np.arange(60) >= 15
    given = systems()
    blind = {
        "plain": System(["a"], 10, made(1.0, seed=2, seen=hidden)),
        "distilled": System(["a"], 10, made(0.5, seed=3, seen=hidden)),
    }
    found = compare(NUMBER, given | blind, split=SPLIT, selection="", draws=200)
    assert found["coverage"] == pytest.approx(0.75)
    assert found["rows"] == 45
    errors = [np.abs(p.values - p.target)[hidden].mean() for p in given["teacher"].predictions]
    assert found["systems"]["teacher"]["metrics"]["mae"]["seeds"] == pytest.approx(errors)


def test_rows_are_aligned_by_id():
    given = systems()
    turned = [p.take(np.random.default_rng(0).permutation(60)) for p in given["distilled"].predictions]
    again = given | {"distilled": System(["a"], 10, turned)}
    one, other = (compare(NUMBER, g, split=SPLIT, selection="", draws=200) for g in (given, again))
    assert one["comparison"] == other["comparison"]


def test_one_teacher_for_all_seeds():
    given = systems() | {"teacher": System(["a", "b"], 100, made(0.2, seeds=1))}
    assert compare(NUMBER, given, split=SPLIT, selection="", draws=500)["recovered_share"] is not None


def test_what_cannot_be_compared():
    given = systems()
    with pytest.raises(ValueError, match="no 'plain'"):
        compare(NUMBER, {"distilled": given["distilled"]}, split=SPLIT, selection="")
    with pytest.raises(ValueError, match="same seeds"):
        compare(NUMBER, given | {"plain": System(["a"], 10, made(1, seeds=2))}, split=SPLIT, selection="")
    blind = System(["a"], 10, made(1, seen=np.zeros(60, bool)))
    with pytest.raises(ValueError, match="at least two"):
        compare(NUMBER, given | {"plain": blind}, split=SPLIT, selection="")
    with pytest.raises(ValueError, match="other rows"):
        compare(NUMBER, given | {"plain": System(["a"], 10, made(1, rows=59))}, split=SPLIT, selection="")


def test_classification_document():
    task = Classification(classes=("no", "yes"))
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 2, 80)

    def seeds(skill):
        p = np.clip(0.5 + (truth - 0.5) * skill + draw.normal(size=(3, 80)) * 0.2, 0.01, 0.99)
        ones = np.ones(80, bool)
        return [Predictions(np.arange(80).astype(str), np.stack([1 - q, q], 1), truth, ones, ones) for q in p]

    given = {name: System(["a"], 1, seeds(skill)) for name, skill in (("teacher", 0.9), ("plain", 0.05), ("distilled", 0.6))}
    found = compare(task, given, split=SPLIT, selection="", draws=500)
    assert found["comparison"]["verdict"] == "better"
    assert found["systems"]["plain"]["metrics"]["accuracy"]["mean"] < 0.75
    assert "80 test rows" in found["comparison"]["test"]
    assert "groups" not in found["comparison"]["test"]


def write_run(folder, **kwargs):
    given = systems(**kwargs)
    for name, system in given.items():
        for seed, predictions in enumerate(system.predictions):
            predictions.save(folder / name / f"seed-{seed}" / "predictions.npz")
    write_results(folder, compare(NUMBER, given, split=SPLIT, selection="", draws=1000))
    return folder


def test_runs_that_decide_of_other_classes_are_not_held_against_each_other(tmp_path):
    runs = [write_run(tmp_path / name) for name in ("happy", "sad")]
    assert compare_runs(runs)[1]["against_first"] is not None
    document = json.loads((runs[1] / "results.json").read_text())
    document["task"]["classes"] = ["not sad", "sad"]
    (runs[1] / "results.json").write_text(json.dumps(document))
    assert compare_runs(runs)[1]["against_first"] is None


def test_table_of_runs(tmp_path):
    runs = [write_run(tmp_path / "good"), write_run(tmp_path / "tie", distilled=1.0), write_run(tmp_path / "short", rows=40)]
    found = compare_runs(runs)
    assert [row["run"] for row in found] == [str(run) for run in runs]
    assert [row["comparison"]["verdict_holm"] for row in found] == ["better", "not distinguishable", "better"]
    assert all(row["comparison"]["p_holm"] >= row["comparison"]["p"] for row in found)
    assert found[0]["against_first"] is None
    assert found[1]["against_first"]["verdict"] == "worse"
    assert found[2]["against_first"] is None
    json.dumps(found, allow_nan=False)
    with pytest.raises(FileNotFoundError, match=r"no results\.json"):
        compare_runs([tmp_path])
    with pytest.raises(ValueError, match="no run given"):
        compare_runs([])


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "is damaged"), ("[]", "expected an object"), ('{"task": 1}', "it lacks 'metric'")],
)
def test_a_damaged_file_is_named(tmp_path, content, said):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ValueError, match=f"results.json.*{said}"):
        compare_runs([tmp_path])
