"""Batch and Output: keep, seen_by and to, for any presence."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from understudy.batches.batch import Batch, Output

# beartype looks at items drawn with `random`, which hypothesis takes for the strategy's own doing.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
NAMES = ("audio", "image", "text")
SUBSETS = st.sets(st.sampled_from((*NAMES, "unknown")))


@st.composite
def batches(draw) -> Batch:
    rows, names = draw(st.integers(0, 4)), draw(st.lists(st.sampled_from(NAMES), unique=True))
    bits = st.lists(st.booleans(), min_size=rows, max_size=rows)
    values = {
        "one": {"values": torch.zeros(rows, 2), "mask": torch.ones(rows, 1, dtype=torch.bool)},
        "two": {"ids": torch.zeros(rows, 1)},
    }
    return Batch(
        inputs={name: {key: dict(fields) for key, fields in values.items()} for name in names},
        present={name: torch.tensor(draw(bits), dtype=torch.bool) for name in names},
        target=torch.zeros(rows),
        labelled=torch.tensor(draw(bits), dtype=torch.bool),
        id=tuple(map(str, range(rows))),
    )


@given(batches(), SUBSETS, SUBSETS)
def test_keep_is_an_intersection(batch, first, second):
    kept = batch.keep(*first)
    assert set(kept.inputs) == set(kept.present) == set(batch.inputs) & first
    assert all(kept.inputs[name] is batch.inputs[name] for name in kept.inputs)
    assert (kept.id, kept.target, kept.labelled) == (batch.id, batch.target, batch.labelled)
    twice, once = kept.keep(*second), batch.keep(*(first & second))
    assert twice.inputs == once.inputs
    assert twice.present == once.present


@given(batches(), SUBSETS)
def test_seen_by_is_any_presence(batch, names):
    expected = [any(name in names and bool(here[row]) for name, here in batch.present.items()) for row in range(len(batch))]
    assert batch.seen_by(tuple(names)).tolist() == expected
    assert batch.keep(*names).seen_by(NAMES).tolist() == expected
    assert len(batch.seen_by(())) == len(batch)
    assert not batch.seen_by(()).any()


@given(batches())
def test_to_moves_every_tensor(batch):
    assert batch.to(torch.device("cpu")) is batch
    moved = batch.to(torch.device("meta"))
    fields = [x for views in moved.inputs.values() for fields in views.values() for x in fields.values()]
    assert {x.device.type for x in [*fields, *moved.present.values(), moved.target, moved.labelled]} == {"meta"}
    assert moved.id == batch.id
    assert {n: {k: list(f) for k, f in v.items()} for n, v in moved.inputs.items()} == {
        n: {k: list(f) for k, f in v.items()} for n, v in batch.inputs.items()
    }


def test_asking_for_what_a_model_does_not_say_names_it():
    valid, logits = torch.ones(2, dtype=torch.bool), torch.zeros(2, 3)
    output = Output(valid, logits=logits, features={"middle": torch.zeros(2)}, source="teacher")
    assert output.need("logits") is logits
    assert output.need("middle") is output.features["middle"]
    with pytest.raises(ValueError, match="teacher gives no 'embedding'; it gives logits, middle"):
        output.need("embedding")
    with pytest.raises(ValueError, match="model gives no 'logits'; it gives nothing"):
        Output(valid).need("logits")
