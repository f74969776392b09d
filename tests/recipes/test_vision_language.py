"""The vision-language protocol on a handful of made pictures, with teachers that learnt next to nothing."""

import inspect
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from understudy.commands.vision_table import vision_language as command
from understudy.evaluate.predictions import Predictions
from understudy.prepare.text import Text
from understudy.recipes.picture_teachers import Schooling, picture_teachers
from understudy.recipes.picture_world import picture_world
from understudy.recipes.protocol_table import protocol_text, q_ar, scored
from understudy.recipes.vision_language import WEIGHTS, for_steps, vision_language
from understudy.recipes.vision_systems import SYSTEMS, TEACHERS, Way, check_systems, check_teachers
from understudy.study.run import load
from understudy.study.transfer import transfer
from understudy.tasks import Choice
from understudy.training.plan import Plan

ROWS = {"train": 48, "test": 12, "shifted": 10}
SCHOOL = Schooling(pairs=64, epochs=1, batch=32, width=16, depth=1)
FEW = {label: SYSTEMS[label] for label in ("naive", "mad")}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def document(home):
    """Played in two halves, as two processes would."""
    told = {"rows": ROWS, "schooling": SCHOOL, "systems": FEW, "sizes": (0.5, 1.0), "draws": 2, "seeds": 1, "steps": 2}
    told |= {"weights": (0.1, 1.0), "teacher_steps": 2}
    assert picture_world(home, only=[0.5], **told) == {}
    first = home / "entailment" / "runs" / "50%" / "draw-0" / "mad"
    before = (first / "results.json").stat().st_mtime_ns
    found = picture_world(home, **told)
    assert (first / "results.json").stat().st_mtime_ns == before
    return found


def test_the_table_holds_every_size_test_and_system(document, home):
    rows = document["rows"]
    assert [(row["size"], row["test"], row["system"]) for row in rows] == [
        (size, test, system) for size in ("50%", "full") for test in ("given", "shifted") for system in ("teacher", "plain", *FEW)
    ]
    assert {row["trainings"] for row in rows if row["size"] == "50%"} == {2}
    assert {row["trainings"] for row in rows if row["size"] == "full"} == {1}
    for row in rows:
        assert ("against plain" in row) == (row["system"] in FEW)
        assert ("against naive" in row) == (row["system"] == "mad")
        assert (row["weight"] is None) == (row["system"] in ("teacher", "plain"))
    runs = [load(home / "entailment" / "runs" / "50%" / f"draw-{draw}" / "mad") for draw in range(2)]
    scores = [run.results["systems"]["distilled"]["metrics"]["accuracy"]["mean"] for run in runs]
    (mine,) = [row for row in rows if (row["size"], row["test"], row["system"]) == ("50%", "given", "mad")]
    assert mine["mean"] == pytest.approx(np.mean(scores))
    assert len(protocol_text(document).splitlines()) == len(rows) + 2
    assert json.loads((home / "entailment" / "table.json").read_text())["ceilings"]["both"]["shifted"] == 1


def test_stages_of_vcr_are_joined():
    ids = np.array(["a/answer", "b/answer", "b/rationale", "a/rationale"])
    right = np.array([[1.0, 1, 0, 1], [1, 1, 1, 1]])
    assert q_ar(Choice(4), ids, right) == {"q_ar": 0.75}
    assert q_ar(Choice(4), ids[:3], right[:, :3]) == {}
    row = {"size": "1%", "test": "given", "system": "plain", "metric": "accuracy", "mean": 0.5, "std": None, "weight": None}
    table = protocol_text({"rows": [row | {"q_ar": 0.25}, row]}).splitlines()
    assert [line.split(" | ")[5].rstrip(" |") for line in table] == ["Q->AR", "---", "0.250", ""]


def test_p_values_are_adjusted_over_the_table(document):
    for control, count in (("plain", 8), ("naive", 4)):
        found = [row[f"against {control}"] for row in document["rows"] if f"against {control}" in row]
        assert len(found) == count
        assert all(each["p_holm"] >= each["p"] for each in found)
        assert min(each["p_holm"] for each in found) == pytest.approx(min(1, count * min(each["p"] for each in found)))


