"""Settings: one place for defaults, checks and JSON; the call, the command line and run.json name the same things."""

import inspect
import json
import shutil
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

import understudy as us
from study.small import PLAN, SIZES, make_corpus
from understudy.batches.loader import Loader
from understudy.commands.distilled import Typed
from understudy.corpus import Corpus
from understudy.players.player import Player, Sizes
from understudy.study.settings import PLAYERS, Asked, Keywords, Machine, Settings, flat, key_of
from understudy.training.plan import Plan

ASKED = Settings("somewhere", Player(("weak",), sizes=SIZES, plan=PLAN), Player(("strong", "weak")), split="main")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


def test_every_setting_is_a_keyword_and_a_flag():
    settings = set(flat(ASKED)) - {"corpus"}
    own = {"target", "out", "report", *Machine.__annotations__}
    call = set(inspect.signature(us.distill).parameters) - {"corpus", "more"} - own
    assert call | set(Keywords.__annotations__) == settings
    assert settings - {"split"} <= set(Asked.__annotations__)
    flags = {"encoder": "encoders", "teacher_encoder": "teacher_encoders"}
    typed = {flags.get(name, name) for name in (each.name for each in fields(Typed))} - own
    assert typed == settings - {"head"}, "a head of class prompts is for a teacher"


def test_a_call_has_few_parameters():
    assert len(inspect.signature(us.distill).parameters) <= 14


def test_a_player_and_keywords_ask_for_the_same(corpus):
    theirs = {"encoders": {"strong": "mlp"}, "plan": replace(PLAN, epochs=2), "sizes": {"width": 8}}
    by_player = replace(ASKED, teacher=Player(("strong", "weak"), **theirs))
    by_keyword = ASKED.told(**{f"teacher_{name}": value for name, value in theirs.items()})
    assert by_player.checked(corpus) == by_keyword.checked(corpus)
    with pytest.raises(ValueError, match="plan of the student is said in its Player and by keyword; say it once"):
        ASKED.told(plan={"epochs": 3})


def test_the_teacher_takes_what_the_student_has_unless_it_has_its_own(corpus):
    whole = ASKED.checked(corpus)
    assert whole.teacher.planned == PLAN
    assert whole.teacher.sized == Sizes(width=16, dropout=0.1)
    own = ASKED.told(teacher_plan={"epochs": 9}, teacher_sizes={"width": 32}).checked(corpus)
    assert own.teacher.planned == replace(PLAN, epochs=9)
    assert (own.teacher.sized, own.student) == (Sizes(width=32, dropout=0.1), whole.student)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"teacher_plan": Plan(epochs=2), "teacher_sizes": {"width": 8}, "teacher_fusion": "single_stream"},
        {"encoders": {"weak": "mlp"}, "teachers_of": "", "plain_of": Path()},
    ],
)
def test_there_and_back_through_json(corpus, more):
    whole = ASKED.told(**more).whole(corpus)
    document = json.loads(json.dumps(whole.to_json()))
    assert Settings.from_json(document).whole(corpus).to_json() == document


def test_what_earlier_versions_did_not_write_is_left_out_at_its_default(corpus):
    whole = ASKED.whole(corpus)
    assert not {"head", "teacher_sizes"} & set(whole.to_json())
    assert "teacher_sizes" in ASKED.told(teacher_sizes={"width": 8}).whole(corpus).to_json()
    assert {key_of(name, each.name) for name in PLAYERS for each in fields(Player)} <= set(flat(whole))


def test_a_teacher_of_its_own_size_is_trained_with_its_own_plan(corpus, tmp_path):
    teacher = us.Player(["strong", "weak"], sizes={"width": 24}, plan={"epochs": 2})
    run = us.distill(
        corpus,
        student=["weak"],
        teacher=teacher,
        split="main",
        plan=PLAN,
        sizes=SIZES,
        seeds=1,
        out=tmp_path / "run",
        report=False,
    )
    lines = {name: (run.folder / name / "seed-0" / "log.jsonl").read_text().count("\n") for name in ("teacher", "plain")}
    assert lines == {"teacher": 2, "plain": PLAN.epochs}
    assert run.model("teacher").width == 24
    before = (run.folder / "run.json").read_bytes()
    settings = json.loads(before)
    settings["arguments"] |= {"smell": 3}
    (run.folder / "run.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="holds a run of another version: it was asked with smell, which this version"):
        us.distill(corpus, student=["weak"], split="main", plan=PLAN, sizes=SIZES, seeds=1, out=run.folder)
    assert json.loads((run.folder / "run.json").read_text()) == settings
    assert us.load(run.folder).seeds == [0], "it still opens"
    shutil.rmtree(run.folder)


def test_the_walk_from_the_call_to_the_first_batch_is_short(corpus, tmp_path, monkeypatch):
    """Which files of study/ a reader has to open, counted by the functions that are entered."""
    room = str(Path(inspect.getfile(Settings)).parent)
    entered: set[str] = set()

    def arrived(*_, **__):
        raise StopIteration

    def watch(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(room):
            entered.add(Path(frame.f_code.co_filename).name)

    monkeypatch.setattr(Loader, "batches", arrived)
    sys.setprofile(watch)
    try:
        with pytest.raises(StopIteration):
            us.distill(corpus, student=["weak"], split="main", plan=Plan(epochs=1), seeds=1, out=tmp_path / "run")
    finally:
        sys.setprofile(None)
    assert {"distill.py", "settings.py", "job.py"} <= entered
    assert len(entered) <= 6, entered
