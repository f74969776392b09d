"""MSD: its loss by hand in float64, what a blank modality says, the bounds and kinds of its weights, and whole runs."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from scipy.special import expit, log_softmax, rel_entr, softmax
from torch import Tensor

import understudy as us
from study.small import PLAN, SIZES, make_corpus
from toy import CLASSES, NUMBER, ToyLoader, toy_batch, toy_loader, toy_model
from toy_method import resumes_exactly
from understudy.batches.batch import Batch
from understudy.methods import KD, MSD
from understudy.methods.msd_learned import held_out, look_ahead
from understudy.methods.msd_weights import saliency, subsets_of
from understudy.models.model import Model
from understudy.objectives.objective import Term, over
from understudy.tasks import MultiLabel, Task
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import write_store

SEVERAL = MultiLabel(classes=("a", "b", "c"), entries=2)
TASKS = {"classes": CLASSES, "several": SEVERAL, "number": NUMBER}
EVERY = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
THREE = ("x", "y", "z")


def batch_of(task: Task, rows: int = 24, *, modalities: tuple[str, ...] = THREE, seed: int = 0) -> Batch:
    batch = toy_batch(CLASSES if task is SEVERAL else task, rows, seed=seed, modalities=modalities)
    target = torch.rand(rows, 3, generator=torch.Generator().manual_seed(1)) if task is SEVERAL else batch.target
    return replace(batch, target=target)


def players(task: Task, student: tuple[str, ...] = ("x", "y"), teacher: tuple[str, ...] = THREE) -> tuple[Model, Model]:
    models = toy_model(task, *student, seed=1).eval(), toy_model(task, *teacher, width=7, seed=2).eval()
    with torch.no_grad():
        for model in models:
            model.head[-1].weight.mul_(4)
    return models


def method_of(task: Task, *names: tuple[str, ...], **options: Any) -> MSD:
    student, teacher = players(task, *names)
    return MSD(student, Frozen(teacher), **options).eval()


def numbers(model: Model, batch: Batch, *shown: str) -> np.ndarray:
    return model(batch.keep(*shown)).logits.detach().double().numpy()


def distance(task: Task, teacher: np.ndarray, student: np.ndarray, *, temperature: float) -> np.ndarray:
    if task is NUMBER:
        return np.abs(teacher - student)[:, 0]
    if task is CLASSES:
        p, q = (softmax(each / temperature, axis=1) for each in (teacher, student))
        return temperature**2 * rel_entr(p, q).sum(axis=1)
    p, q = (expit(each / temperature) for each in (teacher, student))
    return temperature**2 * (rel_entr(p, q) + rel_entr(1 - p, 1 - q)).sum(axis=1)


def loss_of(task: Task, logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    if task is NUMBER:
        return np.abs(logits[:, 0] - (target - 0.5) / 2)
    if task is CLASSES:
        return -log_softmax(logits, axis=1)[np.arange(len(target)), target]
    return -(target * np.log(expit(logits)) + (1 - target) * np.log(expit(-logits))).sum(axis=1)


def reference(task: Task, method: MSD, batch: Batch) -> dict[str, tuple[float, float]]:
    """Every term's sum and count, row by row in float64."""
    student, teacher, here = method.student, method.teacher.model, {m: v.numpy() for m, v in batch.present.items()}
    reads, t = student.modalities, method.temperature
    ours, theirs = np.any([here[m] for m in reads], axis=0), np.any([here[m] for m in teacher.modalities], axis=0)
    rows, labelled, target = ours & theirs, batch.labelled.numpy(), batch.target.numpy()
    full = [numbers(each, batch, *each.modalities) for each in (teacher, student)]
    known = labelled & ours
    terms = {"supervised": ((1 - method.weight) * loss_of(task, full[1], target)[known].sum(), known.sum())}
    terms["kd"] = (method.weight * distance(task, *full, temperature=t)[rows].sum(), rows.sum())
    whole = numbers(teacher, batch, *reads)
    for m in reads:
        rest = [other for other in reads if other != m]
        after = numbers(teacher, batch, *rest)
        salient = distance(task, whole, after, temperature=1.0)
        if method.saliency == "loss_gap":
            salient = np.maximum(0, loss_of(task, after, target) - loss_of(task, whole, target)) * labelled
        alone = ~np.any([here[other] for other in rest], axis=0)
        weight = method.scale * np.tanh(np.where(alone, np.inf, salient)) * (here[m] & theirs)
        view = distance(task, numbers(teacher, batch, m), numbers(student, batch, m), temperature=t)
        terms[f"{m}_view"] = (method.weight * (weight * view)[rows & here[m]].sum(), rows.sum())
        terms[f"{m}_view.weight"] = (weight[rows].sum(), rows.sum())
    return terms


