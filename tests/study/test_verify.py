"""Verify: what counts as right advice."""

from types import SimpleNamespace

import pytest

from study.small import make_corpus
from understudy.evaluate import advice
from understudy.evaluate.advice import advise
from understudy.study import verify as module


@pytest.mark.parametrize(
    ("said", "found", "right"),
    [
        ("yes", "better", True),
        ("yes", "worse", False),
        ("yes", "not distinguishable", False),
        ("no", "not distinguishable", True),
        ("no", "worse", True),
        ("no", "better", False),
        ("undecided", "better", None),
        ("yes", "one training run", None),
    ],
)
def test_advice_is_right_or_wrong_or_open(tmp_path, monkeypatch, said, found, right):
    monkeypatch.setattr(advice, "PROBES", ("linear",))
    corpus = make_corpus(tmp_path / "c")
    split = corpus.split("full")
    asked = []
    monkeypatch.setattr(module, "distill", lambda *args, **named: asked.append(named) or SimpleNamespace(verdict=found))
    monkeypatch.setattr(advice, "decided", lambda *args: said)
    checked = module.verify(advise(corpus, ["weak"], split=split), corpus, split, out=tmp_path / "run")
    assert (checked.verdict, checked.right) == (found, right)
    assert asked[0]["student"] == ("weak",)
    assert asked[0]["split"] is split
    assert not set(asked[0]) - {"student", "split", "seeds", "out"}, "all defaults"
