"""One suite over every method of the catalogue: honest control, no teacher in what trains or ships, plain typed options."""

import importlib
import inspect
import pkgutil
import typing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from toy import CLASSES, NUMBER, SEARCH, toy_batch, toy_experts, toy_loader, toy_model, toy_prompted, toy_slots
from understudy import methods
from understudy.batches.batch import Batch
from understudy.methods import Method
from understudy.models.model import Model
from understudy.players.options import whole_options
from understudy.tasks import Task
from understudy.teachers.teacher import Frozen

TESTS = Path(__file__).resolve().parent.parent

# Per method: its options that switch all distillation off, and some that switch everything on.
OFF: dict[str, dict[str, Any]] = {
    "AMID": {"alpha": 0.0, "beta": 0.0, "gamma": 0.0},
    "C2KD": {"inner": 0.0, "cross": 0.0},
    "CET": {"weight": 0.0, "source": "first", "decay": 0.0, "hide": 0.0},
    "CRD": {"weight": 0.0},
    "DKD": {"weight": 0.0},
    "IFD": {"weight": 0.0},
    "KD": {"weight": 0.0},
    "LSKD": {"weight": 0.0},
    "MAD": {"weight": 0.0},
    "MSD": {"weight": 0.0},
    "PKT": {"weight": 0.0},
    "RKD": {"distance": 0.0, "angle": 0.0},
    "SelfDistillation": {"weight": 0.0},
    "Supervised": {},
    "UMI": {"alpha": 0.0, "align": 0.0},
    "VID": {"weight": 0.0},
    "VideoAdviser": {"w1": 0.0, "w2": 0.0, "w3": 0.0, "w4": 0.0},
}
# A task of classes has no step 1, and toys have no text; the suites of VideoAdviser and of MAD themselves turn these on.
ON: dict[str, dict[str, Any]] = {
    "AMID": {},
    "C2KD": {},
    "CET": {},
    "CRD": {"negatives": 7, "dimension": 8},
    "DKD": {},
    "IFD": {},
    "KD": {"feature": 0.5},
    "LSKD": {},
    "MAD": {"selection": "none"},
    "MSD": {},
    "PKT": {},
    "RKD": {},
    "SelfDistillation": {},
    "Supervised": {},
    "UMI": {},
    "VID": {},
    "VideoAdviser": {"w2": 0.0, "w3": 0.0},
}
# What freezes a teacher that trains otherwise; that of C2KD always trains.
FROZEN: dict[str, dict[str, Any]] = {"AMID": {"teacher_start": "frozen"}, "VideoAdviser": {"mode": "two_phase"}}
ALWAYS_TRAINS = ("C2KD",)
CLASSES_ONLY = ("C2KD", "DKD", "LSKD")
NO_SEARCH = ("CET", "UMI")
EXPERTS = ("MAD", "UMI")
"""Methods whose teacher has a head for each modality."""
NAMES = [kind.__name__ for kind in methods.CATALOGUE.values()]
EVERY = pytest.mark.parametrize("name", NAMES)
BOTH = pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param(name, task, id=f"{name}-{task.kind}")
        for name in NAMES
        for task in (CLASSES, NUMBER)
        if task.discrete or name not in CLASSES_ONLY
    ],
)


def toy_teacher(name: str, task: Task) -> Model:
    return (toy_experts if name in EXPERTS else toy_model)(task, "x", "y", width=7, seed=2)


def toy_student(name: str, task: Task) -> Model:
    reads = ("x", "y") if name == "CET" else ("x",)
    return toy_slots(task, "x", seed=1) if name == "UMI" else toy_model(task, *reads, seed=1)


def build(
    name: str, task: Task, options: dict[str, Any], *, student: Model | None = None, teacher: Model | None = None
) -> Method:
    kind = getattr(methods, name)
    student = student or toy_student(name, task)
    if "teacher" in inspect.signature(kind).parameters:
        teacher = teacher or toy_teacher(name, task)
        others: list[Any] = [
            teacher if kind.beside(**whole_options(kind.__module__.rpartition(".")[2], options)) else Frozen(teacher)
        ]
        if "auxiliary" in inspect.signature(kind).parameters:
            others.append(toy_model(task, "y", width=4, seed=3))
        method = kind(student, *others, **options)
    else:
        method = kind(student, **options)
    target = np.arange(64) % 3
    method.meet([f"r{row}" for row in range(64)], target if task.discrete else target.astype(float), np.ones(64, dtype=bool))
    return method


def train(method: Method, task: Task, *, steps: int = 6) -> dict[str, torch.Tensor]:
    """What `fit` does, in five lines: the student's weights after some steps."""
    method.train()
    optimiser = torch.optim.AdamW([{"params": g.parameters} for g in method.groups()], lr=1e-2)
    batches = list(toy_loader(task, batches=steps).batches(0))
    for step, batch in enumerate(batches):
        method.step = method.update = step
        optimiser.zero_grad()
        torch.stack([term.total / term.count.clamp(min=1) for term in method(batch).values()]).sum().backward()
        for group in method.groups():
            torch.nn.utils.clip_grad_norm_(group.parameters, 1.0)
        optimiser.step()
        method.after_step()
    return {key: value.detach().clone() for key, value in method.student.state_dict().items()}


