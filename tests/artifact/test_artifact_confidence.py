"""Confidence: temperatures, sets and intervals keep the coverage that they promise; abstaining; a cascade's budget."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from understudy.artifact import Artifact, predict_file
from understudy.artifact.calibrate import fitted
from understudy.artifact.cascade import Cascade
from understudy.artifact.confidence import Confidence, Wish, tempered
from understudy.tasks.calibration import reliability

SURE = Confidence(99, 1.0, tuple(np.linspace(0.01, 0.99, 99).tolist()))


def drawn(rows, seed, sharpness=3.0):
    """Probabilities that are too sure by `sharpness`, and truths drawn from the honest ones."""
    random = np.random.default_rng(seed)
    honest = random.dirichlet(np.ones(4), rows)
    truth = (honest.cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)
    return tempered(honest, 1 / sharpness), truth


def test_a_temperature_undoes_too_sure_probabilities():
    confidence = fitted(*drawn(2000, 0))
    assert confidence.temperature == pytest.approx(3, rel=0.1)
    predicted, truth = drawn(4000, 1)
    assert reliability(confidence.calibrated(predicted), truth).error < reliability(predicted, truth).error / 4


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.95])
def test_sets_hold_the_truth_as_often_as_promised(coverage):
    found = []
    for seed in range(20):
        confidence = fitted(*drawn(200, seed))
        predicted, truth = drawn(500, 100 + seed)
        sets = confidence.sets(confidence.calibrated(predicted), coverage)
        assert sets.any(axis=1).all()
        found.append(sets[np.arange(len(truth)), truth].mean())
    # Split conformal sets: at least coverage, at most 1 / (rows + 1) more where no two scores are equal.
    assert coverage - 0.02 <= np.mean(found) <= coverage + 0.03


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_intervals_hold_the_truth_and_are_wider_where_errors_are(coverage):
    def rows(count, seed):
        random = np.random.default_rng(seed)
        predicted = random.uniform(0, 1, count)
        return predicted, predicted + random.normal(size=count) * (0.1 + predicted)

    found = []
    for seed in range(20):
        confidence = fitted(*rows(200, seed))
        predicted, truth = rows(500, 100 + seed)
        low, high = confidence.interval(predicted, coverage, {"low": -9.0, "high": 9.0})
        found.append(((low <= truth) & (truth <= high)).mean())
        widths = (high - low)[np.argsort(predicted)]
        assert widths[:100].mean() < widths[-100:].mean()
    assert np.mean(found) == pytest.approx(coverage, abs=0.025)


def test_too_few_rows_say_nothing_and_what_is_asked_beyond_them_is_refused():
    assert fitted(*drawn(19, 0)) is None
    with pytest.raises(
        ValueError, match=r"coverage 0.995 needs 199 validation rows, this artifact had 99: ask for at most 0.990"
    ):
        SURE.bound(0.995)
    assert SURE.bound(0.9) == pytest.approx(0.9)
    for wish in ({"coverage": 1.0}, {"least": -0.1}):
        with pytest.raises(ValueError, match="expected a share from 0 up to but not 1"):
            Wish(**wish)
    with pytest.raises(ValueError, match="do not fit together"):
        Confidence.from_json(replace(SURE, rows=3).to_json())
    assert Confidence.from_json(SURE.to_json()) == SURE


@pytest.fixture
def sure_reader(reader):
    """The artifact of classes as one that was calibrated; its graph is opened anew."""
    artifact = Artifact(reader.artifact)
    artifact.contract = replace(artifact.contract, confidence=SURE)
    return artifact


def texts(count=10):
    return pa.table({"said": [" ".join(["cat", "dog", "moon", "red", "sat"][: 1 + i % 5]) + f" {i}" for i in range(count)]})


def test_an_answer_says_what_is_asked(sure_reader, reader):
    with pytest.raises(ValueError, match="says nothing of its confidence"):
        Artifact(reader.artifact).predict(texts(), coverage=0.5)
    answers = sure_reader.predict(texts(), coverage=0.5).to_pylist()
    for row in answers:
        for name in sure_reader.contract.classes:
            inside = row[f"probability_{name}"] >= 0.5 or name == row["prediction"]
            assert row[f"in_set_{name}"] == inside
    sureness = [max(value for name, value in row.items() if name.startswith("probability")) for row in answers]
    least = float(np.median(sureness))
    abstained = sure_reader.predict(texts(), min_confidence=least).to_pylist()
    assert [row["prediction"] is None for row in abstained] == [each < least for each in sureness]
    assert all(row["probability_low"] is not None for row in abstained)


def test_a_cascade_hands_over_the_least_sure_rows(sure_reader, reader, tmp_path):
    teacher = Artifact(reader.artifact)
    teacher._run = lambda reads, cells, rows: np.tile(np.array([0, 0, 1], np.float32), (rows, 1))
    own = sure_reader.predict(texts()).to_pylist()
    sureness = [max(value for name, value in row.items() if name.startswith("probability")) for row in own]
    answers = Cascade(sure_reader, teacher, 0.3).answer(texts(), folder=Path())
    by = answers["answered_by"].to_list()
    assert {i for i, who in enumerate(by) if who == "teacher"} == set(np.argsort(sureness)[:3].tolist())
    for i, said in enumerate(answers["prediction"].to_list()):
        assert said == (sure_reader.contract.classes[2] if by[i] == "teacher" else own[i]["prediction"])
    (tmp_path / "in.csv").write_text("said\n" + "\n".join(texts()["said"].to_pylist()) + "\n")
    summary = predict_file(Cascade(sure_reader, teacher, 0.3), tmp_path / "in.csv", tmp_path / "out.csv")
    assert (summary.answered, summary.handed_over, summary.abstained) == (10, 3, 0)


def test_a_cascade_answers_no_row_with_no_answer(sure_reader):
    answers = Cascade(sure_reader, sure_reader, 0.3).answer(texts().slice(0, 0), folder=Path())
    assert {name: len(answer.values) for name, answer in answers.items()} == dict.fromkeys(answers, 0)
    assert list(answers) == [*sure_reader.answer(texts(), folder=Path()), "answered_by"]


def test_what_a_cascade_refuses(sure_reader, reader, world):
    with pytest.raises(ValueError, match="answer different tasks"):
        Cascade(sure_reader, Artifact(world.artifact), 0.2)
    with pytest.raises(ValueError, match="does not say how sure it is"):
        Cascade(Artifact(reader.artifact), sure_reader, 0.2)
    with pytest.raises(ValueError, match=r"budget=0.0 given"):
        Cascade(sure_reader, sure_reader, 0.0)
    with pytest.raises(ValueError, match="coverage is of one artifact's answers"):
        Cascade(sure_reader, sure_reader, 0.2).answer(texts(), folder=Path(), wish=Wish(coverage=0.5))
