"""Loader: who is in a batch, in which order, and what of a row is in it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.made import made_corpus, vector_corpus
from understudy.batches import cache as cache_file
from understudy.batches.loader import Loader
from understudy.batches.order import Steps, order_steps
from understudy.corpus import Corpus, Schema, write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.view import FieldArrays, View
from understudy.tasks import Regression


@dataclass(frozen=True)
class Plain(View):
    """Vectors as they are."""

    kind = "vector"

    def fit(self, cells: Cells) -> "Plain":
        return self

    def prepare(self, cells: Cells) -> FieldArrays:
        return {"values": np.nan_to_num(cells.values)}

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def restore(cls, state, assets) -> "Plain":
        return cls()


@dataclass(frozen=True)
class Letters(Plain):
    """Code points, padded to the longest of the rows that are prepared together."""

    kind = "text"

    def prepare(self, cells: Cells) -> FieldArrays:
        longest = max([1, *(len(value) for value in cells.values if value is not None)])
        ids, mask = np.zeros((len(cells), longest), np.int64), np.zeros((len(cells), longest), bool)
        for row, value in enumerate(cells.values):
            if value is not None:
                ids[row, : len(value)] = [ord(letter) for letter in value]
                mask[row, : len(value)] = True
        return {"ids": ids, "mask": mask}


X = {"x": {"plain": Plain()}}


def numbered(folder, rows: int) -> Corpus:
    """x of row n is n."""
    return vector_corpus(folder, np.arange(rows, dtype=np.float32)[:, None], targets=np.arange(rows) / 2, task=Regression())


@pytest.fixture(scope="module")
def hundred(tmp_path_factory):
    return numbered(tmp_path_factory.mktemp("l") / "c", 100)


def load(corpus, rows, *, batch_size=8, views: Any = X, **more: Any):
    return Loader(corpus, rows, views, task=corpus.task, batch_size=batch_size, **more)


def test_natural_order(hundred):
    rows = np.array([7, 3, 50, 9, 1])
    loader = load(hundred, rows, batch_size=2, shuffle=False)
    batches = list(loader.batches(0))
    assert len(loader) == len(batches) == 3
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert [name for batch in batches for name in batch.id] == [f"r{row}" for row in rows]
    values = torch.cat([batch.inputs["x"]["plain"]["values"] for batch in batches])
    assert values[:, 0].tolist() == rows.tolist()
    target = torch.cat([batch.target for batch in batches])
    assert target.dtype == torch.float32
    assert target.tolist() == (rows / 2).tolist()
    assert all(batch.labelled.all() and batch.present["x"].all() for batch in batches)
    assert loader.rows.tolist() == rows.tolist()
    with_labels = load(hundred, rows, batch_size=2, shuffle=False, labelled=[7, 1])
    assert len(with_labels) == 3
    assert len(load(hundred, rows, batch_size=1, shuffle=False, labelled=[7])) == 5
    assert [name for batch in with_labels.batches(0) for name in batch.id] == [f"r{row}" for row in rows]
    assert torch.cat([batch.labelled for batch in with_labels.batches(0)]).tolist() == [True, False, False, False, True]
    assert torch.cat([batch.target for batch in with_labels.batches(0)]).tolist() == [3.5, 0, 0, 0, 0.5]


@settings(max_examples=100)
@given(
    rows=st.integers(1, 200),
    labelled=st.integers(0, 200),
    batch_size=st.integers(2, 70),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 5),
    alike=st.booleans(),
)
def test_an_epoch(rows, labelled, batch_size, seed, epoch, alike):
    known = np.arange(rows) < min(labelled, rows)
    np.random.default_rng(0).shuffle(known)
    steps = Steps(known, batch_size)
    sizes = np.arange(rows) % 17 if alike else None
    order = order_steps(steps, seed=seed, epoch=epoch, sizes=sizes)
    assert len(order) == steps.count
    assert all(len(each) == len(set(each.tolist())) for each in order)
    assert max(map(len, order)) <= batch_size
    assert max(map(len, order)) - min(map(len, order)) <= 1
    times = Counter(row for each in order for row in each.tolist())
    if not steps.mixed:
        assert times == dict.fromkeys(range(rows), 1)
        return
    assert {row: times[row] for row in np.flatnonzero(~known).tolist()} == dict.fromkeys(np.flatnonzero(~known).tolist(), 1)
    assert all(known[each].sum() == steps.labelled for each in order)
    drawn = [times[row] for row in np.flatnonzero(known).tolist()]
    assert max(drawn) - min(drawn) <= 2
    only = order_steps(Steps(known, batch_size, labelled_only=True), seed=seed, epoch=epoch, sizes=sizes)
    assert [each[known[each]].tolist() for each in order] == [each.tolist() for each in only]


@settings(max_examples=25)
@given(seed=st.integers(0, 9), epoch=st.integers(0, 9), start=st.integers(0, 13))
def test_order_is_of_seed_and_epoch_alone(hundred, seed, epoch, start):
    def ids(loader, start=0):
        return [batch.id for batch in loader.batches(epoch, start)]

    used = load(hundred, np.arange(100), seed=seed)
    list(used.batches(3))
    expected = ids(load(hundred, np.arange(100), seed=seed))
    assert ids(used) == expected
    assert ids(used, start) == expected[start:]
    assert ids(load(hundred, np.arange(100), seed=seed + 1)) != expected
    assert [batch.id for batch in used.batches(epoch + 1)] != expected


def test_the_plain_control_sees_the_same_labelled_rows(hundred):
    few = np.arange(0, 50, 5)
    both = load(hundred, np.arange(100), batch_size=16, labelled=few)
    plain = load(hundred, np.arange(100), batch_size=16, labelled=few, labelled_only=True)
    assert len(both) == len(plain) == 12
    for one, other in zip(both.batches(2), plain.batches(2), strict=True):
        assert other.labelled.all()
        assert [name for name, known in zip(one.id, one.labelled, strict=True) if known] == list(other.id)
        assert torch.equal(one.target[one.labelled], other.target)
        assert len(other) == 8
    everything = load(hundred, np.arange(100), labelled=np.arange(100), labelled_only=True)
    assert sorted(name for batch in everything.batches(0) for name in batch.id) == sorted(hundred.ids)


def test_many_labels_keep_their_share():
    steps = Steps(np.arange(1200) < 1150, 64)
    assert (steps.labelled, steps.count) == (61, 17)


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_processes_share_each_batch(hundred, processes):
    alone = list(load(hundred, np.arange(99), labelled=np.arange(30)).batches(1))
    shares = [
        list(load(hundred, np.arange(99), labelled=np.arange(30), process=p, processes=processes).batches(1))
        for p in range(processes)
    ]
    for step, batch in enumerate(alone):
        parts = [share[step] for share in shares]
        assert len({len(part) for part in parts}) == 1
        counted = [name for part in parts for name, here in zip(part.id, part.present["x"].tolist(), strict=True) if here]
        assert sorted(counted) == sorted(batch.id)
        assert sum(int(part.labelled.sum()) for part in parts) == batch.labelled.sum()
        assert all((part.present["x"] | ~part.labelled).all() for part in parts)


def test_a_batch_smaller_than_the_processes(hundred):
    shares = [list(load(hundred, [5, 6], batch_size=1, process=p, processes=2).batches(0)) for p in range(2)]
    assert [batch.present["x"].tolist() for batch in shares[0]] == [[True], [True]]
    assert [batch.present["x"].tolist() for batch in shares[1]] == [[False], [False]]
    assert shares[1][0].id == shares[0][0].id


@pytest.mark.parametrize("cache", [0, 2**30])
def test_ragged_rows_with_and_without_cache(tmp_path, monkeypatch, cache):
    monkeypatch.setattr(cache_file, "CACHE_BYTES", cache)
    monkeypatch.setattr(cache_file, "BLOCK", 7)
    corpus = made_corpus(tmp_path / "c", rows=40)
    loader = load(corpus, np.arange(40), views={"words": {"letters": Letters()}, "numbers": {"plain": Plain()}}, shuffle=False)
    words = corpus.cells("words", np.arange(40))
    row = 0
    for batch in loader.batches(0):
        fields = batch.inputs["words"]["letters"]
        assert fields["mask"].shape[1] == max(1, int(fields["mask"].sum(dim=1).max()))
        for ids, mask, here in zip(fields["ids"], fields["mask"], batch.present["words"], strict=True):
            assert bool(here) == bool(words.present[row])
            assert "".join(map(chr, ids[mask].tolist())) == (words.values[row] or "")
            assert not ids[~mask].any()
            row += 1
        assert not batch.inputs["numbers"]["plain"]["values"][~batch.present["numbers"]].any()
        assert not batch.target[~batch.labelled].any()
        assert batch.target.dtype == torch.int64
    assert row == 40
    held = loader._cache["words", "letters"]
    assert held is not None
    assert (held.kept is None) == (cache == 0)


@dataclass(frozen=True)
class Counted(Letters):
    """Notes how many rows it prepares."""

    seen: list[int] = field(default_factory=list)

    def prepare(self, cells: Cells) -> FieldArrays:
        self.seen.append(len(cells))
        return super().prepare(cells)


@pytest.mark.parametrize("rows", [200, 400])
def test_the_first_batch_costs_the_same_whatever_the_rows_and_every_row_is_prepared_once(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(cache_file, "BLOCK", 16)
    corpus, view = made_corpus(tmp_path / "c", rows=rows, targets=[1] * rows), Counted()
    loader = load(corpus, np.arange(rows), views={"words": {"letters": view}}, batch_size=8)
    batches = loader.batches(0)
    next(batches)
    # A block that says whether all would fit, and one for this batch and the next ones.
    assert sum(view.seen) <= 2 * 16 + 8
    assert sum(1 for _ in batches) == len(loader) - 1
    assert sum(view.seen) == rows
    assert len(view.seen) < rows / 8
    again = list(loader.batches(1))
    assert sum(view.seen) == rows, "another epoch prepares nothing"
    assert sum(len(batch.id) for batch in again) == rows


def test_rows_that_turn_out_too_long_to_be_kept_are_prepared_as_they_come(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_file, "BLOCK", 4)
    monkeypatch.setattr(cache_file, "CACHE_BYTES", 40 * 9 * 15)
    words = ["short"] * 40
    words[21] = "a text that is much longer than the others"
    cells = {"words": Cells("text", words, np.ones(40, bool))}
    corpus = write_corpus(
        tmp_path / "c",
        Schema(Regression(), {"words": Modality("text")}),
        ids=[*map(str, range(40))],
        targets=[0.0] * 40,
        cells=cells,
    )
    loader = load(corpus, np.arange(40), views={"words": {"letters": Letters()}}, shuffle=False, batch_size=8)
    for _ in range(2):
        found = [batch.inputs["words"]["letters"] for batch in loader.batches(0)]
        read = [
            "".join(map(chr, ids[mask].tolist())) for each in found for ids, mask in zip(each["ids"], each["mask"], strict=True)
        ]
        assert read == words
    held = loader._cache["words", "letters"]
    assert held is not None
    assert held.kept is None


def test_similar_length(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=120, targets=[1] * 120)
    views = {"words": {"letters": Letters()}}

    def padded(**more):
        loader = load(corpus, np.arange(120), views=views, **more)
        batches = list(loader.batches(0))
        assert sorted(name for batch in batches for name in batch.id) == sorted(corpus.ids)
        return sum(batch.inputs["words"]["letters"]["mask"].numel() for batch in batches)

    assert padded(similar_length="words") < 0.8 * padded()
    with pytest.raises(ValueError, match="have no length"):
        load(corpus, np.arange(120), views=views, similar_length="picture")


def test_refused(hundred):
    asked: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("at least one row", [], {}),
        ("different positions", [1, 1], {}),
        ("different positions", [100], {}),
        ("batch_size 0", [1], {"batch_size": 0}),
        ("process 2", [1], {"process": 2, "processes": 2}),
        ("labelled names rows", [1, 2], {"labelled": [3]}),
        ("batch_size 1 cannot hold", [1, 2], {"labelled": [1], "batch_size": 1}),
        ("no effect with shuffle=False", [1, 2], {"labelled_only": True, "shuffle": False}),
        ("no effect with shuffle=False", [1, 2], {"similar_length": "x", "shuffle": False}),
        ("no row is labelled", [1, 2], {"labelled": [], "labelled_only": True}),
        ("'x' is vector, but its view Letters reads text", [1], {"views": {"x": {"l": Letters()}}}),
    )
    for said, rows, more in asked:
        with pytest.raises(ValueError, match=said):
            load(hundred, rows, **more)
    with pytest.raises(KeyError, match="no modality 'y'; it has x"):
        load(hundred, [1], views={"y": X["x"]})
