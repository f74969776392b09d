"""KD: its weighting by hand, unlabelled rows that teach, and teachers that do not fit."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, l1_loss, mse_loss

from toy import CLASSES, NUMBER, toy_batch, toy_loader, toy_model
from understudy.methods import KD
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Ensemble, Frozen
from understudy.teachers.writer import write_store


def player(task, **options):
    teacher = Frozen(toy_model(task, "x", "y", width=7, seed=2))
    return KD(toy_model(task, "x", seed=1), teacher, **options).eval()


def means(terms):
    return {name: (term.total / term.count).item() for name, term in terms.items()}


def test_each_term_is_a_mean_over_its_own_rows_times_its_weight():
    method, batch = player(CLASSES, weight=0.25, temperature=3.0, feature=0.5), toy_batch(CLASSES, 32)
    student, teacher = method.student(batch), method.teacher(batch)
    sees, labelled = batch.present["x"], batch.labelled & batch.present["x"]
    ours, theirs = (o.logits[sees] / 3 for o in (student, teacher))
    kd = 9 * kl_div(ours.log_softmax(1), theirs.log_softmax(1), log_target=True, reduction="batchmean")
    projected = method.feature_regression.projection(student.embedding[sees])
    expected = {
        "supervised": 0.75 * cross_entropy(student.logits[labelled], batch.target[labelled]).item(),
        "kd": 0.25 * kd.item(),
        "feature": 0.5 * mse_loss(projected, teacher.embedding[sees]).item(),
    }
    assert labelled.sum() < sees.sum() < 32
    assert means(method(batch)) == pytest.approx(expected, rel=1e-5)


def test_a_number_is_compared_in_standardised_units():
    method, batch = player(NUMBER, weight=1.0), toy_batch(NUMBER, 32)
    sees = batch.present["x"]
    expected = l1_loss(method.student(batch).logits[sees], method.teacher(batch).logits[sees])
    assert means(method(batch)) == pytest.approx({"supervised": 0.0, "kd": expected.item()}, rel=1e-5)


def test_unlabelled_rows_carry_the_teachers_answers():
    method, batch = player(CLASSES), toy_batch(CLASSES, 16)
    terms = method(replace(batch, labelled=torch.zeros(16, dtype=torch.bool)))
    sum(term.total for term in terms.values()).backward()
    assert float(terms["supervised"].count) == 0
    assert float(terms["kd"].count) == batch.present["x"].sum()
    assert method.student.head[-1].weight.grad.abs().sum() > 0


def test_the_student_never_sees_what_it_will_not_have():
    method, batch = player(CLASSES), toy_batch(CLASSES, 16)
    changed = replace(batch, inputs=batch.inputs | {"y": {k: {"values": torch.randn(16, 4)} for k in batch.inputs["y"]}})
    one, two = method(batch), method(changed)
    assert torch.equal(one["supervised"].total, two["supervised"].total)
    assert not torch.equal(one["kd"].total, two["kd"].total)


def test_a_store_teaches_as_the_live_teacher_does(tmp_path):
    live = player(CLASSES, feature=0.5)
    store = write_store(tmp_path / "store", live.teacher, toy_loader(CLASSES), corpus="abc")
    torch.manual_seed(0)
    stored = KD(live.student, Stored(store), feature=0.5).eval()
    stored.load_state_dict(live.state_dict())
    assert list(stored.views()) == ["x"]
    assert list(live.views()) == ["x", "y"]
    for batch in toy_loader(CLASSES).batches(0):
        one, two = live(batch), stored(batch.keep("x"))
        assert all(torch.equal(one[name].total, two[name].total) for name in one)


def test_a_teacher_of_another_task_or_standardisation_is_refused():
    teacher = Frozen(toy_model(NUMBER, "x"))
    for task in (CLASSES, replace(NUMBER, mean=0.6)):
        with pytest.raises(ValueError, match="the same fitted task"):
            KD(toy_model(task, "x"), teacher)


def test_features_need_a_teacher_with_an_embedding():
    ensemble = Ensemble([Frozen(toy_model(CLASSES, "x", seed=n)) for n in range(2)])
    assert "kd" in KD(toy_model(CLASSES, "x"), ensemble)(toy_batch(CLASSES, 8))
    with pytest.raises(ValueError, match="gives no embedding"):
        KD(toy_model(CLASSES, "x"), ensemble, feature=0.1)


@pytest.mark.parametrize(
    "wrong", [{"weight": -0.1}, {"weight": 1.1}, {"weight": float("nan")}, {"feature": -1.0}, {"temperature": 0.0}]
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}.* given"):
        player(CLASSES, **wrong)


def test_mixtures_count_in_the_answers_alone():
    batch = toy_batch(CLASSES, 32)
    plain, mixing = (means(player(CLASSES, mixup=each)(batch)) for each in (0.0, 0.5))
    assert plain["supervised"] == pytest.approx(mixing["supervised"], rel=1e-5)
    assert plain["kd"] != pytest.approx(mixing["kd"], rel=1e-5)
    assert float(player(CLASSES, mixup=0.5)(batch)["kd"].count) > batch.present["x"].sum()


def test_mixup_of_what_has_nothing_in_between_is_refused():
    student = toy_model(CLASSES, "x")
    object.__setattr__(student.views["x"], "kind", "text")
    with pytest.raises(ValueError, match="nothing lies between two rows of x"):
        KD(student, Frozen(toy_model(CLASSES, "x", "y")), mixup=0.5)
