"""One suite over every objective of the catalogue. A new one is tested once it stands in EXAMPLES with its float64 reference."""

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import class_examples
import common_space_examples
import consistency_examples
import contrast_examples
import group_examples
import mad_examples
import numpy as np
import pytest
import relation_examples
import torch
from scipy.special import expit, log_softmax, rel_entr, softmax
from torch import Tensor

from understudy import objectives
from understudy.batches.batch import Batch, Output, Tokens
from understudy.objectives.objective import Objective, Term
from understudy.tasks import Classification, Regression, Task

TESTS = Path(__file__).resolve().parent.parent
CLASSES, NUMBER = Classification(classes=("a", "b", "c")), Regression(mean=0.5, scale=2.0)
STUDENT_WIDTH, TEACHER_WIDTH = 5, 7


class Case(NamedTuple):
    """A batch and what two players say of it; every tensor that a gradient could reach asks for one."""

    batch: Batch
    student: Output
    teacher: Output


class Example(NamedTuple):
    """How to build it, on which task, whether it reads a teacher, its per-row losses in float64, and whether it reads labels.

    only_labelled: it distils labelled rows alone. frozen: it gives the teacher no gradient. least: it claims to be 0, and least,
    where student equals teacher.
    """

    make: Callable[[], Objective]
    task: Task
    distils: bool
    reference: Callable[[dict[str, np.ndarray], Objective], np.ndarray]
    needs_label: bool = True
    only_labelled: bool = False
    frozen: bool = True
    least: bool = True


def feature_reference(a: dict[str, np.ndarray], objective: Objective) -> np.ndarray:
    projection = objective.state_dict()["projection.weight"].double().numpy()
    return ((a["student_embedding"] @ projection.T - a["teacher_embedding"]) ** 2).mean(axis=1)


