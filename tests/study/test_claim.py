"""A run's folder: the same run is known again however it is spelled, by whichever version, wherever its corpus lies."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import understudy as us
from study.small import PLAN, SIZES, make_corpus
from understudy.cli import main
from understudy.corpus import Corpus
from understudy.process.alone import alone
from understudy.process.lock import LOCK
from understudy.study.evaluation import evaluate_subsets
from understudy.study.join import join

ASKED: Any = {"student": ["weak"], "teacher": ["strong", "weak"], "split": "main", "plan": PLAN, "sizes": SIZES, "seeds": 1}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    return us.distill(corpus, out=tmp_path_factory.mktemp("runs") / "run", **ASKED)


def written(folder: Path) -> dict[Path, int]:
    """Every file, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_run_json_says_what_was_meant(run):
    asked = run.settings["arguments"]
    assert asked["options"] == {"weight": 0.5, "temperature": 2.0, "distance": "l1", "feature": 0.0, "mixup": 0.0}
    sizes = {"width": 16, "dropout": 0.1, "modality_dropout": 0.0, "freeze": "tower", "depth": 2, "lora": 0, "slots": 16}
    assert asked["sizes"] == sizes
    assert (asked["encoders"], asked["teacher_encoders"]) == ({"weak": "piecewise"}, {"strong": "piecewise", "weak": "piecewise"})
    card = (run.export(run.folder.parent / "shipped") / "card.md").read_text()
    assert "method: kd (weight 0.5, temperature 2.0, distance l1, feature 0.0, mixup 0.0)" in card
    assert "student reads: weak (piecewise)\n- sizes: width 16, dropout 0.1, modality_dropout 0.0" in card


@pytest.mark.parametrize(
    "spelled",
    [
        {"options": {"weight": 0.5, "temperature": 2}},
        {"sizes": SIZES | {"depth": 2, "modality_dropout": 0}},
        {"encoders": {"weak": "piecewise"}},
        {"teacher_encoders": {"strong": "piecewise"}, "fusion": "concat"},
    ],
)
def test_a_default_that_is_spelled_out_asks_for_the_same_run(run, corpus, spelled):
    before = written(run.folder)
    us.distill(corpus, out=run.folder, **ASKED | spelled)
    assert written(run.folder) == before


@pytest.mark.parametrize(
    ("other", "name"),
    [({"options": {"weight": 0.4}}, "options"), ({"sizes": {"width": 16, "dropout": 0.2}}, "sizes"), ({"seeds": [1]}, "seeds")],
)
def test_another_value_does_not(run, corpus, other, name):
    with pytest.raises(ValueError, match=f"holds another run .differs in {name}."):
        us.distill(corpus, out=run.folder, **ASKED | other)


def test_a_run_of_a_version_that_wrote_no_defaults_is_known_again(run, corpus, tmp_path):
    old = Path(shutil.copytree(run.folder, tmp_path / "old"))
    settings = json.loads((old / "run.json").read_text())
    settings["arguments"] |= {"options": {}, "encoders": {}, "teacher_encoders": {}, "sizes": SIZES}
    for name in ("fusion", "teacher_fusion", "teacher_head", "space", "plain_of"):
        settings["arguments"].pop(name)
    (old / "run.json").write_text(json.dumps(settings))
    before = written(old)
    assert us.distill(corpus, out=old, **ASKED).results == run.results
    assert written(old) == before
    taken = us.distill(corpus, out=tmp_path / "taken", teachers_of=old, plain_of=old, report=False, **ASKED)
    assert taken.results["systems"] == run.results["systems"]
    with pytest.raises(ValueError, match="differs in options"):
        us.distill(corpus, out=old, **ASKED | {"options": {"weight": 0.4}})