@EVERY
@pytest.mark.parametrize("measure", ["divergence", "loss_gap"])
@pytest.mark.parametrize("reads", [("x", "y"), THREE], ids="".join)
def test_agrees_with_the_float64_reference(task, measure, reads):
    method, batch = method_of(task, reads, saliency=measure, weight=0.3, scale=0.7), batch_of(task)
    found, expected = method(batch), reference(task, method, batch)
    assert found.keys() == expected.keys()
    for name, (total, count) in expected.items():
        assert float(found[name].total.detach()) == pytest.approx(total, rel=2e-5), name
        assert float(found[name].count) == count
        assert total > 0


def trained(method: KD | MSD, *, steps: int = 5) -> dict[str, Tensor]:
    method.train()
    optimiser = torch.optim.AdamW([p for g in method.groups() if g.part == "main" for p in g.parameters], lr=1e-2)
    for step, batch in enumerate(toy_loader(CLASSES, batches=steps).batches(0)):
        method.step = method.update = step
        optimiser.zero_grad()
        torch.stack([t.total / t.count.clamp(min=1) for n, t in method(batch).items() if "." not in n]).sum().backward()
        optimiser.step()
    return dict(method.student.state_dict())


@pytest.mark.parametrize("off", [{"weights": "none"}, {"scale": 0.0}], ids=str)
def test_without_weights_it_is_kd_bit_for_bit_and_with_them_the_full_answer_is_still_that_of_kd(off):
    student, teacher = (players(CLASSES, ("x", "y"), ("x", "y"))[k] for k in (0, 1))
    again = toy_model(CLASSES, "x", "y", seed=1)
    again.load_state_dict(student.state_dict())
    kd, msd = KD(again, Frozen(teacher)), MSD(student, Frozen(teacher), **off)
    with_views = MSD(players(CLASSES, ("x", "y"), ("x", "y"))[0], Frozen(teacher)).train()
    batch = next(toy_loader(CLASSES).batches(0))
    assert torch.equal(with_views(batch)["kd"].total, kd.train()(batch)["kd"].total), "the same dropout"
    one, two = trained(kd), trained(msd)
    assert all(torch.equal(one[name], two[name]) for name in one)


@EVERY
def test_identical_players_have_nothing_to_learn_from_views(task):
    teacher = players(task, THREE)[1]
    student = toy_model(task, *THREE, width=7, seed=2).eval()
    student.load_state_dict(teacher.state_dict())
    terms = MSD(student, Frozen(teacher)).eval()(batch_of(task))
    views = [terms[f"{m}_view"].total for m in THREE]
    torch.stack(views).sum().backward()
    assert all(abs(float(view.detach())) < 1e-5 for view in views)
    assert all(p.grad is None or p.grad.abs().max() < 1e-5 for p in student.parameters())
    assert all(p.grad is None for p in teacher.parameters())


def test_what_a_blank_modality_holds_changes_no_view_of_the_others():
    method, batch = method_of(CLASSES, ("x", "y"), ("x", "y")), batch_of(CLASSES, modalities=("x", "y"))
    (fields,) = batch.inputs["y"].values()
    other = replace(batch, inputs=batch.inputs | {"y": {key: {"values": fields["values"] + 5} for key in batch.inputs["y"]}})
    before, after = (
        method.view_kd.losses(method.viewed(method.heard(each, method.alone)), method.teacher(each))[1] for each in (batch, other)
    )
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.equal(before[:, 1], after[:, 1])


def test_a_teacher_that_ignores_a_modality_gives_it_no_weight_and_no_weight_leaves_its_bounds():
    student, teacher = players(CLASSES, ("x", "y"), ("x", "y"))
    with torch.no_grad():
        teacher.fusion.join[0].weight[:, 7:14] = 0  # what y says
        teacher.fusion.join[0].weight[:, 15] = 0  # that it is there
    method, batch = MSD(student, Frozen(teacher), scale=0.5).eval(), batch_of(CLASSES, 60, modalities=("x", "y"))
    both = batch.present["x"] & batch.present["y"]
    said = method.teacher(batch)
    weight = method.weighed(batch, said, torch.zeros(60, 2))
    assert weight.shape == (60, 2)
    assert (weight[both, 1].abs() < 1e-6).all()
    assert (weight[both, 0] > 0.01).any()
    assert ((weight >= 0) & (weight <= 0.5)).all()
    only_y = batch.present["y"] & ~batch.present["x"]
    assert (weight[only_y, 1] == 0.5).all(), "all rests on it, where there is no other"
    assert (saliency(CLASSES, batch, said, ("x", "y"), measure="divergence") >= 0).all()


