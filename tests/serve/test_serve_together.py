"""Requests that come together run together, each is answered as if it had come alone, and one at fault harms no other."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from made_artifact import write_artifact

from understudy.artifact.confidence import Wish
from understudy.artifact.predict import Artifact
from understudy.serve import together
from understudy.serve.question import Question
from understudy.serve.rows import predict_rows
from understudy.serve.together import FEW, MOST_TOGETHER, Together, predict_together

QUESTIONS = [
    Question([{"a": 1, "b": 2}, {"said": "x"}]),
    Question([{"said": "some words"}]),
    Question([{"said": " "}, {"age": 4, "<i>town": "Ulm"}, {"a": None, "b": None}]),
    Question([{"age": "41", "<i>town": 7}]),
]
WRONG = Question([{"said": "x"}, {"age": "tbc", "<i>town": "Ulm"}])


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    folder = tmp_path_factory.mktemp("light") / "artifact"
    return Artifact(write_artifact(folder, classes=True, names=("few", "said", "facts"), name="light"))


def entries(found, name):
    """That entry of each answer."""
    return [each[name] for each in found]


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_each_is_answered_as_if_alone(light, on_error):
    found = predict_together(light, QUESTIONS, on_error)
    assert found == [predict_rows(light, each, on_error=on_error) for each in QUESTIONS]
    assert entries(found, "answered") == [2, 1, 1, 1]
    assert entries(found, "modalities") == [["few", "said"], ["said"], ["few", "said", "facts"], ["facts"]]


def test_one_at_fault_is_told_of_its_own_rows_and_harms_no_other(light):
    found = predict_together(light, [QUESTIONS[0], WRONG, QUESTIONS[1]], "fail")
    assert [found[0], found[2]] == [predict_rows(light, each) for each in QUESTIONS[:2]]
    assert "column 'age', row 2: 'tbc' is not a number" in str(found[1])
    found = predict_together(light, [QUESTIONS[0], WRONG], "skip")
    assert entries(found, "errors") == [
        [],
        [{"row": 2, "modality": "facts", "reason": "column 'age', row 2: 'tbc' is not a number"}],
    ]


def asked(light, monkeypatch, questions, wait=0.005):
    """The outcomes, and how many questions each run had."""
    sizes = []

    def counted(artifact, some, on_error):
        sizes.append(len(some))
        return predict_together(artifact, some, on_error)

    monkeypatch.setattr(together, "predict_together", counted)

    async def run(executor):
        queue = Together(light, executor, wait=wait, on_error="fail")
        return await asyncio.gather(*(queue.ask(each) for each in questions), return_exceptions=True)

    with ThreadPoolExecutor(1) as executor:
        return asyncio.run(run(executor)), sizes


def test_those_that_wait_run_together(light, monkeypatch):
    many = [QUESTIONS[1]] * 40
    outcomes, sizes = asked(light, monkeypatch, many)
    assert outcomes == [predict_rows(light, QUESTIONS[1])] * 40
    assert sum(sizes) == 40
    assert len(sizes) <= 3


def test_a_run_has_one_manner_and_bounded_rows(light, monkeypatch):
    only = Question([{"a": 1, "b": 2, "said": "x"}], only=("said",))
    outcomes, sizes = asked(light, monkeypatch, [QUESTIONS[1], only, QUESTIONS[1], only])
    assert entries(outcomes, "modalities") == [["said"]] * 4
    assert sizes == [2, 2]
    large = Question([{"said": "x"}] * FEW)
    _, sizes = asked(light, monkeypatch, [large] * 20)
    assert max(sizes) * FEW <= MOST_TOGETHER


def test_what_cannot_be_asked_is_said_to_who_asked(light, monkeypatch):
    sure = Question([{"said": "x"}], wish=Wish(coverage=0.9))
    outcomes, _ = asked(light, monkeypatch, [sure, QUESTIONS[1]])
    assert "says nothing of its confidence" in str(outcomes[0])
    assert outcomes[1] == predict_rows(light, QUESTIONS[1])


def test_who_is_gone_is_left_out(light, monkeypatch):
    async def run(executor):
        queue = Together(light, executor, wait=0.001, on_error="fail")
        gone, here = queue.ask(QUESTIONS[0]), queue.ask(QUESTIONS[1])
        gone.cancel()
        return await here

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(run(executor)) == predict_rows(light, QUESTIONS[1])


def test_only_light_rows_wait(light, tmp_path):
    heavy = Artifact(write_artifact(tmp_path / "heavy", classes=False))
    with ThreadPoolExecutor(1) as executor:
        for artifact, wait, takes in ((light, 0.01, True), (light, 0.0, False), (heavy, 0.01, False)):
            assert Together(artifact, executor, wait=wait, on_error="fail").takes(QUESTIONS[0]) is takes
        queue = Together(light, executor, wait=0.01, on_error="fail")
        assert not queue.takes(Question([{"said": "x"}] * (FEW + 1)))
