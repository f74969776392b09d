"""Store: named features and ragged token outputs come back as they were, through every codec, a kill and a resume."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toy import CLASSES, ToyLoader, toy_batch, toy_model
from understudy.batches.batch import Batch, Output, Tokens
from understudy.models.choices import folded_tokens, unfolded_tokens
from understudy.tasks import Choice
from understudy.teachers import writer as module
from understudy.teachers.at_rest import Ragged, decode, encode, starts_of
from understudy.teachers.store import Store
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import write_store

WIDTH = 3


class Talkative(Frozen):
    """A toy that also gives tokens of two views, one with spans, and features of two shapes; all made of the row's id."""

    def __call__(self, batch: Batch) -> Output:
        tokens = {"text-1": talk(batch.id, spans=True), "video-2": talk(batch.id, spans=False)}
        features = {
            "classes": torch.stack([row(key)[0] for key in batch.id]),
            "expected": torch.tensor([float(k) for k in batch.id]),
        }
        return replace(super().__call__(batch), tokens=tokens, features=features)


def row(key: str) -> torch.Tensor:
    return torch.randn(1 + int(key) % 4, WIDTH, generator=torch.Generator().manual_seed(int(key)))


def talk(ids, *, spans: bool) -> Tokens:
    """Padded with what must not be kept."""
    values, mask = torch.full((len(ids), 6, WIDTH), torch.nan), torch.zeros(len(ids), 6, dtype=torch.bool)
    for place, key in enumerate(ids):
        said = row(key)
        values[place, : len(said)], mask[place, : len(said)] = said, True
    return Tokens(values, mask, torch.arange(12).view(1, 6, 2).expand(len(ids), 6, 2).clone() if spans else None)


def numbered(rows: int) -> Batch:
    return replace(toy_batch(CLASSES, rows), id=tuple(map(str, range(rows))))


def in_eights(batch: Batch) -> ToyLoader:
    """The batch in pieces of eight rows."""

    def piece(start: int) -> Batch:
        rows = slice(start, start + 8)
        return Batch(
            {m: {v: {f: x[rows] for f, x in fields.items()} for v, fields in views.items()} for m, views in batch.inputs.items()},
            {m: here[rows] for m, here in batch.present.items()},
            batch.target[rows],
            batch.labelled[rows],
            batch.id[rows],
        )

    return ToyLoader([piece(start) for start in range(0, len(batch), 8)])


@pytest.fixture
def teacher():
    return Talkative(toy_model(CLASSES, "x", "y"))


@pytest.mark.parametrize(("codec", "off"), [("float32", 0.0), ("float16", 2e-3), ("int8", 0.02)])
def test_what_was_said_comes_back(tmp_path, teacher, codec, off):
    batch = numbered(30)
    expected = teacher(batch)
    write_store(tmp_path / "s", teacher, in_eights(batch), corpus="c", codec=codec, tokens=True)
    stored = Stored(Store(tmp_path / "s"))
    order = [3, 29, 0, 12]
    picked = replace(batch, id=(*(batch.id[i] for i in order), "unknown"))
    answer = stored(picked)
    assert answer.valid[:4].tolist() == expected.valid[order].tolist()
    assert set(answer.features) == {"classes", "expected"}
    assert answer.features["expected"].shape == (5,)
    for place, i in enumerate(order):
        if not expected.valid[i]:
            continue
        torch.testing.assert_close(answer.features["classes"][place], expected.features["classes"][i], rtol=0, atol=3 * off)
        for key in ("text-1", "video-2"):
            said, mask = answer.tokens[key], answer.tokens[key].mask[place]
            torch.testing.assert_close(said.values[place][mask], row(str(i)), rtol=0, atol=3 * off)
        assert answer.tokens["text-1"].spans[place][mask].tolist() == [[2 * t, 2 * t + 1] for t in range(int(mask.sum()))]
    assert answer.tokens["video-2"].spans is None
    assert not answer.tokens["text-1"].mask[4].any()
    assert Store(tmp_path / "s").header.error["tokens/text-1"]["max"] <= 3 * off


