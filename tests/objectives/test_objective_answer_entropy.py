"""Answer entropy: a bound that is tight where it should be, for every task, and a game that ends at its known optimum."""

import math

import pytest
import torch
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output
from understudy.objectives import AnswerEntropy, AnswerGame
from understudy.objectives.answer_entropy import answer_cross_entropy, left_open
from understudy.tasks import Choice, Classification, MultiLabel, Regression, Task

CLASSES = Classification(classes=("a", "b", "c"))
APART = MultiLabel(classes=("a", "b", "c"), entries=1)
CHOICE = Choice(choices=3)
NUMBER = Regression(mean=1.0, scale=3.0)
EVERY = (CLASSES, APART, CHOICE, NUMBER)


def two(student: Tensor, teacher: Tensor, *, valid: Tensor | None = None) -> tuple[Batch, Output, Output]:
    rows = torch.ones(len(student), dtype=torch.bool) if valid is None else valid
    batch = Batch({}, {}, torch.zeros(len(rows)), torch.zeros_like(rows), tuple(map(str, range(len(rows)))))
    return batch, Output(valid=rows, logits=student), Output(valid=rows, logits=teacher)


def mean(term) -> float:
    return float(term.total.detach() / term.count)


def width(task: Task) -> int:
    return 1 if isinstance(task, Regression) else 3


def test_it_is_the_conditional_entropy_for_the_right_student_and_above_it_for_any_other():
    """S is one of two states, each seen with two teachers' answers; the best student says their mean."""
    answers = torch.tensor([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]])
    given = answers.view(2, 2, 3).mean(dim=1)
    known = float(-(given * given.log()).sum(dim=1).mean())
    told = given.repeat_interleave(2, dim=0).log()
    entropy = AnswerEntropy(CLASSES, temperature=1.0)
    assert mean(entropy(*two(told, answers.log()))) == pytest.approx(known, abs=1e-6)
    for _ in range(5):
        assert mean(entropy(*two(told + 0.3 * torch.randn(2, 3).repeat_interleave(2, dim=0), answers.log()))) > known
    assert mean(left_open(CLASSES, *two(told, answers.log()))) == pytest.approx(known, abs=1e-6)


def test_of_a_number_the_variance_learns_the_entropy():
    torch.manual_seed(0)
    s = torch.randn(4096, 1)
    t = s + 0.5 * torch.randn(4096, 1)
    known = 0.5 * math.log(2 * math.pi * math.e * 0.25)
    entropy = AnswerEntropy(NUMBER)
    optimiser = torch.optim.Adam(entropy.parameters(), lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        term = entropy(*two(s, t))
        (term.total / term.count).backward()
        optimiser.step()
    assert mean(entropy(*two(s, t))) == pytest.approx(known, abs=0.03)
    assert mean(left_open(NUMBER, *two(s, t))) == pytest.approx(known, abs=0.03)


@pytest.mark.parametrize("task", EVERY, ids=lambda task: task.kind)
def test_its_gradient_is_that_of_a_divergence_and_least_where_both_say_the_same(task):
    torch.manual_seed(0)
    teacher = torch.randn(6, width(task))
    student = teacher.clone().requires_grad_()
    AnswerEntropy(task)(*two(student, teacher)).total.backward()
    assert student.grad is not None
    torch.testing.assert_close(student.grad, torch.zeros_like(student), atol=1e-6, rtol=0)


def test_temperature_keeps_the_size_of_the_gradient():
    torch.manual_seed(0)
    teacher = 0.1 * torch.randn(8, 3)
    found = []
    for temperature in (1.0, 4.0):
        student = torch.zeros(8, 3, requires_grad=True)
        answer_cross_entropy(student, teacher, apart=False, temperature=temperature).sum().backward()
        found.append(student.grad)
    torch.testing.assert_close(*found, rtol=0.1, atol=1e-3)


@pytest.mark.parametrize("task", EVERY, ids=lambda task: task.kind)
@pytest.mark.parametrize("kind", [AnswerEntropy, AnswerGame])
@pytest.mark.parametrize("detach", [True, False])
def test_who_gets_a_gradient(task, kind, detach):
    torch.manual_seed(0)
    student, teacher = (torch.randn(6, width(task)).requires_grad_() for _ in range(2))
    objective = kind(task, detach_teacher=detach)
    objective(*two(student, teacher)).total.backward()
    assert student.grad is not None
    assert student.grad.any()
    assert (teacher.grad is None) == detach
    if isinstance(objective, AnswerGame):
        assert all(p.grad is None for p in objective.discriminator.parameters()), "D is held still"
        student.grad = teacher.grad = None
        objective.critic(*two(student, teacher)).total.backward()
        assert student.grad is None
        assert teacher.grad is None
        assert all(p.grad is not None for p in objective.discriminator.parameters())


@pytest.mark.parametrize("task", EVERY, ids=lambda task: task.kind)
def test_rows_that_do_not_count_and_half_precision_are_safe_in_the_critic_too(task):
    torch.manual_seed(0)
    game, some = AnswerGame(task).eval(), torch.arange(8) < 5
    student, teacher = (50 * torch.randn(8, width(task)) for _ in range(2))
    alone = game.critic(*two(student[:5], teacher[:5])).total
    student[5:], teacher[5:] = float("nan"), float("nan")
    term = game.critic(*two(student, teacher, valid=some))
    torch.testing.assert_close(term.total, alone)
    term.total.backward()
    assert all(p.grad.isfinite().all() for p in game.parameters() if p.grad is not None)
    assert game.critic(*two(student[:1].bfloat16(), teacher[:1].bfloat16())).total.isfinite()
    with torch.no_grad():
        torch.testing.assert_close(game.critic(*two(student, teacher, valid=some)).total, alone)


def play(*, steepness: float, lead: int = 150, steps: int = 450) -> tuple[float, float]:
    """A student of one number plays against a critic that began earlier: how far it ends from the teacher, and D's loss."""
    torch.manual_seed(0)
    student, game = nn.Linear(1, 1), AnswerGame(NUMBER, hidden=32, steepness=steepness)
    critic, main = (torch.optim.Adam(each.parameters(), lr=rate) for each, rate in ((game, 0.01), (student, 0.02)))
    loss = 0.0
    for step in range(lead + steps):
        for optimiser, ask in ((critic, game.critic), (main, game))[: 1 + (step >= lead)]:
            x = torch.randn(128, 1)
            optimiser.zero_grad()
            term = ask(*two(student(x), 2 * x - 1))
            (term.total / term.count).backward()
            optimiser.step()
            loss = mean(term) if ask == game.critic else loss
    x = torch.linspace(-1, 1, 5)[:, None]
    return float((student(x) - (2 * x - 1)).detach().abs().max()), loss


def test_the_game_ends_at_its_optimum_and_a_critic_that_began_early_has_not_won():
    """The teacher says 2 x - 1, which the student can say: then no pair can be told, and D is left with what it knows of none."""
    away, loss = play(steepness=1.0)
    assert away < 0.05
    assert loss == pytest.approx(2 * math.log(2), abs=0.05)
    assert play(steepness=0.0)[0] > 2 * away + 0.05, "without the price of its slope the critic leaves the student no rest"
