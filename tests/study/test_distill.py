"""The main job: three systems, resumed, refused, loaded back and shipped."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import understudy as us
from study.small import PLAN, SIZES, make_corpus
from understudy.cli import main
from understudy.corpus import Corpus, Split
from understudy.evaluate.results import recommended
from understudy.players.defaults import default_plan, default_sizes
from understudy.players.player import Sizes
from understudy.training.plan import Plan


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return us.distill(
        corpus, student=["weak"], teacher=["strong", "weak"], split="main", plan=PLAN, sizes=SIZES, seeds=2, out=out
    )


def again(corpus: Corpus, out: Path, **changes) -> us.Run:
    asked = {
        "student": ["weak"],
        "teacher": ["strong", "weak"],
        "split": "main",
        "plan": PLAN,
        "sizes": SIZES,
        "seeds": 2,
        "report": False,
    }
    return us.distill(corpus, out=out, **(asked | changes))


def weights(run: us.Run, system: str, seed: int = 0) -> dict[str, torch.Tensor]:
    return run.model(system, seed=seed).state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_any_system_ships_and_auto_ships_what_the_verdict_says(run, tmp_path):
    for system, reads in (("plain", ["weak"]), ("teacher", ["strong", "weak"]), ("auto", ["weak"])):
        folder = run.export(tmp_path / system, system=system)
        shipped = run.to_ship if system == "auto" else system
        assert f"This artifact is the system {shipped}." in (folder / "card.md").read_text()
        assert sorted(us.Artifact(folder).contract.modalities) == reads
    assert run.to_ship == ("distilled" if run.verdict == "better" else "plain")


def test_the_command_says_what_auto_took_and_what_is_no_worse(run, tmp_path, capsys):
    told = us.load(run.folder).results
    assert main(["export", str(run.folder), "--system", "auto", "--out", str(tmp_path / "artifact")]) == 0
    said = capsys.readouterr().out
    assert f"auto took the {run.to_ship} student." in said
    assert (f"Do not ship the {run.to_ship} student" in said) == bool(recommended(told).rather)


def test_one_training_run_does_not_say_what_ships(run, tmp_path, monkeypatch):
    told = run.results
    told["comparison"]["verdict"] = "one training run"
    monkeypatch.setattr(us.Run, "results", property(lambda self: told))
    with pytest.raises(ValueError, match=r"train several seeds .*, or name the system"):
        run.export(tmp_path / "artifact", system="auto")
    assert not (tmp_path / "artifact").exists()


def test_three_systems_on_the_same_rows(run):
    found = run.results
    assert set(found["systems"]) == {"teacher", "plain", "distilled"}
    assert found["systems"]["plain"]["parameters"] == found["systems"]["distilled"]["parameters"]
    assert all(len(system["metrics"]["accuracy"]["seeds"]) == 2 for system in found["systems"].values())
    assert found["comparison"]["verdict"] in ("better", "worse", "not distinguishable")
    assert found["split"]["labelled"] == 24
    assert "validation" in found["selection"]
    assert found["systems"]["teacher"]["metrics"]["accuracy"]["mean"] > found["systems"]["plain"]["metrics"]["accuracy"]["mean"]


def test_page_and_its_sources_are_written(run):
    assert "<html" in run.report.read_text()
    assert {"weak", "strong", "strong+weak"} == set(json.loads((run.folder / "subsets.json").read_text())["teacher"])
    assert not list(run.folder.rglob("checkpoint"))


def test_load_gives_the_same_predictions(run, corpus):
    back = us.load(run.folder)
    assert back.seeds == [0, 1]
    assert same(weights(run, "distilled"), weights(back, "distilled"))
    saved = back.predictions("distilled")[0]
    assert np.array_equal(saved.id, corpus.ids[corpus.split("main").test])


def test_same_call_does_not_train_again(run, corpus):
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("model.safetensors")}
    us.distill(
        corpus, student=["weak"], teacher=["strong", "weak"], split="main", plan=PLAN, sizes=SIZES, seeds=2, out=run.folder
    )
    assert before == {path: path.stat().st_mtime_ns for path in run.folder.rglob("model.safetensors")}


def test_a_lost_student_is_trained_again_bit_for_bit(corpus, tmp_path):
    made = again(corpus, tmp_path / "run")
    lost = weights(made, "distilled", seed=1)
    for name in ("results.json", "distilled/seed-1/model.safetensors"):
        (made.folder / name).unlink()
    assert same(lost, weights(again(corpus, tmp_path / "run"), "distilled", seed=1))


def test_more_seeds_train_only_those(run, corpus, tmp_path):
    made = again(corpus, tmp_path / "run", seeds=1)
    (made.folder / "transfer").mkdir()
    (made.folder / "transfer" / "other.json").write_text("{}")
    first = {path: path.stat().st_mtime_ns for path in made.folder.rglob("model.safetensors")}
    grown = again(corpus, tmp_path / "run", seeds=2)
    assert grown.seeds == [0, 1]
    assert not (made.folder / "transfer" / "other.json").exists()
    assert first.items() <= {path: path.stat().st_mtime_ns for path in grown.folder.rglob("model.safetensors")}.items()
    assert grown.results["comparison"] == run.results["comparison"]
    with pytest.raises(ValueError, match="differs in seeds"):
        again(corpus, tmp_path / "run", seeds=1)


def test_more_seeds_would_change_an_ensemble(corpus, tmp_path):
    again(corpus, tmp_path / "run", ensemble="yes", seeds=1)
    with pytest.raises(ValueError, match="differs in seeds"):
        again(corpus, tmp_path / "run", ensemble="yes", seeds=2)


def test_another_run_in_the_folder_is_refused(run, corpus):
    with pytest.raises(ValueError, match=r"another run.*differs in options"):
        again(corpus, run.folder, options={"weight": 0.9})


def test_a_folder_with_other_files_is_refused(corpus, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="holds no run"):
        again(corpus, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_distillation_of_weight_zero_is_the_plain_control_bit_for_bit(corpus, tmp_path):
    made = again(corpus, tmp_path / "run", split="full", options={"weight": 0.0}, seeds=1)
    assert same(weights(made, "plain"), weights(made, "distilled"))
    assert made.results["comparison"]["difference"] == 0


def test_teachers_of_another_run_are_taken(run, corpus, tmp_path):
    made = again(corpus, tmp_path / "run", teachers_of=run.folder, options={"weight": 0.9})
    assert same(weights(made, "teacher"), weights(run, "teacher"))
    assert same(weights(made, "plain"), weights(run, "plain"))
    with pytest.raises(ValueError, match="another teacher"):
        again(corpus, tmp_path / "other", teachers_of=run.folder, teacher=["strong"])


def test_a_run_of_before_there_was_a_choice_of_fusion_goes_on(run, corpus, tmp_path):
    old = Path(shutil.copytree(run.folder, tmp_path / "old"))
    for name in ("student.json", "teacher.json", "run.json"):
        document = json.loads((old / name).read_text())
        within = document["arguments"] if name == "run.json" else document
        for key in ("fusion", "teacher_fusion", "depth", "fusion_config"):
            within.pop(key, None)
        (old / name).write_text(json.dumps(document))
    assert same(weights(us.load(old), "distilled"), weights(run, "distilled"))
    assert us.load(old).model().fusion.width == run.model().fusion.width
    assert again(corpus, tmp_path / "taken", teachers_of=old, plain_of=old, seeds=1).results["systems"]
    shutil.rmtree(old / "distilled")
    (old / "results.json").unlink()
    assert same(weights(again(corpus, old), "distilled"), weights(run, "distilled"))
    with pytest.raises(ValueError, match="differs in teacher_fusion"):
        again(corpus, old, teacher_fusion="single_stream")
    with pytest.raises(ValueError, match="trained with another teacher_fusion"):
        again(corpus, tmp_path / "other", teachers_of=run.folder, teacher_fusion="single_stream")


def test_ensemble_cannot_be_judged_without_validation_rows(corpus, tmp_path):
    corpus.save_split(replace(corpus.split("full"), name="fixed", valid=np.zeros(0, np.intp), hash=""))
    with pytest.raises(ValueError, match="split 'fixed' has none"):
        again(corpus, tmp_path / "run", split="fixed", ensemble="if better")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("choice", ["yes", "if better"])
def test_ensemble(corpus, tmp_path, choice):
    made = again(corpus, tmp_path / "run", ensemble=choice)
    stored = (made.folder / "teacher" / "answers").is_dir()
    assert stored == ("ensemble" in made.results["systems"])
    assert stored or choice == "if better"


def test_self_distillation_takes_no_teacher(corpus, tmp_path):
    made = again(corpus, tmp_path / "run", method="self_distillation", seeds=1)
    assert not same(weights(made, "plain"), weights(made, "distilled"))


def test_regression(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", regression=True)
    made = again(corpus, tmp_path / "run")
    assert made.results["metric"] == {"name": "mae", "higher_is_better": False}
    assert made.model().task.scale == pytest.approx(np.std(corpus.target[corpus.split("main").labelled]))


def test_plan_may_be_changes_of_the_default(corpus, tmp_path):
    made = again(corpus, tmp_path / "run", plan={"epochs": 1, "clip": None, "weight_decay": 0}, seeds=1)
    assert made.settings["arguments"]["plan"]["epochs"] == 1
    with pytest.raises(ValueError, match="a plan has no epoch; it has epochs"):
        again(corpus, tmp_path / "other", plan={"epoch": 1})


@pytest.mark.parametrize(
    ("changes", "plan"),
    [
        ({}, Plan(epochs=450, batch_size=64, schedule="plateau", patience=116)),
        ({"batch_size": 256, "rate": 0.1}, Plan(epochs=1800, batch_size=256, rate=0.1, schedule="plateau", patience=462)),
        ({"batch_size": 16, "accumulate": 2}, Plan(225, 16, accumulate=2, schedule="plateau", patience=58)),
        ({"schedule": "linear"}, Plan(epochs=150, batch_size=64, schedule="linear", patience=30)),
        ({"epochs": 40}, Plan(epochs=40, patience=8)),
        ({"epochs": 3}, Plan(epochs=3, patience=5)),
        ({"epochs": 40, "patience": None}, Plan(epochs=40)),
    ],
)
def test_what_a_change_of_the_plan_decides_follows_it(changes, plan):
    split = Split("main", train=np.arange(640), valid=np.arange(640, 700), test=np.arange(700, 800), labelled=np.arange(640))
    assert default_plan(split, named=["mlp"], kinds={"text"}, changes=changes) == plan


def test_pretrained_encoders_take_few_epochs_and_nothing_stops_without_validation_rows():
    split = Split("main", train=np.arange(640), test=np.arange(700, 800), labelled=np.arange(640))
    published = default_plan(split, named=["mlp", "some/encoder"], kinds={"text"}, changes={"batch_size": 256})
    assert published == Plan(epochs=5, batch_size=256)
    assert default_plan(split, named=["mlp"], kinds={"text"}, changes={}) == Plan(epochs=150)


def test_networks_of_numbers_alone_are_held_back_where_rows_are_few():
    few, many = (Split("main", np.arange(n), np.arange(2), np.arange(n)) for n in (640, 20_000))
    assert (default_sizes(few, {"vector", "table"}).dropout, default_sizes(many, {"vector"}).dropout) == (0.3, 0.1)
    assert default_sizes(few, {"vector", "text"}) == Sizes()
    assert default_plan(few, named=["mlp"], kinds={"vector"}, changes={}) == Plan(epochs=150, weight_decay=0.1, rate=3e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": ["smell"]}, "no modality 'smell'.*strong, weak, spare"),
        ({"student": []}, "at least one modality"),
        ({"student": ["values"]}, "keeps for itself"),
        ({"student": ["weak", "weak"]}, "each once"),
        ({"split": "nope"}, "no split 'nope'"),
        ({"split": ""}, "several splits; choose one of"),
        ({"seeds": 0}, "give how many"),
        ({"seeds": [1, 1]}, "different numbers"),
        ({"method": "magic"}, "no method 'magic'; choose from amid, .*, kd"),
        ({"method": "supervised"}, "plain control is always trained"),
        ({"options": {"wait": 1}}, "kd has no wait; it has weight"),
        ({"options": {"weight": "much"}}, "kd: weight is 'much'; expected a number"),
        ({"options": {"distance": "l3"}}, "distance is 'l3'; expected one of 'l1', "),
        ({"plan": {"epochs": 2.5}}, "a plan: epochs is 2.5; expected a whole number"),
        ({"plan": {"epochs": True}}, "epochs is True"),
        ({"sizes": {"layers": 2}}, "a model has no layers; it has width"),
        (
            {"fusion": "sum"},
            "student's fusion 'sum' .no published .*: choose from concat, single_stream, slots, experts, late",
        ),
        ({"fusion": "experts"}, "student's fusion 'experts' never trains an encoder, so it is for a teacher"),
        ({"teacher_fusion": "sum"}, "teacher's fusion 'sum' .*: choose from concat"),
        ({"sizes": {"width": "wide"}}, "width is 'wide'"),
        ({"encoders": {"weak": "gru"}}, "no vector encoder 'gru' for weak"),
    ],
)
def test_bad_arguments_are_one_sentence_and_leave_nothing(corpus, tmp_path, changes, message):
    with pytest.raises((ValueError, KeyError), match=message):
        again(corpus, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_student_modality_that_no_test_row_has(corpus, tmp_path):
    split = corpus.split("full")
    bare = split.test[~corpus.present("spare")[split.test]]
    corpus.save_split(replace(split, name="bare", test=bare, hash=""))
    with pytest.raises(ValueError, match=r"0 of .* test rows of split 'bare' have .* the student .spare. and the teacher"):
        again(corpus, tmp_path / "run", student=["spare"], split="bare")


def test_coverage_is_reported_for_rows_the_student_cannot_see(corpus, tmp_path):
    made = again(corpus, tmp_path / "run", student=["spare"], split="full", seeds=1, plan=Plan(epochs=1))
    test = corpus.split("full").test
    assert made.results["coverage"] == pytest.approx(corpus.present("spare")[test].mean())
    assert made.results["rows"] == corpus.present("spare")[test].sum()