def coins(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    p, q = expit(teacher), expit(student)
    return (rel_entr(p, q) + rel_entr(1 - p, 1 - q)).sum(axis=1)


EXAMPLES: dict[str, list[Example]] = {
    "Supervised": [
        Example(
            lambda: objectives.Supervised(CLASSES),
            CLASSES,
            False,
            lambda a, _: -log_softmax(a["student"], axis=1)[np.arange(len(a["target"])), a["target"].astype(int)],
        ),
        Example(
            lambda: objectives.Supervised(NUMBER),
            NUMBER,
            False,
            lambda a, _: np.abs(a["student"][:, 0] - (a["target"] - 0.5) / 2),
        ),
    ],
    "LogitKD": [
        Example(
            lambda temperature=temperature: objectives.LogitKD(temperature=temperature),
            CLASSES,
            True,
            lambda a, o: (
                o.temperature**2
                * rel_entr(softmax(a["teacher"] / o.temperature, axis=1), softmax(a["student"] / o.temperature, axis=1)).sum(
                    axis=1
                )
            ),
        )
        for temperature in (1.0, 4.0)
    ],
    "BernoulliKD": [
        Example(
            lambda temperature=temperature: objectives.BernoulliKD(temperature=temperature),
            CLASSES,
            True,
            lambda a, o: o.temperature**2 * coins(a["teacher"] / o.temperature, a["student"] / o.temperature),
        )
        for temperature in (1.0, 4.0)
    ],
    "RegressionKD": [
        Example(
            lambda distance=distance: objectives.RegressionKD(distance=distance),
            NUMBER,
            True,
            lambda a, o: class_examples.step((a["student"] - a["teacher"])[:, 0], o.distance),
        )
        for distance in ("l1", "mse", "smooth_l1")
    ],
    "FeatureRegression": [
        Example(lambda: objectives.FeatureRegression(STUDENT_WIDTH, TEACHER_WIDTH), CLASSES, True, feature_reference)
    ],
}
ELSEWHERE = (
    class_examples,
    common_space_examples,
    consistency_examples,
    contrast_examples,
    group_examples,
    mad_examples,
    relation_examples,
)
EXAMPLES |= {name: [Example(**each) for each in examples] for module in ELSEWHERE for name, examples in module.EXAMPLES.items()}
ALL = [pytest.param(example, id=f"{name}-{n}") for name in objectives.__all__ for n, example in enumerate(EXAMPLES.get(name, ()))]


def case(task: Task, rows: int, *, seed: int = 0, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> Case:
    draw = torch.Generator().manual_seed(seed)

    def numbers(width: int) -> Tensor:
        return (torch.randn(rows, width, generator=draw) * scale).to(dtype).requires_grad_()

    def output(width: int, name: str) -> Output:
        valid = torch.rand(rows, generator=draw) < 0.8
        valid[:1] = True
        features = {"classes": numbers(len(class_examples.ANCHORS)), "expected": numbers(1).detach()[:, 0].requires_grad_()}
        return Output(valid=valid, logits=numbers(task.outputs), embedding=numbers(width), features=features, source=name)

    labelled = torch.rand(rows, generator=draw) < 0.7
    labelled[:1] = True
    classes = isinstance(task, Classification)
    target = torch.randint(0, task.outputs, (rows,), generator=draw) if classes else torch.randn(rows, generator=draw)
    batch = Batch({}, {}, target, labelled, tuple(str(row) for row in range(rows)))
    student, teacher = output(STUDENT_WIDTH, "student"), output(TEACHER_WIDTH, "teacher")
    mask = torch.arange(4) < torch.randint(1, 5, (rows, 1), generator=draw)
    spans = [torch.tensor(each).expand(rows, -1, -1) for each in (mad_examples.OURS, mad_examples.THEIRS)]
    tokens = [
        {"view": Tokens(numbers(4 * width).detach().view(rows, 4, width).requires_grad_(), mask, where)}
        for width, where in zip((2, 3), spans, strict=True)
    ]
    vectors = {f"{modality}.pooled": numbers(mad_examples.VECTOR_WIDTH) for modality in ("text", "image")}
    views = [{f"{modality}.shown": numbers(task.outputs) for modality in ("text", "image")} for _ in range(2)]
    student = replace(student, tokens=tokens[0], features=student.features | views[0])
    return Case(batch, student, replace(teacher, tokens=tokens[1], features=teacher.features | vectors | views[1]))


def build(example: Example) -> Objective:
    torch.manual_seed(1)
    return example.make()


def ask(objective: Objective, example: Example, given: Case) -> Term:
    return objective(given.batch, given.student, given.teacher) if example.distils else objective(given.batch, given.student)


def counted(example: Example, given: Case) -> Tensor:
    if not example.needs_label:
        return given.student.valid
    rows = given.student.valid & (given.teacher.valid if example.distils else given.batch.labelled)
    return rows & given.batch.labelled if example.only_labelled else rows


def said(output: Output) -> list[Tensor]:
    """Every tensor of an output."""
    return [output.logits, output.embedding, *output.features.values(), *(tokens.values for tokens in output.tokens.values())]


def gradients(objective: Objective, given: Case) -> list[Tensor]:
    found = [*(x.grad for x in said(given.student)), *(p.grad for p in objective.parameters())]
    return [g for g in found if g is not None]


def pick(given: Case, rows: Tensor) -> Case:
    """The case of these rows alone, as new leaves."""

    def output(o: Output) -> Output:
        logits, embedding, *features, values = [x.detach()[rows].clone().requires_grad_() for x in said(o)]
        named = dict(zip(o.features, features, strict=True))
        tokens = {"view": Tokens(values, o.tokens["view"].mask[rows], o.tokens["view"].spans[rows])}
        return Output(valid=o.valid[rows], logits=logits, embedding=embedding, tokens=tokens, features=named, source=o.source)

    batch = Batch({}, {}, given.batch.target[rows], given.batch.labelled[rows], tuple(given.batch.id[int(r)] for r in rows))
    return Case(batch, output(given.student), output(given.teacher))


def test_the_catalogue_is_whole():
    modules = {m.name for m in pkgutil.iter_modules(objectives.__path__)} - {"objective", "gather", "negatives", "adversary"}
    exported = {getattr(objectives, name).__module__.rpartition(".")[2] for name in objectives.__all__}
    assert modules == exported, "every module in objectives/ exports an objective in __init__"
    assert set(EXAMPLES) == set(objectives.__all__), "every objective stands in EXAMPLES"
    for module in modules:
        text = importlib.import_module(f"understudy.objectives.{module}").__doc__ or ""
        assert any(line.startswith("Paper: ") for line in text.splitlines()), f"objectives/{module}.py has no `Paper:` line"
        assert (TESTS / "objectives" / f"test_objective_{module}.py").exists()
    for name in objectives.__all__:
        counts = getattr(objectives, name).counts
        assert counts
        assert "\n" not in counts


@pytest.mark.parametrize("example", ALL)
def test_agrees_with_the_float64_reference(example):
    given, objective = case(example.task, 16), build(example)
    numbers = {
        "student": given.student.logits,
        "teacher": given.teacher.logits,
        "student_embedding": given.student.embedding,
        "teacher_embedding": given.teacher.embedding,
        "target": given.batch.target,
        "labelled": given.batch.labelled,
        "student_tokens": given.student.tokens["view"].values,
        "teacher_tokens": given.teacher.tokens["view"].values,
        "mask": given.student.tokens["view"].mask,
        "rows": counted(example, given),
    }
    for player, output in (("student", given.student), ("teacher", given.teacher)):
        numbers |= {f"{player}_{name}": value for name, value in output.features.items()}
    rows = numbers["rows"].numpy()
    arrays = {name: (x.detach().double() if x.is_floating_point() else x).numpy() for name, x in numbers.items()}
    expected = example.reference(arrays, objective)[rows]
    term = ask(objective, example, given)
    assert float(term.count) == rows.sum() > 1
    assert float(term.total.detach()) == pytest.approx(expected.sum(), rel=1e-5)


@pytest.mark.parametrize("example", ALL)
@pytest.mark.parametrize(
    ("rows", "scale", "dtype"), [(1, 1.0, torch.float32), (16, 200.0, torch.float32), (16, 200.0, torch.bfloat16)]
)
def test_is_finite_for_one_row_extreme_logits_and_bfloat16(example, rows, scale, dtype):
    given, objective = case(example.task, rows, scale=scale, dtype=dtype), build(example)
    term = ask(objective, example, given)
    term.total.backward()
    assert term.total.dtype == torch.float32
    assert term.total.isfinite()
    found = gradients(objective, given)
    assert found
    assert all(g.isfinite().all() for g in found)


@pytest.mark.parametrize("example", [p for p in ALL if not build(p.values[0]).state_dict()])
def test_mixed_precision_changes_nothing_but_own_layers(example):
    given, objective = case(example.task, 16), build(example)
    plain = ask(objective, example, given)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = ask(objective, example, given)
    mixed.total.backward()
    assert torch.equal(mixed.total, plain.total)
    found = [g.clone() for g in gradients(objective, given)]
    again = pick(given, torch.arange(16))
    ask(objective, example, again).total.backward()
    assert all(torch.equal(one, two) for one, two in zip(found, gradients(objective, again), strict=True))


@pytest.mark.parametrize("example", ALL)
def test_nothing_valid_gives_zero_with_a_gradient(example):
    given, objective = case(example.task, 4), build(example)
    none = torch.zeros(4, dtype=torch.bool)
    student = replace(given.student, valid=none)
    term = ask(objective, example, given._replace(student=student))
    term.total.backward()
    assert float(term.total.detach()) == 0
    assert float(term.count) == 0
    found = gradients(objective, given)
    assert found
    assert all((g == 0).all() for g in found)


@pytest.mark.parametrize("example", ALL)
def test_an_empty_batch_gives_zero_with_a_gradient(example):
    given, objective = case(example.task, 0), build(example)
    term = ask(objective, example, given)
    term.total.backward()
    assert float(term.total.detach()) == float(term.count) == 0
    assert all((g == 0).all() for g in gradients(objective, given))


@pytest.mark.parametrize("example", ALL)
def test_a_row_of_zeros_has_a_gradient_like_any_other(example):
    given, objective = case(example.task, 8), build(example)
    for x in said(given.student) + said(given.teacher):
        x.data[::2] = 0
    ask(objective, example, given).total.backward()
    found = gradients(objective, given) + [x.grad for x in said(given.teacher) if x.grad is not None]
    assert found
    assert max(float(g.abs().max()) for g in found) < 1e3


@pytest.mark.parametrize("example", [p for p in ALL if p.values[0].frozen])
def test_no_gradient_reaches_the_teacher(example):
    given = case(example.task, 8)
    ask(build(example), example, given).total.backward()
    assert all(x.grad is None for x in said(given.teacher))


@pytest.mark.parametrize("example", ALL)
def test_rows_that_do_not_count_change_nothing_even_nan(example):
    given, objective = case(example.task, 16), build(example)
    rows = counted(example, given)
    assert 0 < rows.sum() < 16
    for x in said(given.student) + said(given.teacher):
        x.data[~rows] = float("nan")
    if given.batch.target.is_floating_point():
        given.batch.target[~rows] = float("nan")
    term = ask(objective, example, given)
    term.total.backward()
    full = [g.clone() for g in gradients(objective, given)]
    objective.zero_grad()
    alone = pick(given, rows.nonzero()[:, 0])
    expected = ask(objective, example, alone)
    expected.total.backward()
    assert float(term.count) == float(expected.count)
    torch.testing.assert_close(term.total, expected.total)
    for got, wanted in zip(full, gradients(objective, alone), strict=True):
        if len(got) == 16 and len(wanted) != 16:
            assert (got[~rows] == 0).all()
            got = got[rows]
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("example", ALL)
def test_the_order_of_rows_does_not_matter(example):
    given, objective = case(example.task, 16), build(example)
    other = pick(given, torch.randperm(16, generator=torch.Generator().manual_seed(3)))
    one, two = ask(objective, example, given), ask(objective, example, other)
    torch.testing.assert_close(one.total, two.total)
    assert float(one.count) == float(two.count)


@pytest.mark.parametrize("example", [p for p in ALL if p.values[0].distils and p.values[0].least])
def test_a_distillation_is_least_and_zero_where_student_equals_teacher(example):
    given, objective = case(example.task, 16), build(example)
    embedding = given.student.embedding
    projected = objective.projection(embedding).detach() if isinstance(objective, objectives.FeatureRegression) else embedding
    teacher = replace(given.student, valid=given.teacher.valid, embedding=projected)
    term = ask(objective, example, given._replace(teacher=teacher))
    term.total.backward()
    assert float(term.total.detach()) == pytest.approx(0, abs=1e-9)
    assert all(g.abs().max() < 1e-5 for g in gradients(objective, given))
    assert float(ask(objective, example, given).total.detach()) > 0.01


@pytest.mark.parametrize("example", ALL)
def test_survives_a_state_dict_round_trip(example):
    given, objective = case(example.task, 8), build(example)
    torch.manual_seed(2)
    again = example.make()
    again.load_state_dict(objective.state_dict())
    assert torch.equal(ask(objective, example, given).total, ask(again, example, given).total)


def compile_all() -> None:
    """Run without the typing hook, which torch.compile cannot trace."""
    for parameter in ALL:
        example = parameter.values[0]
        given, objective = case(example.task, 8), build(example)
        # What differs between two objectives of a class would be taken for something that changes from step to step.
        torch.compiler.reset()
        compiled = torch.compile(objective, fullgraph=True, backend="eager")
        torch.testing.assert_close(ask(compiled, example, given).total, ask(objective, example, given).total)
    print(f"compiled {len(ALL)}")


def test_compiles_as_one_graph():
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_objectives; test_objectives.compile_all()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"compiled {len(ALL)}" in done.stdout
