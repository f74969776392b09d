"""CET from end to end: few labels, two students beside each other, and a teacher that ships as a plain student would."""

import json

import pytest
import torch

import understudy as us
from study.small import PLAN, SIZES, make_corpus


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> us.Run:
    folder = tmp_path_factory.mktemp("cet")
    own = {"encoders": {"strong": "mlp", "weak": "mlp"}, "report": False}
    asked = {"split": "main", "plan": PLAN, "sizes": SIZES, "seeds": 1, **own}
    return us.distill(make_corpus(folder / "corpus"), student=["weak", "strong"], method="cet", out=folder / "run", **asked)


def test_its_log_says_who_won_and_how_far_the_students_are_apart(run):
    lines = [json.loads(line) for line in (run.folder / "distilled" / "seed-0" / "log.jsonl").read_text().splitlines()]
    assert set(lines[-1]["terms"]) == {"first", "second", "peers", "teacher", "first.share"}
    assert all(0 <= line["terms"]["first.share"] <= 1 for line in lines)


def test_what_ships_is_a_model_like_the_plain_one(run):
    plain, shipped = run.model("plain"), run.model("distilled")
    assert {n: v.shape for n, v in plain.state_dict().items()} == {n: v.shape for n, v in shipped.state_dict().items()}
    assert not any(torch.equal(one, two) for one, two in zip(plain.parameters(), shipped.parameters(), strict=True))
    assert run.results["systems"]["distilled"]["parameters"] == run.results["systems"]["plain"]["parameters"]
