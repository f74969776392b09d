"""CET: who wins, what the teacher averages of whom, what each student sees, and what it refuses."""

import math

import pytest
import torch

from toy import CLASSES, NUMBER, SEARCH, toy_batch, toy_loader, toy_model
from toy_method import resumes_exactly
from understudy.methods.cet import CET, PEERS
from understudy.tasks import Task
from understudy.training.fit import Plan, fit


def player(task: Task = CLASSES, *modalities: str, **options) -> CET:
    return CET(toy_model(task, *(modalities or ("x", "y")), seed=1), **options)


def weight(model) -> torch.Tensor:
    return model.head[-1].weight


def moved(method: CET) -> None:
    """Both students somewhere else, each by itself."""
    with torch.no_grad():
        for name in PEERS:
            for parameter in getattr(method, name).parameters():
                parameter.add_(torch.randn(parameter.shape))


def told(method: CET, one: float, other: float, count: float = 4.0) -> None:
    method.heard[0] = torch.tensor([one, other, count])


def test_the_first_step_makes_the_teacher_the_winner():
    for losses, winner in (((1.0, 2.0), "first"), ((2.0, 1.0), "second"), ((1.0, 1.0), "first")):
        method = player()
        moved(method)
        told(method, *losses)
        method.after_step()
        assert all(
            torch.equal(mine, theirs)
            for mine, theirs in zip(method.student.parameters(), getattr(method, winner).parameters(), strict=True)
        )


def test_two_steps_are_what_is_computed_by_hand():
    method = player(decay=0.3)
    expected = weight(method.student).clone()
    for method.update, losses in enumerate(((1.0, 2.0), (2.0, 1.0), (3.0, 1.0))):
        moved(method)
        told(method, *losses)
        method.after_step()
        keep, winner = min(0.3, 1 - 1 / (method.update + 1)), PEERS[int(losses[1] < losses[0])]
        expected = keep * expected + (1 - keep) * weight(getattr(method, winner)).detach()
        torch.testing.assert_close(weight(method.student), expected)


def test_a_smaller_loss_can_only_make_a_winner():
    shares = []
    for other in (3.0, 2.0, 1.5, 0.5, 0.1):
        method = player()
        told(method, 1.0, other)
        method.after_step()
        shares.append(float(method.share))
    assert shares == [0, 0, 0, 1, 1]


def test_a_softmax_goes_from_the_winner_to_the_plain_mean():
    found = {}
    for temperature in (1e-4, 0.5, 1e6):
        method = player(source="softmax", temperature=temperature)
        moved(method)
        told(method, 4.0, 2.0)
        method.after_step()
        found[temperature] = float(method.share)
        one, two = (weight(getattr(method, name)).detach() for name in PEERS)
        torch.testing.assert_close(weight(method.student), one + found[temperature] * (two - one))
    # Losses of 1 and 0.5 a row.
    assert list(found.values()) == [1, pytest.approx(math.exp(-1) / (math.exp(-1) + math.exp(-2)), rel=1e-5), pytest.approx(0.5)]


def test_where_nobody_can_be_judged_the_last_winner_stays():
    method = player()
    told(method, 2.0, 1.0)
    method.after_step()
    told(method, 0.0, 0.0, count=0.0)
    method.after_step()
    assert float(method.share) == 1
    batch = toy_batch(CLASSES, 12)
    batch.labelled[:] = False
    term = method(batch)["first.share"]
    assert float(term.total) == 0
    assert float(term.count) > 0
    method.after_step()
    assert float(method.share) == 1


def test_an_epoch_is_judged_at_its_end_by_all_of_it():
    method = player(granularity="epoch")
    for losses in ((1.0, 2.0), (9.0, 2.0)):
        told(method, *losses)
        method.after_step()
        assert float(method.share) == 0
    method.after_epoch({})
    assert float(method.share) == 1
    assert not method.judged.any()


@pytest.mark.parametrize("reliability", ["supervised", "uncertainty", "agreement"])
def test_what_is_judged_is_what_was_asked_for(reliability):
    method, batch = player(reliability=reliability, hide=0.0).eval(), toy_batch(CLASSES, 24)
    moved(method)
    method(batch)
    one, other, count = method.heard[0].tolist()
    said = [getattr(method, name)(batch) for name in PEERS]
    rows = said[0].valid & batch.labelled if reliability == "supervised" else said[0].valid
    p = [each.need("logits").softmax(1)[rows].double() for each in said]
    teacher = method.student(batch).need("logits").softmax(1)[rows].double()
    expected = {
        "supervised": lambda q: -q[range(len(q)), batch.target[rows]].log().sum(),
        "uncertainty": lambda q: -(q * q.log()).sum(),
        "agreement": lambda q: (q - teacher).square().mean(dim=1).sum(),
    }[reliability]
    assert (one, other) == (pytest.approx(float(expected(p[0])), rel=1e-5), pytest.approx(float(expected(p[1])), rel=1e-5))
    assert count == rows.sum()


