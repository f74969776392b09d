"""The live page: what it shows is what the files say, and only a page of its own can stop the run."""

import http.client
import json
import signal
import sqlite3
from urllib.request import urlopen

import pytest
from tests.study.small import PLAN, SIZES, make_corpus

import understudy as us
from understudy.study import live as module
from understudy.study.live import live, state_of

TRAININGS = {"teacher": 1, "plain": 2}


def written(folder, system, seed, lines, *, done):
    place = folder / system / f"seed-{seed}"
    place.mkdir(parents=True)
    told = [{"epoch": n, "seconds": 2.0, "loss": loss, "valid": {"accuracy": 1 - loss}} for n, loss in enumerate(lines)]
    (place / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    if done:
        (place / "model.safetensors").touch()


@pytest.fixture
def run(tmp_path):
    written(tmp_path / "run", "teacher", 0, [0.5, 0.25, 0.1], done=True)
    written(tmp_path / "run", "plain", 0, [0.75], done=False)
    return tmp_path / "run"


def asked(address, method, path, **headers):
    port = int(address.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, headers=headers)
    return connection.getresponse().status


def test_it_says_what_the_logs_say(run):
    found = state_of(run, "accuracy", TRAININGS)
    assert (found["done"], found["of"]) == (1, 3)
    assert found["trainings"][0] == {"name": "teacher, seed 0", "loss": [0.5, 0.25, 0.1], "valid": [0.5, 0.75, 0.9], "done": True}
    # Two of six seconds each, of which two have been spent.
    assert found["left"] == 10.0
    assert state_of(run, "accuracy", {"plain": 2})["left"] is None
    assert state_of(run / "not-yet", "accuracy", TRAININGS)["trainings"] == []


def test_the_page_answers_here_and_stops_with_its_token_alone(run, monkeypatch):
    stopped = []
    monkeypatch.setattr(module.os, "kill", lambda process, number: stopped.append(number))
    with live(run, metric="accuracy", trainings=TRAININGS) as address:
        page = urlopen(address, timeout=5).read().decode()
        assert json.load(urlopen(address + "state", timeout=5))["done"] == 1
        token = page.partition('name="token" content="')[2].partition('"')[0]
        assert asked(address, "POST", "/stop") == 403
        assert asked(address, "POST", "/stop", **{"X-Token": "another"}) == 403
        assert asked(address, "GET", "/", Host="elsewhere.example") == 421
        assert asked(address, "GET", "/other") == 404
        assert stopped == []
        assert asked(address, "POST", "/stop", **{"X-Token": token}) == 200
    assert stopped == [signal.SIGINT]
    with pytest.raises(OSError, match="refused"):
        urlopen(address, timeout=5)


def test_a_run_is_tracked_and_watched_and_the_same_as_without(tmp_path, capsys):
    pytest.importorskip("tensorboard")
    corpus = make_corpus(tmp_path / "corpus", rows=80)
    asked = {"student": "weak", "split": "full", "plan": PLAN, "sizes": SIZES, "seeds": 1, "report": False}
    watched = us.distill(corpus, out=tmp_path / "watched", live=True, logger="tensorboard", **asked)  # pyright: ignore
    assert "live: http://127.0.0.1:" in capsys.readouterr().err
    assert len(list((watched.folder / "tracked" / "plain" / "seed-0").glob("events.*"))) == 1
    plain = us.distill(corpus, out=tmp_path / "plain", **asked)  # pyright: ignore
    assert watched.results["systems"] == plain.results["systems"]
    with pytest.raises(ValueError, match="logger is 'paper'; choose tensorboard, wandb or mlflow"):
        us.distill(corpus, out=tmp_path / "none", logger="paper", **asked)  # pyright: ignore


@pytest.mark.parametrize("logger", ["wandb", "mlflow"])
def test_offline_trackers_write_into_the_runs_folder_alone(logger, tmp_path, monkeypatch):
    pytest.importorskip(logger)
    corpus = make_corpus(tmp_path / "corpus", rows=80)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    asked = {"student": "weak", "split": "full", "plan": PLAN, "sizes": SIZES, "seeds": 1, "report": False}
    for name in ("one", "two"):
        run = us.distill(corpus, out=tmp_path / name, logger=logger, **asked)  # pyright: ignore
        if logger == "wandb":
            assert len(list((run.folder / "tracked" / "wandb").glob("offline-run-*/*.wandb"))) == 3
        else:
            with sqlite3.connect(run.folder / "tracked" / "mlflow.db") as kept:
                names = {name for (name,) in kept.execute("select name from runs")}
                assert names == {f"{system}/seed-0" for system in ("teacher", "plain", "distilled")}
                logged = kept.execute("select count(*) from metrics where key = 'valid/accuracy'").fetchone()
                assert logged == (3 * PLAN.epochs,)
    assert list((tmp_path / "here").iterdir()) == []


def test_what_is_not_installed_is_named(tmp_path, monkeypatch):
    from understudy.process import tracking

    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with (
        pytest.raises(ImportError, match="logger is 'wandb', which is not installed: pip install wandb"),
        tracking.tracked("wandb"),
    ):
        pass