def test_a_killed_store_goes_on(tmp_path, teacher, monkeypatch):
    monkeypatch.setattr(module, "SHARD_ROWS", 8)
    batch = numbered(40)

    class Killed:
        def __len__(self):
            return 5

        def batches(self, epoch):
            yield from list(in_eights(batch).batches(epoch))[:3]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "a", teacher, Killed(), corpus="c", tokens=True)
    write_store(tmp_path / "a", teacher, in_eights(batch), corpus="c", tokens=True)
    write_store(tmp_path / "b", teacher, in_eights(batch), corpus="c", tokens=True)
    one, other = (Store(tmp_path / name).answers(batch.id) for name in "ab")
    assert torch.equal(one.tokens["text-1"].values, other.tokens["text-1"].values)
    assert torch.equal(one.tokens["text-1"].mask, other.tokens["text-1"].mask)
    with pytest.raises(ValueError, match="holds answers of widths"):
        write_store(tmp_path / "a", teacher, in_eights(numbered(50)), corpus="c")


def test_tokens_that_are_not_finite_are_refused_by_id(tmp_path, teacher):
    class Broken(Talkative):
        def __call__(self, batch):
            answer = super().__call__(batch)
            answer.tokens["video-2"].values[answer.valid.nonzero()[2, 0], 0] = torch.inf
            return answer

    batch = numbered(9)
    third = batch.id[int(teacher(batch).valid.nonzero()[2, 0])]
    with pytest.raises(ValueError, match=rf"tokens/video-2 are not finite for ids {third};"):
        write_store(tmp_path / "s", Broken(teacher.model), in_eights(batch), corpus="c", tokens=True)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_ragged_rows(lengths, data):
    steps = np.arange(sum(lengths) * 2, dtype=np.float32).reshape(-1, 2)
    column = Ragged(steps, starts_of(lengths))
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=6))
    listed = np.split(steps, column.starts[1:-1])
    picked = column.take(rows)
    assert picked.lengths.tolist() == [lengths[r] for r in rows]
    np.testing.assert_array_equal(picked.steps, np.concatenate([steps[:0], *(listed[r] for r in rows)]))
    both = Ragged.join([column, picked])
    np.testing.assert_array_equal(both.lengths, [*lengths, *picked.lengths])
    kept = decode(encode(column, "x", "int8"), "x")
    np.testing.assert_allclose(kept.steps, steps, atol=float(steps.max(initial=0)) / 200)


class Chooser(Talkative):
    """A toy of a task with two choices, whose tokens have a choice axis folded into them."""

    def __call__(self, batch: Batch) -> Output:
        texts = tuple(f"{2 * int(key) + choice}" for key in batch.id for choice in range(2))
        return replace(super().__call__(batch), tokens={"text-1": folded_tokens(talk(texts, spans=True), 2)})


@pytest.mark.parametrize("codec", ["float32", "int8"])
@pytest.mark.parametrize("shard_rows", [3, 1000])
def test_each_choice_keeps_its_own_tokens_through_shards_and_unknown_ids(tmp_path, monkeypatch, codec, shard_rows):
    monkeypatch.setattr(module, "SHARD_ROWS", shard_rows)
    teacher = Chooser(toy_model(CLASSES, "x", "y"))
    teacher.task = Choice(choices=2)
    store = write_store(tmp_path / "s", teacher, in_eights(numbered(20)), corpus="c", codec=codec, tokens=True)
    ids = ["13", "nobody", "2", "19", "0"]
    found = unfolded_tokens(store.answers(ids).tokens["text-1"], 2)
    assert found.spans is not None
    for place, key in enumerate(ids):
        for choice in range(2):
            at = 2 * place + choice
            said = torch.zeros(0, WIDTH) if key == "nobody" or not answered(store, key) else row(f"{2 * int(key) + choice}")
            assert found.mask[at].tolist() == [step < len(said) for step in range(found.mask.shape[1])]
            torch.testing.assert_close(found.values[at][found.mask[at]], said, rtol=0, atol=0.02 if codec == "int8" else 0)
            assert found.spans[at][found.mask[at]].tolist() == [[2 * step, 2 * step + 1] for step in range(len(said))]


def answered(store: Store, key: str) -> bool:
    return bool(store.answers([key]).valid[0])


def test_tokens_of_text_alone_and_none_when_not_asked_for(tmp_path, teacher):
    store = write_store(tmp_path / "s", teacher, in_eights(numbered(8)), corpus="c", tokens="text")
    assert set(store.answers(["1"]).tokens) == {"text-1"}
    assert store.answers(["1"], tokens=False).tokens == {}
    assert set(store.answers(["1"], tokens=False).features) == {"classes", "expected"}
