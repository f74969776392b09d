"""Ahead: the trainings that a run would have, with the plan that it would have, and nothing written."""

import json

import pytest
from tests.study.small import PLAN, SIZES, make_corpus

import understudy as us
from understudy.cli import main
from understudy.study.ahead import ahead


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus", rows=100)


def test_it_says_what_distill_then_does(corpus, tmp_path):
    asked = {"student": ["weak"], "teacher": ["strong", "weak"], "split": "full", "plan": PLAN, "sizes": SIZES, "seeds": 2}
    found = ahead(corpus, **asked)  # pyright: ignore
    assert [(line.system, line.trainings, line.reads) for line in found.lines] == [
        ("teacher", 2, ("strong", "weak")),
        ("plain", 2, ("weak",)),
        ("distilled", 2, ("weak",)),
    ]
    run = us.distill(corpus, out=tmp_path / "run", report=False, **asked)  # pyright: ignore
    log = [json.loads(line) for line in (run.folder / "plain" / "seed-0" / "log.jsonl").read_text().splitlines()]
    assert (found.lines[1].epochs, found.lines[1].updates) == (log[-1]["epoch"] + 1, log[-1]["step"])
    assert found.rows == {part: run.results["split"][part] for part in found.rows}
    assert all(line.seconds > 0 for line in found.lines)
    assert found.minutes == pytest.approx(sum(line.minutes for line in found.lines))


def test_the_command_writes_nothing_and_says_what_to_type(corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["plan", str(corpus.folder), "--student", "weak", "--split", "full", "--seeds", "1", "--answers", "crossfit"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "teacher/fold-0" in said
    assert "at most" in said
    assert f"Next: understudy distill {corpus.folder} --student weak --split full" in said
    assert list(tmp_path.iterdir()) == []


def test_what_distill_refuses_is_refused(corpus):
    with pytest.raises(KeyError, match="no modality 'nothing'"):
        ahead(corpus, student="nothing", split="full")