def test_weights_are_chosen_on_train_rows_alone(document, home):
    runs = home / "entailment" / "runs"
    merits = json.loads((runs / "50%" / "weights.json").read_text())
    assert {label: list(each) for label, each in merits.items()} == {"naive": ["0.1", "1"], "mad": ["0.1", "1"]}
    tried = load(runs / "50%" / "held-1" / "0.1" / "mad")
    corpus, held = tried.corpus(), tried.split()
    subset, given, shifted = (corpus.split(name) for name in ("given-50%-draw-1", "given", "shifted"))
    assert set(held.train) | set(held.test) == set(subset.train)
    assert len(held.test) == pytest.approx(len(subset.train) / 4, abs=2)
    assert not set(corpus.groups[held.train]) & set(corpus.groups[held.test])
    assert not (set(held.train) | set(held.test)) & (set(given.test) | set(shifted.test))
    (row,) = [r for r in document["rows"] if (r["size"], r["test"], r["system"]) == ("50%", "given", "mad")]
    assert merits["mad"][f"{row['weight']:g}"] == max(merits["mad"].values())


def test_systems_share_teachers_and_plain_students(document, home):
    draw = home / "entailment" / "runs" / "50%" / "draw-0"
    for system in ("teacher", "plain"):
        one, two = (load(draw / label).predictions(system)[0] for label in FEW)
        assert (one.values == two.values).all()


def test_transfer(document, home):
    run = load(home / "entailment" / "runs" / "full" / "draw-0" / "mad")
    found = transfer(run, "shifted")
    assert found["split"]["name"] == "shifted"
    assert found["split"]["trained on"] == "given"
    assert found["rows"] == ROWS["shifted"]
    assert found == json.loads((run.folder / "transfer" / "shifted.json").read_text())
    with pytest.raises(ValueError, match="were train or validation rows"):
        transfer(run, "given-50%-draw-0-held")


def test_the_command(document, home, capsys):
    told = {
        "student": ("text=small", "regions=regions"),
        "teacher": (f"text={home}/teachers/clip", f"image={home}/teachers/clip"),
    }
    with pytest.raises(KeyError, match="no system 'best'"):
        command(str(home / "entailment" / "corpus"), split="given", systems=("best",), **told)
    with pytest.raises(ValueError, match=r"size 1\.5: expected a share up to 1, or a whole number of rows"):
        command(str(home / "entailment" / "corpus"), split="given", sizes=(0.1, 1.5), **told)


def test_rows_that_a_system_does_not_see_are_no_rows_of_the_table(document, home, tmp_path):
    source = load(home / "entailment" / "runs" / "full" / "draw-0" / "naive").folder
    run = load(shutil.copytree(source, tmp_path / "run"))
    path = run.folder / "distilled" / "seed-0" / "predictions.npz"
    said = Predictions.load(path)
    replace(said, seen=np.arange(len(said)) > 1).save(path)
    task = run.corpus().task
    scores, ids, groups = scored(task, {"plain": ([run], "plain"), "naive": ([run], "distilled")}, "")
    assert list(ids) == list(said.id[2:])
    assert len(groups) == len(ids) == scores["plain"].shape[1] == scores["naive"].shape[1]
    assert (
        scores["plain"].mean()
        == task.metrics(run.predictions("plain")[0].take(np.arange(2, len(said))).values, said.target[2:])["accuracy"]
    )


def test_other_weights_are_tried_beside_those_that_were(document, home):
    told = {"rows": ROWS, "schooling": SCHOOL, "systems": FEW, "draws": 2, "seeds": 1, "steps": 2, "teacher_steps": 2}
    path = home / "entailment" / "runs" / "50%" / "weights.json"
    before = json.loads(path.read_text())
    with pytest.raises(ValueError, match="differs in options"):
        picture_world(home, sizes=(0.5, 1.0), only=[0.5], weights=(0.2, 0.3), **told)
    after = json.loads(path.read_text())
    assert {label: list(each) for label, each in after.items()} == {label: ["0.1", "1", "0.2", "0.3"] for label in FEW}
    assert all(before[label].items() <= after[label].items() for label in FEW)