def test_the_teacher_takes_no_gradient_and_is_in_no_optimiser_and_quiet():
    method = player()
    assert {group.player for group in method.groups()} == set(PEERS)
    sum(term.total for term in method(toy_batch(CLASSES, 12)).values()).backward()
    assert all(p.grad is None for p in method.student.parameters())
    for mode in (True, False, True):
        method.train(mode)
        assert method.first.training is mode
        assert not any(module.training for module in method.student.modules())


@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=lambda task: task.kind)
def test_the_terms_are_what_float64_says(task):
    method, batch = player(task, hide=0.0, ramp=10, weight=3.0).eval(), toy_batch(task, 24)
    moved(method)
    method.update = 4
    terms = method(batch)
    rows = batch.seen_by(("x", "y"))
    said = [getattr(method, name)(batch).need("logits")[rows].detach().double() for name in (*PEERS, "student")]
    one, two, teacher = (each if task is NUMBER else each.softmax(1) for each in said)
    grown = 3 * math.exp(-5 * (1 - 0.4) ** 2)
    apart = {"peers": 2 * (one - two).square().mean()}
    apart["teacher"] = (one - teacher).square().mean() + (two - teacher).square().mean()
    for name, expected in apart.items():
        assert float(terms[name].total / terms[name].count) == pytest.approx(float(grown * expected), rel=1e-5)
        assert float(terms[name].count) == 2 * rows.sum()
    assert float(terms["first"].count) == float(terms["second"].count) == (rows & batch.labelled).sum()


def test_students_that_say_the_same_cost_nothing():
    terms = player(hide=0.0).eval()(toy_batch(CLASSES, 12))
    assert float(terms["peers"].total) == float(terms["teacher"].total) == 0


def test_each_student_sees_its_own_and_a_share_of_the_rest_by_row():
    batch = toy_batch(CLASSES, 4000, modalities=("x", "y", "z"))
    method = player(CLASSES, "x", "y", "z", own=1, hide=0.7)
    for name, mine, others in (("first", ("x",), ("y", "z")), ("second", ("y", "z"), ("x",))):
        seen, own = method.disturbed(name, batch), batch.seen_by(mine)
        assert all(torch.equal(seen.present[m], batch.present[m]) for m in mine)
        for m in others:
            assert torch.equal(seen.present[m][~own], batch.present[m][~own]), "a row without any of its own keeps the rest"
            kept = seen.present[m][own & batch.present[m]].float().mean()
            assert float(kept) == pytest.approx(0.3, abs=0.04)
        assert torch.equal(seen.seen_by(("x", "y", "z")), batch.seen_by(("x", "y", "z")))
    # Neither the other rows of a batch nor how often it is asked changes what a row shows.
    again = method.disturbed("first", batch)
    assert torch.equal(again.present["y"], method.disturbed("first", batch).present["y"])
    method.step = 1
    assert not torch.equal(again.present["y"], method.disturbed("first", batch).present["y"])


def test_with_everything_hidden_an_encoder_comes_from_whoever_reads_it():
    method = player(hide=1.0)
    moved(method)
    told(method, 1.0, 2.0)
    method.after_step()
    teacher, first, second = (dict(getattr(method, name).named_parameters()) for name in ("student", *PEERS))
    for name, value in teacher.items():
        assert torch.equal(value, (second if name.startswith("encoders.y.") else first)[name]), name


@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=lambda task: task.kind)
@pytest.mark.parametrize("options", [{}, {"source": "softmax", "granularity": "epoch"}], ids=["batch", "epoch"])
def test_a_resumed_run_ends_as_the_uninterrupted_one(task, options, tmp_path):
    resumes_exactly(lambda: player(task, **options), task, tmp_path)


def test_updates_are_counted_not_batches():
    method = player()
    fit(method, toy_loader(CLASSES), plan=Plan(epochs=1, accumulate=4), seed=0, quiet=True)
    winner = getattr(method, PEERS[int(method.share)])
    assert torch.equal(weight(method.student), weight(winner)), "after the first update"
    assert not method.heard


WRONG = {"weight": -1.0, "ramp": -1, "own": 0, "hide": 1.5, "decay": 1.0, "temperature": 0.0}


@pytest.mark.parametrize("name", WRONG)
def test_impossible_options_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} .*given"):
        player(**{name: WRONG[name]})


def test_students_that_are_no_modalities_are_refused():
    told = "^cet's two students are modalities, and own 1 of x leaves the second none; let the student read more$"
    with pytest.raises(ValueError, match=told):
        player(CLASSES, "x")
    with pytest.raises(ValueError, match="not a retrieval"):
        CET.check(SEARCH, {}, reliability="supervised")
    with pytest.raises(ValueError, match="a regression has no probabilities"):
        player(NUMBER, reliability="uncertainty")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "first", "reliability": "agreement"}, "reliability 'agreement' has no effect"),
        ({"temperature": 1.0}, "temperature 1.0 has no effect"),
        ({"weight": 0.0, "ramp": 3}, "ramp 3 has no effect"),
    ],
)
def test_options_without_effect_are_warned_of(options, said):
    with pytest.warns(UserWarning, match=said):
        player(**options)
