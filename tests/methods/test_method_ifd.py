"""IFD: which layers are pulled and how long, an assistant between the two, resuming, and a whole run on pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.special import rel_entr

import understudy as us
from toy import CLASSES, SEARCH, toy_batch, toy_model
from toy_method import resumes_exactly
from understudy.batches.batch import Batch
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.methods import IFD, PKT
from understudy.models.model import Model
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification
from understudy.teachers.teacher import Frozen
from understudy.training.plan import Plan


def deep(*modalities: str, widths: tuple[int, ...], seed: int) -> Model:
    """A model whose encoders have layers of these widths inside."""
    model = toy_model(CLASSES, *modalities, seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for modality in modalities:
            steps, before = [], 4
            for width in (*widths, 5):
                steps += [torch.nn.Linear(before, width), torch.nn.GELU()]
                before = width
            model._encoder(modality).layers = torch.nn.Sequential(*steps)
    return model


def player(**options: Any) -> IFD:
    return IFD(deep("x", widths=(6, 7), seed=1), Frozen(deep("x", "y", widths=(3, 8, 9, 3), seed=2)), **options).eval()


def flow(student: torch.Tensor, teacher: torch.Tensor) -> float:
    """The combined Jeffreys divergence in float64, row by row."""
    total = 0.0
    for kernel in (lambda x: 1 - cdist(x, x, "cosine") / 2 + 1e-6, lambda x: 1 / (1 + cdist(x, x))):
        p, q = (kernel(x.detach().double().numpy())[~np.eye(len(x), dtype=bool)].reshape(len(x), -1) for x in (student, teacher))
        p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
        total += (rel_entr(p, q) + rel_entr(q, p)).sum()
    return total


def inside(model: Model, batch: Batch, steps: int) -> torch.Tensor:
    values = next(iter(batch.inputs["x"].values()))["values"]
    return model._encoder("x").layers[:steps](values)[batch.present["x"]]


@pytest.mark.parametrize("epoch", [0, 3])
def test_layers_are_pulled_by_depth_with_a_weight_that_falls_and_the_last_with_one_that_does_not(epoch):
    method, batch = player(weight=2.0, alpha=10.0, gamma=0.5), toy_batch(CLASSES, 24)
    method.epoch = epoch
    terms, rows = method(batch), batch.present["x"]
    student, teacher = method.student, method.teacher.model
    ends = [each(batch).need("embedding")[rows] for each in (student, teacher)]
    expected = {"last": 2 * flow(*ends)}
    for name, ours, theirs in (("x_layer0", 2, 4), ("x_layer1", 4, 8)):
        expected[name] = 20 * 0.5**epoch * flow(inside(student, batch, ours), inside(teacher, batch, theirs))
    assert terms.keys() == {"supervised", *expected}
    for name, total in expected.items():
        assert float(terms[name].total.detach()) == pytest.approx(total, rel=1e-4), name
        assert float(terms[name].count) == rows.sum()


def test_the_critical_period_ends_in_epoch_thirteen():
    method = player()
    weights = []
    for method.epoch in (12, 13, 26):
        weights.append(method.pulls()["x_layer0"][1])
    assert weights[0] > 1 > weights[1]
    assert weights[2] < 0.01
    assert method.pulls()["last"][1] == 1


def test_the_last_layer_alone_by_kl_of_cosines_is_pkt_and_asks_for_no_more():
    student, teacher = deep("x", widths=(6, 7), seed=1).eval(), Frozen(deep("x", "y", widths=(3,), seed=2))
    batch = toy_batch(CLASSES, 24)
    ifd = IFD(student, teacher, weight=3.0, pairs="last", kernel="cosine", divergence="kl").eval()
    assert ifd.teacher is teacher
    torch.testing.assert_close(ifd(batch)["last"], PKT(student, teacher, weight=3.0).eval()(batch)["pkt"])


def test_without_a_modality_in_common_only_the_last_layers_meet():
    method = IFD(deep("x", widths=(6,), seed=1), Frozen(deep("y", widths=(3,), seed=2)))
    assert method.pulls().keys() == {"last"}
    with pytest.warns(UserWarning, match=r"alpha 5\.0 has no effect: no inner layer"):
        IFD(method.student, method.teacher, alpha=5.0)


def test_what_is_learnt_from_an_assistant_and_by_it():
    assistant, teacher = deep("x", widths=(12, 14), seed=3), Frozen(deep("y", widths=(3,), seed=2))
    options = {"weight": 2.0, "kernel": "cosine", "divergence": "kl", "alpha": 5.0, "assistant": True}
    method = IFD.assist(assistant, teacher, **options)
    assert method.student is assistant
    assert method.pulls().keys() == {"last"}
    assert (method.weight, method.kernel, method.divergence) == (2.0, "cosine", "kl")
    assert all(p.requires_grad for p in assistant.parameters())
    student = IFD(deep("x", widths=(6, 7), seed=1), Frozen(assistant), **options)
    assert student.pulls().keys() == {"last", "x_layer0", "x_layer1"}
    assert IFD.assisted(**options)
    assert not IFD.assisted(**options | {"weight": 0.0})


def test_a_fit_resumes_exactly(tmp_path):
    resumes_exactly(player, CLASSES, tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weight": -1.0}, r"weight -1\.0"),
        ({"alpha": -1.0}, r"alpha -1\.0 given"),
        ({"gamma": 0.0}, r"gamma 0\.0 given"),
        ({"gamma": 1.5}, r"gamma 1\.5 given"),
    ],
)
def test_impossible_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        player(**options)


def test_options_without_effect_warn_and_retrieval_has_no_assistant():
    with pytest.warns(UserWarning, match=r"alpha 5\.0 has no effect"):
        player(pairs="last", alpha=5.0)
    with pytest.raises(ValueError, match="assistant given, but in retrieval"):
        IFD.check(SEARCH, {}, assistant=True, weight=1.0)


def pictures(folder: Path, rows: int = 120) -> Corpus:
    """A picture's class is where it is bright; the numbers say so outright."""
    draw = np.random.default_rng(0)
    target = draw.integers(0, 2, rows)
    pixels = draw.integers(0, 90, (rows, 8, 8, 1)).astype(np.uint8)
    pixels[target == 1, :4] += 90
    here = np.ones(rows, dtype=bool)
    corpus = write_corpus(
        folder,
        Schema(
            Classification(classes=("low", "high")),
            {"picture": Modality("image"), "numbers": Modality("vector", width=2)},
        ),
        ids=[f"r{row}" for row in range(rows)],
        targets=target,
        cells={
            "picture": Cells("image", [*pixels], here),
            "numbers": Cells("vector", np.stack([target, draw.normal(size=rows)], 1).astype(np.float32), here),
        },
    )
    corpus.save_split(make_split(corpus, name="main", valid=0.2, test=0.3))
    return corpus


def test_a_run_with_an_assistant(tmp_path):
    corpus = pictures(tmp_path / "corpus")
    plan = Plan(epochs=2, batch_size=32, rate=5e-3)
    asked = {"student": ["picture"], "teacher": ["numbers"], "split": "main", "plan": plan, "sizes": {"width": 16}, "seeds": 1}
    run = us.distill(corpus, method="ifd", options={"assistant": True}, out=tmp_path / "run", **asked)
    assert set(run.results["systems"]) == {"teacher", "plain", "distilled", "assistant"}
    assert run.results["listening"]["source"] == "network, assistant"
    own, assistant = (run.model(system, seed=0) for system in ("distilled", "assistant"))
    assert (own.width, assistant.width) == (16, 32)
    log = (run.folder / "distilled/seed-0/log.jsonl").read_text()
    assert '"picture_layer2"' in log
    assert "_layer" not in (run.folder / "assistant/seed-0/log.jsonl").read_text()
    assert "Assistant" in run.report.read_text()