@pytest.fixture
def moved(run, corpus, tmp_path) -> us.Run:
    """The same run, whose corpus lies elsewhere by now."""
    here = Path(shutil.copytree(run.folder, tmp_path / "run"))
    Path(shutil.copytree(corpus.folder, tmp_path / "lies" / "here"))
    settings = json.loads((here / "run.json").read_text())
    settings["arguments"]["corpus"] = str(tmp_path / "lay")
    (here / "run.json").write_text(json.dumps(settings))
    return us.load(here)


def test_a_moved_corpus_strands_no_run(moved, run, tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match=r"lay, the corpus of .*, is not there .*--corpus FOLDER"):
        moved.export(tmp_path / "shipped")
    now = tmp_path / "lies" / "here"
    again = us.load(moved.folder, corpus=now)
    assert again.export(tmp_path / "shipped").is_dir()
    assert evaluate_subsets(again, system="teacher", seed=None, split="") == evaluate_subsets(
        run, system="teacher", seed=None, split=""
    )
    before = written(moved.folder)
    us.distill(now, out=moved.folder, **ASKED)
    assert written(moved.folder) == before
    for command, *others in (
        ("evaluate", "--system", "plain"),
        ("export", "--out", str(tmp_path / "other")),
        ("store", "--out", str(tmp_path / "store")),
        ("search",),
        ("information", "--estimator", "gaussian"),
    ):
        assert main([command, str(moved.folder), *others, "--corpus", str(now)]) == 0, capsys.readouterr().err
    (moved.folder / "results.json").unlink()
    assert us.distill(now, out=moved.folder, **ASKED).corpus().folder == now
    assert us.load(moved.folder).split().name == "main"


def test_a_corpus_of_other_rows_is_no_moved_one(moved, tmp_path):
    other = make_corpus(tmp_path / "other", rows=120)
    with pytest.raises(ValueError, match="holds other rows than the ones"):
        us.load(moved.folder, corpus=other.folder).corpus()
    with pytest.raises(ValueError, match="differs in corpus_fingerprint"):
        us.distill(other, out=moved.folder, **ASKED)


def test_parts_from_machines_where_the_corpus_lies_elsewhere_are_joined(moved, corpus, tmp_path):
    second = us.distill(corpus, out=tmp_path / "second", report=False, **ASKED | {"seeds": [1]})
    assert join([moved.folder, second.folder], tmp_path / "joined").seeds == [0, 1]


@pytest.mark.parametrize(("text", "message"), [("{", "is damaged: Expecting"), ('{"recipe": "distill"}', "it lacks 'arguments'")])
def test_a_damaged_run_json_is_named(moved, text, message):
    (moved.folder / "run.json").write_text(text)
    with pytest.raises(ValueError, match=rf"run.json.* {message}"):
        us.load(moved.folder)


HOLD = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def hold():
    """Starts another process that holds the lock of a folder until it is killed."""
    started: list[subprocess.Popen] = []

    def start(folder: Path) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLD, str(folder / LOCK)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def test_two_processes_on_one_folder_are_refused_until_the_other_is_gone(corpus, tmp_path, hold):
    out = tmp_path / "run"
    out.mkdir()
    other = hold(out)
    with pytest.raises(
        ValueError, match=r"another process is at work in .*run; wait until it ends, end it, or give another folder"
    ):
        us.distill(corpus, out=out, report=False, **ASKED)
    assert [path.name for path in out.iterdir()] == [LOCK]
    other.kill()
    other.wait()
    assert us.distill(corpus, out=out, report=False, **ASKED).verdict
    assert not (out / LOCK).exists()


def test_a_finished_run_asks_for_no_lock(run, corpus, hold):
    other = hold(run.folder)
    assert us.distill(corpus, out=run.folder, **ASKED).results == run.results
    other.kill()
    other.wait()
    (run.folder / LOCK).unlink()


def test_nobody_is_kept_out_by_a_run_that_failed_or_was_interrupted(tmp_path):
    with pytest.raises(KeyboardInterrupt), alone(tmp_path):
        raise KeyboardInterrupt
    with alone(tmp_path), pytest.raises(ValueError, match="another process is at work"), alone(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