def with_rows(batch: Batch, rows: list[int]) -> Batch:
    """These rows of a batch, of which some may stand there several times."""
    inputs = {m: {k: {f: x[rows] for f, x in fields.items()} for k, fields in by.items()} for m, by in batch.inputs.items()}
    present = {m: here[rows] for m, here in batch.present.items()}
    return Batch(inputs, present, batch.target[rows], batch.labelled[rows], tuple(batch.id[row] for row in rows))


@BOTH
def test_a_row_of_weight_two_is_two_rows(name, task):
    """Of methods that heed weights; the others are refused rows that count differently."""
    if not getattr(methods, name).weighs:
        pytest.skip("it compares rows with one another")
    batch, times = toy_batch(task, 12, seed=4), [0, 1, 2, 3] * 3
    found = []
    for shown in (
        replace(batch, weight=torch.tensor(times, dtype=torch.float32)),
        with_rows(batch, [row for row, often in enumerate(times) for _ in range(often)]),
    ):
        torch.manual_seed(0)  # layers of objectives
        method = build(name, task, ON[name]).eval()
        terms = method(shown)
        torch.stack([term.total / term.count for term in terms.values()]).sum().backward()
        found.append([*terms.values(), *(each.grad for group in method.groups() for each in group.parameters)])
    assert len(found[0]) > 2
    torch.testing.assert_close(found[0], found[1])


def test_the_catalogue_is_whole():
    modules = {m.name for m in pkgutil.iter_modules(methods.__path__)} - {"method", "taught", "schedules", "mixup", "options"}
    modules -= {name for name in modules if name.partition("_")[0] in modules and "_" in name}  # parts of a method
    modules -= {"apart"}  # trains teachers of late fusion; a student never meets it
    assert set(methods.CATALOGUE) == modules, "every module in methods/ exports its method in __init__"
    assert set(NAMES) == set(OFF) == set(ON), "every method stands in OFF and ON"
    for module in modules:
        assert (TESTS / "methods" / f"test_method_{module}.py").exists()


@pytest.mark.parametrize("module", sorted(methods.CATALOGUE))
def test_the_file_says_where_it_comes_from(module):
    imported = importlib.import_module(f"understudy.methods.{module}")
    lines = (imported.__doc__ or "").splitlines()
    for head in ("Idea: ", "Paper: ", "Differs: ", "Use when: ", "Related: "):
        assert any(line.startswith(head) for line in lines), f"methods/{module}.py has no `{head}` line"
    assert len(Path(str(imported.__file__)).read_text().splitlines()) <= 210, (
        "what is generic stands in objectives/ or options.py"
    )


@EVERY
def test_options_are_keyword_only_with_plain_types_and_defaults(name):
    kind = getattr(methods, name)
    hints = typing.get_type_hints(kind.__init__)
    for option in inspect.signature(kind).parameters.values():
        if option.name in ("student", "teacher", "auxiliary"):
            assert option.kind is option.POSITIONAL_OR_KEYWORD
            continue
        assert option.kind is option.KEYWORD_ONLY
        assert option.default is not option.empty
        hint = hints[option.name]
        assert hint in (int, float, bool, str) or typing.get_origin(hint) is typing.Literal


@EVERY
def test_the_defaults_of_options_stand_in_the_constructor_alone(name):
    kind = getattr(methods, name)
    options = inspect.signature(kind).parameters
    hooks = (kind.check, kind.check_players, kind.embeds, kind.tokens, kind.wants, kind.lead, kind.beside, kind.fixed_auxiliary)
    hooks = (*hooks, kind.assisted, kind.assist)
    for hook in hooks:
        for option in inspect.signature(hook).parameters.values():
            if option.kind is option.KEYWORD_ONLY:
                assert option.name in options, f"{hook.__name__} asks for {option.name}, which is no option of {name}"
                assert option.default is option.empty, f"{hook.__name__} repeats the default of {option.name}"


@EVERY
def test_options_are_kept_under_their_names(name):
    method = build(name, CLASSES, ON[name])
    for option in inspect.signature(type(method)).parameters:
        assert option in vars(method) or option in dict(method.named_children()), f"{name} does not keep {option}"


@BOTH
def test_all_weights_zero_is_plain_training_bit_for_bit(name, task):
    plain = train(build("Supervised", task, {}, student=toy_student(name, task)), task)
    off = train(build(name, task, OFF[name]), task)
    assert plain.keys() == off.keys()
    assert all(torch.equal(plain[key], off[key]) for key in plain)


@pytest.mark.parametrize("name", CLASSES_ONLY)
def test_what_needs_classes_refuses_a_number(name):
    with pytest.raises(ValueError, match="a regression has no"):
        getattr(methods, name).check(NUMBER, {})
    with pytest.raises(ValueError, match="a regression has no"):
        build(name, NUMBER, ON[name])