def test_two_modalities_need_no_more_than_their_two_views():
    assert subsets_of(("x", "y"), ("x", "y")) == (("x",), ("y",))
    assert subsets_of(("x", "y"), THREE) == (("x",), ("y",), ("x", "y"))
    assert len(subsets_of(THREE, THREE)) == 6
    assert subsets_of(("x",), ("x",)) == (), "nothing to blank"


def stored(tmp_path, teacher: Frozen, batches: ToyLoader) -> Stored:
    return Stored(write_store(tmp_path / "store", teacher, batches, corpus="c"))


def test_stored_answers_teach_what_the_live_teacher_teaches_and_population_is_the_mean(tmp_path):
    student, teacher = players(CLASSES)
    batches = ToyLoader([toy_batch(CLASSES, 16, seed=n, first=16 * n, modalities=THREE) for n in range(2)])
    asked = Frozen(teacher).saying(MSD.wants(("x", "y"), THREE, weight=0.5, weights="instance", scale=1.0))
    kept, labelled = stored(tmp_path, asked, batches), np.zeros(32, dtype=bool)
    batch = batches.of[1]
    live, cold = (MSD(student, each).eval()(batch) for each in (asked, kept))
    for name, term in live.items():
        torch.testing.assert_close(cold[name], term)
    method = MSD(student, kept, weights="population").eval()
    method.meet([key for each in batches.of for key in each.id], np.zeros(32, dtype=np.int64), labelled)
    found = torch.cat([saliency(CLASSES, each, asked(each), ("x", "y"), measure="divergence") for each in batches.of])
    both = torch.cat([each.present["x"] & each.present["y"] for each in batches.of])
    torch.testing.assert_close(method.weighed(batch, asked(batch), torch.zeros(16, 2)), found[both].mean(0).tanh().expand(16, 2))


def test_equal_saliency_everywhere_makes_population_instance(monkeypatch):
    instance, population = method_of(CLASSES), method_of(CLASSES, weights="population")
    monkeypatch.setattr("understudy.methods.msd.saliency", lambda *_, **__: torch.full((24, 2), 0.3))
    population.population = torch.tensor([0.3, 0.3])
    batch = batch_of(CLASSES)
    one, two = instance(batch), population(batch)
    assert all(torch.equal(one[name].total, two[name].total) for name in one)


def learned(*names: tuple[str, ...], **options: Any) -> MSD:
    torch.manual_seed(0)
    method = method_of(CLASSES, *names, weights="learned", **({"meta": 0.3} | options))
    with torch.no_grad():
        for p in method.weigher.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return method


def test_the_gradient_of_a_look_ahead_is_that_of_finite_differences():
    """A linear student in float64, whose three losses are weighed by phi."""
    draw = torch.Generator().manual_seed(0)
    x, y, kept = (torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((7, 4), (7, 3), (5, 4)))
    student, weigher = (
        torch.nn.Linear(4, 3).double(),
        torch.nn.ParameterList([torch.randn(3, generator=draw, dtype=torch.float64)]),
    )
    phi = weigher[0]
    rows, others = torch.ones(7, dtype=torch.bool), torch.ones(5, dtype=torch.bool)

    def after() -> Term:
        def learnt(p: Any) -> list[Term]:
            losses = (torch.func.functional_call(student, p, (x,)).tanh() - y).square() * phi.sigmoid()
            return [over(rows, each) for each in losses.unbind(1)]

        def judged(p: Any) -> Term:
            return over(others, torch.func.functional_call(student, p, (kept,)).square().sum(1))

        return look_ahead(student, weigher, learnt, judged, rate=0.7)

    (gradient,) = torch.autograd.grad(after().total, phi)
    for place in range(3):
        found = []
        for step in (1e-5, -2e-5):
            phi.data[place] += step
            found.append(float(after().total.detach()))
        phi.data[place] += 1e-5
        assert (found[0] - found[1]) / 2e-5 == pytest.approx(float(gradient[place]), rel=1e-6)


