"""Stages side by side: the same run as in turn, also after a process was killed, and a stage that fails is named."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

import understudy as us
from study.small import PLAN, SIZES, files, make_corpus
from understudy.process.alone import alone
from understudy.process.hardware import jobs_of
from understudy.process.lock import LOCK
from understudy.study.side_by_side import Worker, how
from understudy.study.stage import Stage, Stages
from understudy.study.worker import work

LONG = replace(PLAN, epochs=20)
ASKED = {"student": ["weak"], "split": "main", "plan": LONG, "sizes": SIZES, "seeds": 2, "report": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> us.Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    """In turn."""
    return us.distill(corpus, out=tmp_path_factory.mktemp("runs") / "run", jobs=1, **ASKED)


def test_two_processes_leave_what_one_leaves_byte_for_byte(corpus, run, tmp_path, capsys):
    made = us.distill(corpus, out=tmp_path / "run", jobs=2, **ASKED)
    assert files(made.folder) == files(run.folder)
    said = capsys.readouterr().err.splitlines()
    stages = [f"{system}, seed {seed}" for system in ("teacher", "plain", "distilled") for seed in (0, 1)]
    assert sorted(line.partition(":")[0] for line in said) == sorted(stages)


CALL = """
import sys, understudy as us
us.distill(sys.argv[1], out=sys.argv[2], jobs=2, student=["weak"], split="main", plan=us.Plan(**eval(sys.argv[3])),
           sizes=eval(sys.argv[4]), seeds=2, report=False)
"""


def test_a_parent_that_is_killed_takes_its_workers_along_and_loses_nothing(corpus, run, tmp_path):
    out = tmp_path / "run"
    plan = {name: getattr(LONG, name) for name in ("epochs", "batch_size", "rate")}
    command = [sys.executable, "-c", CALL, str(corpus.folder), str(out), repr(plan), repr(SIZES)]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL) as parent:
        until(lambda: list(out.glob("*/*/log.jsonl")))
        parent.kill()
    until(lambda: free(out))
    made = us.distill(corpus, out=out, jobs=1, **ASKED)
    assert files(made.folder) == files(run.folder)


def until(happens, *, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.02)


def free(folder: Path) -> bool:
    """Whether no process holds a run's folder; a worker does for as long as it lives."""
    assert (folder / LOCK).exists()
    try:
        with alone(folder):
            return True
    except ValueError:
        return False


def test_a_worker_that_dies_is_named_and_the_others_stop(corpus, run, tmp_path, monkeypatch):
    started: list[Worker] = []
    play = Worker.play

    def killed(worker: Worker, stage: Stage) -> None:
        play(worker, stage)
        started.append(worker)
        if stage == Stage("teacher", 1):
            worker.process.kill()

    monkeypatch.setattr(Worker, "play", killed)
    with pytest.raises(ChildProcessError, match=r"teacher, seed 1: its process died \(SIGKILL, so perhaps out"):
        us.distill(corpus, out=tmp_path / "run", jobs=2, **ASKED)
    assert [each.process.returncode for each in started][1] == -signal.SIGKILL
    assert all(each.process.returncode is not None for each in started)
    assert files(us.distill(corpus, out=tmp_path / "run", jobs=1, **ASKED).folder) == files(run.folder)


@pytest.mark.parametrize("days", [-400, 400])
def test_files_of_another_clock_are_gone_on_with(corpus, run, tmp_path, days):
    """Two machines share a folder, and their clocks are far apart."""
    out = Path(shutil.copytree(run.folder, tmp_path / "run"))
    shutil.rmtree(out / "distilled" / "seed-1")
    (out / "results.json").unlink()
    there = time.time() + days * 86400
    kept = list(out.glob("*/*/model.safetensors"))
    for path in out.rglob("*"):
        os.utime(path, (there, there))
    made = us.distill(corpus, out=out, jobs=1, **ASKED)
    assert files(made.folder) == files(run.folder)
    assert len(kept) == 5
    assert all(abs(path.stat().st_mtime - there) < 1 for path in kept), "nothing that was there is trained again"


def test_a_stage_that_fails_is_named_in_turn(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"teacher, seed 0: loss term 'supervised' of part 'main' is (nan|inf)"):
        us.distill(corpus, out=tmp_path / "run", **(ASKED | {"plan": replace(PLAN, rate=1e30, clip=None, epochs=2)}))


class Asked(SimpleQueue):
    """Stages, then the end."""

    def get(self):
        if self.empty():
            raise KeyboardInterrupt
        return super().get()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("plain, seed 0: no"), {"error": "ValueError", "said": "plain, seed 0: no"}),
        (PermissionError("plain, seed 0: no"), {"error": "OSError", "said": "plain, seed 0: no"}),
        (IndexError("no"), {"error": "RuntimeError", "said": "plain, seed 0: IndexError: no"}),
    ],
)
def test_what_a_worker_raises_is_told_to_its_parent(run, monkeypatch, error, said):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(Stages, "play", fails)
    asked, answers = Asked(), io.StringIO()
    asked.put(Stage("plain", 0))
    with pytest.raises(KeyboardInterrupt):
        work(run.folder, asked, answers)
    assert json.loads(answers.getvalue()) == said


def test_the_end_of_a_process_in_words():
    assert how(3) == "exit code 3"
    assert how(-signal.SIGSEGV) == "SIGSEGV"


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_jobs_are_refused_before_anything_is_written(corpus, tmp_path, jobs):
    with pytest.raises(ValueError, match=f"jobs is {jobs}; give how many trainings may run at once, 1 or more, or auto"):
        us.distill(corpus, out=tmp_path / "run", jobs=jobs, **ASKED)
    assert not (tmp_path / "run").exists()


def test_how_many_at_once(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    assert jobs_of(3) == 3
    assert jobs_of("auto") == len(os.sched_getaffinity(0))