def test_names_that_would_hide_a_control(document, home):
    with pytest.raises(ValueError, match="a system is called 'plain'"):
        check_systems({"plain": SYSTEMS["naive"]}, (1.0,))
    told = {"student": {"text": "small"}, "teacher": {"text": "small"}, "split": "given", "tests": {"given": "shifted"}}
    with pytest.raises(ValueError, match="a test is called 'given'"):
        vision_language(home / "entailment" / "corpus", **told)


def test_the_command_tries_the_weights_of_the_function():
    assert inspect.signature(command).parameters["weights"].default == WEIGHTS


def test_one_teacher_alone(document, home):
    clip = str(home / "teachers" / "clip")
    told = {"student": {"text": "small", "regions": "regions"}, "teacher": {"text": clip, "image": clip}, "split": "given"}
    told |= {"sizes": (1.0,), "seeds": 1, "weights": (1.0,), "steps": 2, "teacher_steps": 2, "model": {"width": 16, "depth": 1}}
    found = vision_language(home / "entailment" / "corpus", systems=FEW | TEACHERS, out=home / "alone", **told)
    assert {"mad, text teacher", "mad, image teacher"} < {row["system"] for row in found["rows"]}
    assert not list((home / "alone").rglob("weights.json"))  # one weight is no choice
    assert {row["weight"] for row in found["rows"] if row["weight"] is not None} == {1.0}
    runs = {label: load(home / "alone" / "full" / "draw-0" / label) for label in ("mad", *TEACHERS)}
    assert {label: run.settings["arguments"]["teacher"] for label, run in runs.items()} == {
        "mad": ["text", "image"],
        "mad, text teacher": ["text"],
        "mad, image teacher": ["image"],
    }
    plain = {label: run.predictions("plain")[0].values for label, run in runs.items()}
    assert all((each == plain["mad"]).all() for each in plain.values())


def test_teachers_on_request_change_nothing_of_what_is_compared():
    assert not set(TEACHERS) & set(SYSTEMS)
    check_systems(SYSTEMS | TEACHERS, (1.0,))
    check_teachers(SYSTEMS | TEACHERS, ("text", "image"))
    check_teachers(SYSTEMS, ("caption",))
    with pytest.raises(ValueError, match="'mad, image teacher' wants a teacher of 'image', but teachers are of text"):
        check_teachers(TEACHERS, ("text",))


def test_teachers_come_back_as_transformers_folders(document, home):
    clip, text = picture_teachers(home / "teachers", SCHOOL)
    view = Text.pretrained(clip)
    assert view.tokens == Text.pretrained(text).tokens
    assert (home / "teachers" / "clip" / "preprocessor_config.json").is_file()
    with pytest.raises(ValueError, match="another schooling"):
        picture_teachers(home / "teachers", Schooling(pairs=65))


@pytest.mark.parametrize(
    ("systems", "weights", "words"),
    [
        ({}, (1.0,), "0 systems"),
        ({"a": Way()}, (), "0 weights"),
        ({"a": Way(options={"adaptive": True})}, (1.0,), "comes first"),
        ({"a": Way(weight_of="b"), "b": Way()}, (1.0,), "comes first"),
        ({"a": Way(), "b": Way(weight_of="c")}, (1.0,), "not among the tuned"),
    ],
)
def test_unusable_systems(systems, weights, words):
    with pytest.raises(ValueError, match=words):
        check_systems(systems, weights)


@pytest.mark.parametrize(("rows", "batch", "epochs"), [(100, 64, 150), (40, 40, 300), (10_000, 64, 2)])
def test_every_size_has_the_same_steps(rows, batch, epochs):
    plan = for_steps(Plan(epochs=1, batch_size=64), 300, rows)
    assert (plan.batch_size, plan.epochs) == (batch, epochs)