def test_the_weigher_moves_where_the_loss_on_kept_rows_falls():
    method, batch = learned(look_ahead=2.0), batch_of(CLASSES, 40)
    term = method(batch, "meta")["look_ahead"]
    term.total.backward()
    assert float(term.count) > 2
    assert all(p.grad is None for p in method.student.parameters())
    told = [
        (p, p.grad / torch.cat([q.grad.flatten() for q in method.weigher.parameters()]).norm())
        for p in method.weigher.parameters()
    ]
    slope, found = sum(float((p.grad * way).sum()) for p, way in told), []
    for step in (0.1, -0.2):
        for p, way in told:
            p.data += step * way
        found.append(float(method(batch, "meta")["look_ahead"].total.detach()))
    assert (found[0] - found[1]) / 0.2 == pytest.approx(slope, rel=0.05)


def test_rows_that_judge_weights_teach_nothing_and_the_others_judge_nothing():
    method, batch = learned(), batch_of(CLASSES, 40)
    held = held_out(batch.id, 0.3)
    assert 5 < held.sum() < 20
    terms = method(batch)
    seen = batch.present["x"] | batch.present["y"]
    assert float(terms["supervised"].count) == (seen & batch.labelled & ~held).sum()
    assert float(terms["kd"].count) == float(terms["x_view"].count) == (seen & ~held).sum()
    assert float(method(batch, "meta")["look_ahead"].count) == (seen & batch.labelled & held).sum()
    torch.stack([t.total for t in terms.values()]).sum().backward()
    assert all(p.grad is None for p in method.weigher.parameters()), "the main part moves the student alone"


def test_learned_weights_resume_bit_for_bit(tmp_path):
    def made() -> MSD:
        method = learned(("x", "y"), ("x", "y"), meta_every=2)
        method.meet = lambda *given: None  # the suite's rows have no label
        return method

    resumes_exactly(made, CLASSES, tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weight": 1.5}, r"weight 1\.5, meta 0\.1 given"),
        ({"meta": 0.7}, r"meta 0\.7 given"),
        ({"scale": -1.0}, r"scale -1\.0"),
        ({"temperature": 0.0}, r"temperature 0\.0 given"),
        ({"meta_every": 0}, "meta_every 0 given"),
    ],
)
def test_impossible_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        method_of(CLASSES, **options)


def test_options_without_effect_warn():
    with pytest.warns(UserWarning, match="look_ahead 0.5 has no effect: weights are not learned"):
        method_of(CLASSES, look_ahead=0.5)
    with pytest.warns(UserWarning, match="saliency 'loss_gap' has no effect"):
        method_of(CLASSES, weights="none", saliency="loss_gap")
    with pytest.warns(UserWarning, match="divergence 'mse' has no effect: a number"):
        method_of(NUMBER, divergence="mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert method_of(CLASSES, divergence="mse").kd.distance == "mse"


def test_what_cannot_be_is_said_clearly():
    with pytest.raises(ValueError, match=r"reads \(x\), and it reads none of that"):
        method_of(CLASSES, ("x",), ("y", "z"))
    with pytest.raises(ValueError, match="needs stored answers"):
        method_of(CLASSES, weights="population").meet(["a"], np.zeros(1), np.ones(1, dtype=bool))
    with pytest.raises(ValueError, match=r"meta 0\.3 keeps back 0 of 1 labelled train rows"):
        learned().meet(["r3"], np.zeros(1), np.ones(1, dtype=bool))


def test_a_run_teaches_views_and_ships_a_graph_with_nothing_of_the_method(tmp_path):
    corpus = make_corpus(tmp_path / "corpus")
    asked = {"student": ["weak", "spare"], "method": "msd", "split": "main", "plan": replace(PLAN, epochs=2), "sizes": SIZES}
    run = us.distill(corpus, seeds=1, out=tmp_path / "run", options={"weights": "learned", "meta": 0.3}, **asked)
    log = (run.folder / "distilled/seed-0/log.jsonl").read_text()
    assert "weak_view.weight" in log
    assert "meta.look_ahead" in log
    graph = onnx.load(run.export(tmp_path / "shipped") / "student.onnx").graph
    assert not any("weigher" in each.name for each in graph.initializer)
    assert {each.name for each in graph.input} == {"weak.values", "weak.present", "spare.values", "spare.present"}
    with pytest.raises(ValueError, match="reads more of its teacher than its answers"):
        us.distill(corpus, seeds=1, out=tmp_path / "other", answers="crossfit", **asked)