@pytest.mark.parametrize("name", NO_SEARCH)
def test_what_cannot_search_refuses_retrieval(name):
    with pytest.raises(ValueError, match="not a retrieval; use"):
        getattr(methods, name).check(SEARCH, {}, **whole_options(name.lower(), {}))


@BOTH
def test_otherwise_it_is_not(name, task):
    if name == "Supervised":
        return
    plain = train(build("Supervised", task, {}, student=toy_student(name, task)), task)
    on = train(build(name, task, ON[name]), task)
    assert not all(torch.equal(plain[key], on[key]) for key in plain)


@EVERY
def test_training_repeats_bit_for_bit(name):
    def once() -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        return train(build(name, CLASSES, ON[name]), CLASSES)

    one, two = once(), once()
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ALWAYS_TRAINS])
def test_the_frozen_teacher_neither_trains_nor_is_saved(name):
    teacher = toy_teacher(name, CLASSES)
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    method = build(name, CLASSES, ON[name] | FROZEN.get(name, {}), teacher=teacher)
    train(method, CLASSES)
    theirs = {p.data_ptr() for p in teacher.parameters()}
    assert not theirs & {p.data_ptr() for group in method.groups() for p in group.parameters}
    assert not theirs & {value.data_ptr() for value in method.state_dict().values()}
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
    assert all(p.grad is None for p in teacher.parameters())


@EVERY
def test_every_trainable_parameter_is_in_one_group(name):
    method = build(name, CLASSES, ON[name])
    grouped = [id(p) for group in method.groups() for p in group.parameters]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in method.parameters() if p.requires_grad}
    assert {group.part for group in method.groups()} == set(method.parts())


@BOTH
def test_every_parameter_that_trains_gets_a_gradient_under_default_options(name, task):
    """With a margin, whose meaning only step 1 could learn; within a few steps, since some layers start at zero."""
    given = {"teacher": toy_prompted(task, "x", "y", classes=2, anchors="margin", seed=2)} if task is NUMBER else {}
    defaults = {} if name != "VideoAdviser" or task is NUMBER else ON[name]
    method = build(
        name, task, defaults | ({"selection": "none"} if name == "MAD" else {}), **(given if name == "VideoAdviser" else {})
    )
    still = {n for n, p in method.named_parameters() if p.requires_grad}
    optimiser = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.1)
    for step, batch in enumerate(toy_loader(task, batches=8).batches(0)):
        method.step = method.update = step
        optimiser.zero_grad()
        for part in method.parts():
            torch.stack([term.total / term.count.clamp(min=1) for term in method(batch, part).values()]).sum().backward()
        still -= {n for n, p in method.named_parameters() if p.grad is not None and p.grad.any()}
        optimiser.step()
        method.after_step()
    assert not still


@EVERY
def test_what_ships_has_the_keys_of_the_plain_model(name):
    student = toy_student(name, CLASSES)
    keys = list(student.state_dict())
    method = build(name, CLASSES, ON[name], student=student)
    assert method.student is student
    assert list(method.student.state_dict()) == keys


@EVERY
def test_a_batch_with_nothing_to_count_is_finite_and_moves_nothing(name):
    method, batch = build(name, CLASSES, ON[name]), toy_batch(CLASSES, 4)
    for here in (*batch.present.values(), batch.labelled):
        here[:] = False
    loss = torch.stack([term.total / term.count.clamp(min=1) for term in method(batch).values()]).sum()
    loss.backward()
    assert loss.item() == 0
    assert all((p.grad == 0).all() for p in method.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("AMID", *NO_SEARCH)])
def test_every_branch_of_a_retrieval_student_learns(name):
    """AMID's branches have auxiliaries of their own, which its own suite looks at."""
    student = toy_model(SEARCH, "x", "y", seed=1, branches=("x", "y"))
    method = build(name, SEARCH, ON[name], student=student, teacher=toy_teacher(name, SEARCH))
    terms = method(toy_batch(SEARCH, 32))
    pulls = [term.total for key, term in terms.items() if key != "supervised" or name == "Supervised"]
    torch.stack(pulls).sum().backward()
    assert all(float(term.count) > 0 for term in terms.values())
    weights = {m: list(student.encoders[m].parameters()) for m in ("x", "y")}
    assert all(any(p.grad is not None and p.grad.abs().sum() > 0 for p in weights[m]) for m in weights)


@EVERY
def test_a_saved_method_goes_on_from_where_it_was(name):
    method, again = (build(name, CLASSES, ON[name]) for _ in range(2))
    train(method, CLASSES)
    again.load_state_dict(method.state_dict())
    again.step, again.update = method.step, method.update
    batch = toy_batch(CLASSES, 8, seed=9)
    one, two = method.eval()(batch), again.eval()(batch)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key].total, two[key].total) for key in one)
