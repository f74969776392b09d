"""Teachers: frozen in every sense, averaged as stated, and told apart by identity."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax

from toy import CLASSES, NUMBER, ToyView, toy_batch, toy_loader, toy_model
from understudy.batches.batch import NOTHING, Batch, Output, Wanted, shown
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Ensemble, Frozen, Teacher
from understudy.teachers.writer import write_store


class Told(Teacher):
    """Says what it was told, as any teacher may."""

    modalities, width, views, identity = ("x",), None, {}, "told"

    def __init__(self, task, logits, valid):
        self.task, self.answer = task, Output(valid=torch.tensor(valid), logits=torch.tensor(logits, dtype=torch.float32))

    def __call__(self, batch: Batch) -> Output:
        return self.answer


def test_a_frozen_teacher_answers_in_evaluation_mode_whatever_happens_to_its_model():
    model, batch = toy_model(CLASSES, "x", "y"), toy_batch(CLASSES, 8)
    teacher = Frozen(model)
    expected = model.eval()(batch)
    model.train()
    model.encoders["x"].train()
    assert torch.equal(teacher(batch).logits, expected.logits)
    model.eval().encoders["x"].train()
    assert torch.equal(teacher(batch).logits, expected.logits)


def test_no_teacher_gives_a_gradient():
    frozen, batch = Frozen(toy_model(CLASSES, "x")), toy_batch(CLASSES, 8)
    for teacher in (frozen, Ensemble([frozen, frozen])):
        assert not teacher(batch).logits.requires_grad
    assert not frozen(batch).embedding.requires_grad


def test_a_teacher_draws_no_random_number():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Frozen(toy_model(CLASSES, "x", "y").train())(toy_batch(CLASSES, 8))
    assert torch.equal(before, torch.get_rng_state())


def test_identity_is_over_weights_views_and_task():
    base = Frozen(toy_model(CLASSES, "x", "y")).identity
    assert Frozen(toy_model(CLASSES, "x", "y").train()).identity == base
    touched = toy_model(CLASSES, "x", "y")
    with torch.no_grad():
        touched.head[-1].bias[0] += 1e-6
    others = [
        Frozen(touched),
        Frozen(toy_model(CLASSES, "x", "y", seed=1)),
        Frozen(toy_model(CLASSES, "x", "z")),
        Frozen(toy_model(CLASSES, "x", "y", version=2)),
        Frozen(toy_model(replace(CLASSES, classes=("a", "b", "d")), "x", "y")),
    ]
    assert len({base, *(teacher.identity for teacher in others)}) == 6


def test_views_are_what_a_batch_must_hold():
    one, two = Frozen(toy_model(CLASSES, "x", "y")), Frozen(toy_model(CLASSES, "y", "z", version=2))
    both = Ensemble([one, two])
    keys = [ToyView(version).key for version in (1, 2)]
    assert {m: set(by_key) for m, by_key in both.views.items()} == {"x": {keys[0]}, "y": set(keys), "z": {keys[1]}}
    assert both.modalities == ("x", "y", "z")


def test_an_ensemble_averages_probabilities_over_its_valid_members():
    draw = np.random.default_rng(0)
    logits, valid = draw.normal(size=(3, 6, 3)), draw.random((3, 6)) < 0.6
    valid[:, 0], valid[:, 1] = False, True
    answer = Ensemble([Told(CLASSES, z.tolist(), v.tolist()) for z, v in zip(logits, valid, strict=True)])(toy_batch(CLASSES, 6))
    assert answer.valid.tolist() == valid.any(axis=0).tolist()
    assert answer.logits[0].tolist() == [0, 0, 0]
    for row in np.flatnonzero(valid.any(axis=0)):
        expected = softmax(logits[valid[:, row], row], axis=1).mean(axis=0)
        np.testing.assert_allclose(answer.logits[row].softmax(0), expected, rtol=1e-5)


def test_an_ensemble_averages_values_for_a_number():
    members = [
        Told(NUMBER, [[1.0], [2.0], [float("nan")]], [True, False, False]),
        Told(NUMBER, [[3.0], [4.0], [5.0]], [True, True, False]),
    ]
    answer = Ensemble(members)(toy_batch(NUMBER, 3))
    assert answer.logits[:, 0].tolist() == [2.0, 4.0, 0.0]
    assert answer.valid.tolist() == [True, True, False]


def test_an_ensemble_of_certain_members_stays_finite():
    members = [Told(CLASSES, [[9e4, 0, -9e4]], [True]), Told(CLASSES, [[-9e4, 9e4, 0]], [True])]
    logits = Ensemble(members)(toy_batch(CLASSES, 1)).logits
    assert logits.isfinite().all()
    np.testing.assert_allclose(logits.softmax(1)[0], [0.5, 0.5, 0], atol=1e-6)


def test_an_ensemble_needs_members_of_one_task():
    with pytest.raises(ValueError, match="at least one"):
        Ensemble([])
    with pytest.raises(ValueError, match="one task"):
        Ensemble([Told(CLASSES, [[1, 2, 3]], [True]), Told(NUMBER, [[1]], [True])])


def test_a_stored_teacher_needs_nothing_of_the_batch_but_its_ids(tmp_path):
    live = Frozen(toy_model(CLASSES, "x", "y"))
    stored = Stored(write_store(tmp_path / "s", live, toy_loader(CLASSES), corpus="abc"))
    assert (stored.views, stored.modalities, stored.identity, stored.task, stored.width) == (
        {},
        ("x", "y"),
        live.identity,
        CLASSES,
        live.width,
    )
    for batch in toy_loader(CLASSES).batches(0):
        one, two = live(batch), stored(batch.keep())
        assert torch.equal(one.valid, two.valid)
        assert torch.equal(one.logits[one.valid], two.logits[one.valid])
        assert torch.equal(one.embedding[one.valid], two.embedding[one.valid])


PARTS = Wanted((("x",), ("y",)))


@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=["classes", "number"])
def test_answers_to_subsets_are_averaged_and_stored_like_the_answers(task, tmp_path):
    members = [Frozen(toy_model(task, "x", "y", seed=seed)) for seed in (1, 2)]
    together = Ensemble(members).saying(PARTS)
    store = write_store(tmp_path / "store", together, toy_loader(task), corpus="c")
    batch = next(toy_loader(task).batches(0))
    said, kept = together(batch), Stored(store).saying(PARTS)(batch)
    for subset in PARTS.subsets:
        alone = Ensemble(members)(batch.keep(*subset))
        here = alone.valid
        torch.testing.assert_close(said.need(shown(subset))[here], alone.need("logits")[here])
        torch.testing.assert_close(kept.need(shown(subset))[here], alone.need("logits")[here])
    assert torch.equal(said.need("logits"), Ensemble(members)(batch).need("logits"))
    assert len({each.identity for each in (members[0], members[0].saying(PARTS))}) == 2, "a store of less is not one of more"


def test_a_teacher_that_knows_no_subsets_refuses_to_be_asked(tmp_path):
    told = Told(CLASSES, [[0.0, 1.0, 2.0]], [True])
    assert told.saying(NOTHING) is told
    with pytest.raises(ValueError, match="Told has none but these"):
        told.saying(PARTS)
    plain = Stored(write_store(tmp_path / "store", Frozen(toy_model(CLASSES, "x", "y")), toy_loader(CLASSES), corpus="c"))
    with pytest.raises(ValueError, match="has no answers to these modalities alone: x; y"):
        plain.saying(PARTS)


def test_inner_layers_are_stored_like_answers(tmp_path):
    model = toy_model(CLASSES, "x", "y")
    model._encoder("x").layers = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.GELU(), torch.nn.Linear(6, 5), torch.nn.GELU()
    )
    live = Frozen(model).saying(Wanted(layers=True))
    assert live.layers == {"x": 1, "y": 0}
    assert Frozen(model).layers == {}
    kept = Stored(write_store(tmp_path / "store", live, toy_loader(CLASSES), corpus="c"))
    assert kept.layers == {"x": 1}
    batch = next(toy_loader(CLASSES).batches(0))
    here = live(batch).valid
    torch.testing.assert_close(kept(batch).need("x.layer0")[here], live(batch).need("x.layer0")[here])
