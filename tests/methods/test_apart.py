"""Late fusion: each expert learns what it would learn alone, and together they say the mean of those who see something."""

import json

import numpy as np
import pytest
import torch

import understudy as us
from toy import NUMBER, ToyEncoder, ToyView, toy_batch, toy_model
from understudy.corpus import Schema, make_split
from understudy.methods import Supervised
from understudy.methods.apart import Apart
from understudy.models.experts import LOGITS, Late
from understudy.models.fusion import Beside
from understudy.models.model import Model
from understudy.players.fusions import check_fusion
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Choice, Regression
from understudy.training.optimise import parts_of
from understudy.training.plan import Plan

HERE = np.ones(60, dtype=bool)


def late(*modalities: str) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        built = {m: ToyEncoder(5, ToyView()) for m in modalities}
        widths = dict.fromkeys(modalities, 5)
        return Model(NUMBER, built, fusion=Beside(widths), head=Late(NUMBER, widths, dropout=0.3), name="late")


def alone(model: Model, modality: str) -> Model:
    """A model of one modality with the same weights."""
    found = toy_model(NUMBER, modality)
    found.encoders[modality].load_state_dict(model.encoders[modality].state_dict())
    assert isinstance(model.head, Late)
    found.head[1].load_state_dict(model.head.heads[modality].state_dict())  # pyright: ignore
    return found


@pytest.mark.parametrize("modality", ["x", "y"])
def test_an_expert_learns_what_it_would_alone(modality):
    model, batch, plan = late("x", "y"), toy_batch(NUMBER, 16), Plan(epochs=1, rate=0.1, clip=0.01)
    single = alone(model, modality)
    for method in (Apart(model).eval(), Supervised(single).eval()):
        (part,) = parts_of(method, plan=plan)
        for _ in range(5):
            part.optimizer.zero_grad()
            sum(term.total / term.count for term in method(batch).values()).backward()  # pyright: ignore
            part.step(1.0, None)
    trained = alone(model, modality).state_dict()
    for name, weights in single.state_dict().items():
        torch.testing.assert_close(trained[name], weights, rtol=1e-6, atol=1e-7)


def test_together_they_say_the_mean_of_those_who_see():
    model, batch = late("x", "y").eval(), toy_batch(NUMBER, 16)
    output = model(batch)
    x, y = (output.features[m + LOGITS] for m in "xy")
    here = torch.stack([batch.present["x"], batch.present["y"]])[:, :, None]
    both = torch.stack([x, y]).where(here, 0.0).sum(dim=0) / here.sum(dim=0).clamp(min=1)
    torch.testing.assert_close(output.need("logits"), both)


def test_a_model_without_experts():
    with pytest.raises(ValueError, match="no expert for each modality; build it with fusion 'late'"):
        Apart(toy_model(NUMBER, "x"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    random, rows = np.random.default_rng(0), len(HERE)
    target = random.normal(size=rows)
    cells = {m: Cells("vector", (target[:, None] + random.normal(size=(rows, 3))).astype(np.float32), HERE) for m in "xy"}
    schema = Schema(Regression(), {m: Modality("vector", width=3) for m in "xy"})
    made = us.write_corpus(
        tmp_path_factory.mktemp("late") / "c", schema, ids=list(map(str, range(rows))), targets=target, cells=cells
    )
    made.save_split(make_split(made, name="main", valid=0.2, test=0.2))
    return made


TOLD = {"student": ["x"], "teacher": ["x", "y"], "seeds": 1, "plan": {"epochs": 1}, "sizes": {"width": 8}, "report": False}


def test_a_teacher_of_late_fusion_teaches(corpus, tmp_path):
    run = us.distill(corpus, teacher_fusion="late", out=tmp_path / "run", **TOLD)
    log = (run.folder / "teacher" / "seed-0" / "log.jsonl").read_text().splitlines()
    assert set(json.loads(log[0])["terms"]) == {"x", "y"}
    assert isinstance(run.model("teacher").head, Late)
    assert np.isfinite(run.results["systems"]["distilled"]["metrics"]["mae"]["mean"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fusion": "late"}, "student's fusion 'late' trains each modality alone, so it is for a teacher"),
        (
            {"teacher_fusion": "late", "method": "amid"},
            "'late' trains before the student, but amid trains it beside; choose 'concat'",
        ),
        ({"teacher_fusion": "late", "teacher_head": {"classes": 2}}, "class prompts"),
    ],
)
def test_what_late_fusion_is_not_for(corpus, tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        us.distill(corpus, out=tmp_path / "run", **TOLD | changes)
    assert not (tmp_path / "run").exists()


def test_no_choices(tmp_path):
    schema = Schema(Choice(choices=2), {"text": Modality("choices", width=2), "x": Modality("vector", width=3)})
    cells = {"text": Cells("choices", [("a", "b")] * 8, HERE[:8]), "x": Cells("vector", np.ones((8, 3), np.float32), HERE[:8])}
    corpus = us.write_corpus(tmp_path / "c", schema, ids=list("abcdefgh"), targets=[0, 1] * 4, cells=cells)
    with pytest.raises(ValueError, match="'late' compares no choice with what else is there"):
        check_fusion("teacher", "late", corpus, ["text", "x"])
