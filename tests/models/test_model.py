"""Model, fusion and modality dropout. Encoders inside a model are held to their contract in contracts/test_encoders.py."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toy import CLASSES, NUMBER, toy_batch, toy_model
from understudy.batches.batch import Wanted, layer, shown
from understudy.encoders.encoder import Encoded
from understudy.encoders.layers import layer_vector, layers_of
from understudy.models.fusion import Concat
from understudy.models.model import Model, hide, views_of

PRESENCE = st.integers(1, 6).flatmap(
    lambda rows: st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=rows, max_size=rows)
)


@given(PRESENCE, st.floats(0, 1), st.integers(0, 99))
def test_modality_dropout_leaves_every_row_something(presence, probability, seed):
    present = dict(zip("abc", torch.tensor(presence).unbind(1), strict=True))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        kept = hide(present, probability)
    assert list(kept) == list(present)
    assert all(not (kept[m] & ~present[m]).any() for m in present)
    before, after = torch.stack(list(present.values())), torch.stack(list(kept.values()))
    assert torch.equal(before.any(dim=0), after.any(dim=0))
    if probability == 0:
        assert torch.equal(before, after)
    if probability == 1:
        assert (after.sum(dim=0) == before.any(dim=0)).all()


def test_modality_dropout_hides_as_often_as_it_says_and_spares_evenly():
    present = {m: torch.ones(20_000, dtype=torch.bool) for m in "ab"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kept = torch.stack(list(hide(present, 0.5).values())).float()
    # Hidden: drawn alone, 1/4, or both drawn and the other one spared, 1/8.
    torch.testing.assert_close(kept.mean(dim=1), torch.full((2,), 1 - 0.375), atol=0.02, rtol=0)


def test_modality_dropout_only_in_training():
    model, batch = toy_model(CLASSES, "x", "y"), toy_batch(CLASSES, 40)
    plain = model.eval()(batch).need("logits")
    model.modality_dropout = 1.0
    assert torch.equal(model.eval()(batch).need("logits"), plain)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    both = batch.present["x"] & batch.present["y"]
    changed = (model.train()(batch).need("logits") != plain).any(dim=1)
    assert changed[both].all()
    assert not changed[~both].any()


@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=["classes", "number"])
def test_output(task):
    model, batch = toy_model(task, "x", "y"), toy_batch(task, 9)
    output = model(batch)
    assert output.need("logits").shape == (9, task.outputs)
    assert output.need("embedding").shape == (9, model.fusion.width)
    assert torch.equal(output.valid, batch.seen_by(("x", "y")))
    assert output.source == "x+y"


def test_a_modality_that_the_batch_lacks_is_absent():
    model, batch = toy_model(CLASSES, "x", "y").eval(), toy_batch(CLASSES, 9)
    nowhere = toy_batch(CLASSES, 9)
    nowhere.present["y"][:] = False
    assert torch.equal(model(batch.keep("x")).need("logits"), model(nowhere).need("logits"))
    assert not model(batch.keep()).valid.any()


def test_one_modality_passes_through_and_zero_where_absent():
    model, batch = toy_model(CLASSES, "x").eval(), toy_batch(CLASSES, 9)
    output = model(batch)
    assert model.fusion.width == model.encoders["x"].width
    assert not output.need("embedding")[~batch.present["x"]].any()
    assert len(list(model.fusion.parameters())) == 0


def test_presence_bits_tell_a_zero_from_nothing():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fusion = Concat({"a": 2, "b": 2}, width=4, dropout=0.0)
    zeros, there = {"a": Encoded(torch.zeros(1, 2)), "b": Encoded(torch.zeros(1, 2))}, torch.ones(1, dtype=torch.bool)
    both, one = (fusion(zeros, {"a": there, "b": here}).embedding for here in (there, ~there))
    assert not torch.equal(both, one)


def test_a_model_needs_a_modality():
    with pytest.raises(ValueError, match="student: no encoder given"):
        Model(CLASSES, {}, name="student")


def test_equal_views_are_prepared_once():
    one, same, other = (toy_model(CLASSES, "x", "y", version=version) for version in (1, 1, 2))
    assert [len(views_of(one, same)[m]) for m in "xy"] == [1, 1]
    assert [len(views_of(one, other)[m]) for m in "xy"] == [2, 2]


@pytest.mark.parametrize("subset", [("x",), ("y",), ("x", "y")], ids="+".join)
def test_what_it_says_of_a_subset_is_what_it_says_where_nothing_else_is_present(subset):
    model, batch = toy_model(CLASSES, "x", "y").eval(), toy_batch(CLASSES, 12)
    output = model(batch, Wanted((subset,)))
    alone, said = model(batch.keep(*subset)), output.need(shown(subset))
    assert torch.equal(said[alone.valid], alone.need("logits")[alone.valid])
    assert not said[~alone.valid].any()
    assert torch.equal(output.need("logits"), model(batch).need("logits"))


def test_asking_for_subsets_changes_neither_the_answer_nor_what_is_drawn_for_it():
    model, batch = toy_model(CLASSES, "x", "y").train(), toy_batch(CLASSES, 12)
    model.modality_dropout = 0.5
    found = []
    for subsets in ((), (("x",), ("y",))):
        torch.manual_seed(0)
        found.append(model(batch, Wanted(subsets)).need("logits"))
    assert torch.equal(*found)


def test_a_subset_that_is_not_read_is_refused():
    with pytest.raises(ValueError, match="does not read z; it reads x, y"):
        toy_model(CLASSES, "x", "y")(toy_batch(CLASSES, 3), Wanted((("x", "z"),)))


def deep_model() -> Model:
    """Its x has two inner layers, its y none."""
    model = toy_model(CLASSES, "x", "y")
    encoder = model._encoder("x")
    encoder.layers = torch.nn.Sequential(
        *(torch.nn.Linear(4, 4), torch.nn.GELU(), torch.nn.Linear(4, 6), torch.nn.GELU(), torch.nn.Linear(6, 5), torch.nn.GELU())
    )
    return model.eval()


def test_inner_layers_are_said_where_they_are_wanted_and_are_0_where_their_modality_is_absent():
    model, batch = deep_model(), toy_batch(CLASSES, 12)
    assert model.layers == {"x": 2, "y": 0}
    output = model(batch, Wanted(layers=True))
    assert torch.equal(output.need("logits"), model(batch).need("logits"))
    values = next(iter(batch.inputs["x"].values()))["values"]
    for number, depth in enumerate((2, 4)):
        expected = model._encoder("x").layers[:depth](values)[batch.present["x"]]
        assert torch.equal(output.need(layer("x", number))[batch.present["x"]], expected)
        assert not output.need(layer("x", number))[~batch.present["x"]].any()
    assert not model(batch).features
    assert not any(module._forward_hooks for module in model.modules()), "nobody listens afterwards"


def test_blocks_are_the_layers_of_what_has_blocks():
    blocks = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3)
    assert layers_of(blocks) == [*blocks.layers][:-1]


def test_a_layer_is_one_vector_a_row():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    tokens = torch.randn(2, 3, 5)
    torch.testing.assert_close(layer_vector((tokens, None), 2, mask)[0], tokens[0, :2].mean(0))
    torch.testing.assert_close(layer_vector(tokens, 2, None), tokens.mean(1))
    assert layer_vector(torch.randn(2, 3, 9, 2), 2, None).shape == (2, 3 * 4 * 2)
    frames = torch.randn(6, 3)
    assert torch.equal(layer_vector(frames, 2, None)[1], frames[3:].flatten())
