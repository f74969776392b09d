"""Writing and reading back: round trips, refusals, and nothing left after a failure."""

import errno
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.made import MODALITIES, made_cells, made_corpus, same, vector_corpus
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Schema, corpus_at, write, write_corpus
from understudy.corpus.importers.table import import_table
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.vector import Vector
from understudy.tasks import Classification, Regression


@settings(max_examples=12)
@given(rows=st.integers(1, 30), seed=st.integers(0, 10**6), shard=st.sampled_from([1, 700, 2**30]), data=st.data())
def test_round_trip(rows, seed, shard, data):
    cells = made_cells(rows, seed=seed)
    order = data.draw(st.lists(st.integers(0, rows - 1), max_size=40))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "SHARD_BYTES", shard)
        corpus = made_corpus(Path(folder) / "c", rows=rows, seed=seed, cells=cells)
        for name in MODALITIES:
            same(corpus.cells(name, np.arange(rows)), cells[name])
            same(corpus.cells(name, order), cells[name].take(np.array(order, int)))
            np.testing.assert_array_equal(corpus.present(name), cells[name].present)
        assert shard > 1 or len(corpus.shards) == rows


def test_read_back(tmp_path):
    corpus = made_corpus(tmp_path / "deep" / "c", rows=20, groups=4)
    assert len(corpus) == 20
    assert corpus.ids.tolist() == [f"r{row}" for row in range(20)]
    assert corpus.groups is not None
    assert corpus.groups.tolist() == [f"g{row // 5}" for row in range(20)]
    assert corpus.has_target.tolist() == [row % 7 != 6 for row in range(20)]
    assert corpus.target.dtype == np.int64
    assert corpus.target.tolist() == [0 if row % 7 == 6 else row % 3 for row in range(20)]
    assert corpus.schema.modalities["words"].source == ("review",)
    numbers = made_corpus(tmp_path / "n", classes=None)
    assert numbers.target.dtype == np.float64
    assert numbers.groups is None
    with pytest.raises(KeyError, match="no modality 'smell'; it has numbers"):
        corpus.present("smell")


def test_weights_are_kept_and_are_part_of_what_the_corpus_is(tmp_path):
    table = {"x": [0.5, 1.0, 2.0, 4.0], "y": ["a", "b", "a", "b"], "w": [1.0, 0.0, 2.5, 1.0]}
    asked = {"target": "y", "modalities": {"x": "vector:x"}}
    plain = import_table(table, tmp_path / "plain", **asked)
    weighed = import_table(table, tmp_path / "weighed", weight="w", **asked)
    assert plain.weights is None
    assert weighed.weights.tolist() == table["w"]
    other = import_table(table | {"w": [1.0, 0.0, 2.0, 1.0]}, tmp_path / "other", weight="w", **asked)
    assert len({plain.fingerprint, weighed.fingerprint, other.fingerprint}) == 3
    view = Vector().fit(weighed.cells("x", [0, 1, 2, 3]))
    batch = next(Loader(weighed, [2, 1], {"x": {"v": view}}, task=weighed.task, batch_size=2, shuffle=False).batches(0))
    assert batch.weight.tolist() == [2.5, 0.0]
    for bad, said in ((-1.0, "weight -1.0 of row 'row-2': expected a finite number, at least 0"), (None, "weight nan of row")):
        with pytest.raises(ValueError, match=said):
            import_table(table | {"w": [1.0, bad, 2.0, 1.0]}, tmp_path / "bad", weight="w", **asked)
    with pytest.raises(ValueError, match="column 'w' is the weight; a model must not see it"):
        import_table(table, tmp_path / "bad", target="y", weight="w", modalities={"x": "vector:x,w"})


def test_fingerprint_is_over_the_rows(tmp_path, monkeypatch):
    one = made_corpus(tmp_path / "a").fingerprint
    monkeypatch.setattr(write, "SHARD_BYTES", 1)
    assert made_corpus(tmp_path / "b").fingerprint == one
    cells = made_cells(24)
    cells["sound"].values[0][0] += 0.5
    assert made_corpus(tmp_path / "c", cells=cells).fingerprint != one
    assert made_corpus(tmp_path / "d", ids=[f"q{row}" for row in range(24)]).fingerprint != one
    assert made_corpus(tmp_path / "e", targets=[0] * 24).fingerprint != one


def test_the_order_of_numbers_in_memory_does_not_count(tmp_path):
    values, here = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones(4, bool)
    schema = Schema(Regression(), {"a": Modality("vector", width=3)})
    made = [
        write_corpus(tmp_path / name, schema, ids=list("abcd"), targets=[0.0] * 4, cells={"a": Cells("vector", each, here)})
        for name, each in (("rows", values), ("columns", np.asfortranarray(values)))
    ]
    assert made[0].fingerprint == made[1].fingerprint


def test_filler_does_not_count(tmp_path):
    cells = made_cells(24)
    plain = made_corpus(tmp_path / "a", cells=cells)
    away = ~cells["numbers"].present
    assert away.any()
    cells["numbers"].values[away] = np.inf
    filled = made_corpus(tmp_path / "b", cells=cells)
    assert filled.fingerprint == plain.fingerprint
    assert (filled.cells("numbers", np.arange(24)).values[away] == 0).all()


def test_equal_rows_have_equal_content(tmp_path):
    corpus = vector_corpus(tmp_path / "c", [[0.0, 1], [-0.0, 1], [0, 2], [np.nan, 2], [np.nan, 2]])
    content = corpus.content
    assert content[0] == content[1]
    assert content[3] == content[4]
    assert len(set(content)) == 3


REFUSED = {
    "ids must be unique": {"ids": ["a"] * 24},
    "ids are strings": {"ids": [*range(24)]},
    "not empty": {"ids": ["", *map(str, range(23))]},
    "24 ids but 3 targets": {"targets": [0, 1, 2]},
    "row 'r5': class index 3": {"targets": [0] * 5 + [3] + [0] * 18},
    "whole number": {"targets": [0.5] * 24},
    "expected a number": {"targets": ["a"] * 24},
    "numbers, facts, steps": {"cells": {}},
}


@pytest.mark.parametrize("said", REFUSED)
def test_refused_rows(tmp_path, said):
    with pytest.raises(ValueError, match=said):
        made_corpus(tmp_path / "c", **REFUSED[said])
    assert not list(tmp_path.iterdir())


def test_groups_and_schema_agree(tmp_path):
    for grouped, groups, said in (
        (True, None, "not given"),
        (False, ["g"], "were given"),
        (True, ["g", "h"], "2 groups"),
        (True, [3], "strings"),
    ):
        with pytest.raises(ValueError, match=said):
            write_corpus(
                tmp_path / "c",
                Schema(Regression(), MODALITIES, grouped=grouped),
                ids=["a"],
                targets=[0],
                groups=groups,
                cells=made_cells(1),
            )


def test_refused_regression_target(tmp_path):
    with pytest.raises(ValueError, match="row 'r1': target"):
        vector_corpus(tmp_path / "c", [[0.0], [1.0]], targets=[0.0, 4.0], task=Regression(low=-3.0, high=3.0))
    with pytest.raises(ValueError, match="row 'r1': target"):
        vector_corpus(tmp_path / "c", [[0.0], [1.0]], targets=[0.0, float("inf")], task=Regression())


def _cells(kind, values, here=None):
    return Cells(kind, values, np.ones(len(values), bool) if here is None else np.array(here))


TWO = np.ones((2, 2), np.float32)
BAD_CELLS = {
    "row 'b': a feature is infinite": (
        Modality("vector", width=2),
        _cells("vector", np.array([[0, 0], [0, np.inf]], np.float32)),
    ),
    "NaN in every row": (Modality("vector", width=2), _cells("vector", np.full((2, 2), np.nan, np.float32))),
    r"shape \(2, 2\), expected \(2, 3\)": (Modality("vector", width=3), _cells("vector", TWO)),
    "the schema says text, the cells are vector": (Modality("text"), _cells("vector", TWO)),
    "absent in every row": (Modality("text"), _cells("text", [None, None], [False, False])),
    "1 cells for 2 rows": (Modality("text"), _cells("text", ["a"])),
    "expected a string, int given": (Modality("text"), _cells("text", ["a", 3])),
    "columns a, expected b": (Modality("table", columns={"b": "number"}), Cells("table", {"a": np.ones(2)}, np.ones(2, bool))),
    "a number is infinite": (
        Modality("table", columns={"a": "number"}),
        Cells("table", {"a": np.array([0, np.inf])}, np.ones(2, bool)),
    ),
    "a category is not a string": (
        Modality("table", columns={"a": "category"}),
        Cells("table", {"a": np.array(["x", 3], object)}, np.ones(2, bool)),
    ),
    "nothing but missing": (
        Modality("table", columns={"a": "number"}),
        Cells("table", {"a": np.full(2, np.nan)}, np.ones(2, bool)),
    ),
    "expected an array with 2 axes": (Modality("sequence", width=2), _cells("sequence", [TWO, TWO[0]])),
    "steps of width 2, expected 3": (Modality("sequence", width=3), _cells("sequence", [TWO, TWO])),
    "an empty sequence": (Modality("sequence", width=2), _cells("sequence", [TWO, TWO[:0]])),
    "row 'b': audio holds a number that is not finite": (
        Modality("audio", rate=8000),
        _cells("audio", [TWO[0], np.array([np.nan], np.float32)]),
    ),
    "expected uint8": (Modality("image"), _cells("image", [np.zeros((2, 2, 2), np.uint8)] * 2)),
}


@pytest.mark.parametrize("said", BAD_CELLS)
def test_refused_cells(tmp_path, said):
    modality, cells = BAD_CELLS[said]
    with pytest.raises(ValueError, match=said) as error:
        write_corpus(
            tmp_path / "c", Schema(Regression(), {"look": modality}), ids=["a", "b"], targets=[0, 1], cells={"look": cells}
        )
    assert "look" in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("said", "task", "modalities"),
    [
        ("at least one modality", Regression(), {}),
        ("only ASCII letters", Regression(), {"a.b": Modality("text")}),
        ("width of at least 1", Regression(), {"a": Modality("vector")}),
        ("at least one column", Regression(), {"a": Modality("table")}),
        ("needs a rate", Regression(), {"a": Modality("audio")}),
        ("at least 2 classes", Classification(classes=("one",)), {"a": Modality("text")}),
    ],
)
def test_refused_schema(said, task, modalities):
    with pytest.raises(ValueError, match=said):
        Schema(task, modalities)


def test_an_existing_folder_is_refused(tmp_path):
    made_corpus(tmp_path / "c")
    before = (tmp_path / "c" / "corpus.json").read_bytes()
    with pytest.raises(ValueError, match="exists already"):
        made_corpus(tmp_path / "c", seed=1)
    assert (tmp_path / "c" / "corpus.json").read_bytes() == before


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(path, batch):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(write, "write_shard", full)
    with pytest.raises(OSError, match="No space left"):
        made_corpus(tmp_path / "c")
    assert not list(tmp_path.iterdir())


def _change(folder, **changes):
    path = folder / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_damage_is_one_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no corpus"):
        Corpus(tmp_path)
    folder = tmp_path / "c"
    made_corpus(folder)
    document = json.loads((folder / "corpus.json").read_text())
    shard = folder / "rows-0.arrow"
    content = shard.read_bytes()

    shard.write_bytes(content[:-100])
    with pytest.raises(ValueError, match="truncated"):
        Corpus(folder)
    shard.write_bytes(b"x" * len(content))
    with pytest.raises(ValueError, match="is damaged"):
        Corpus(folder)
    shard.unlink()
    with pytest.raises(ValueError, match="is missing"):
        Corpus(folder)
    shard.write_bytes(content)

    lying = json.loads(json.dumps(document["schema"]))
    lying["modalities"]["numbers"]["width"] = 4
    _change(folder, schema=lying)
    with pytest.raises(ValueError, match=r"column in\.numbers differs"):
        Corpus(folder)
    del lying["modalities"]["numbers"]
    _change(folder, schema=lying)
    with pytest.raises(ValueError, match=r"column in\.numbers differs"):
        Corpus(folder)
    _change(folder, schema={"modalities": 3})
    with pytest.raises(ValueError, match=r"corpus\.json is damaged: schema lacks 'task'"):
        Corpus(folder)
    _change(folder, schema=document["schema"], rows=3)
    with pytest.raises(ValueError, match="says 3 rows"):
        Corpus(folder)
    _change(folder, rows=24, shards=[document["shards"][0] | {"rows": 23}])
    with pytest.raises(ValueError, match="has 24 rows"):
        Corpus(folder)
    _change(folder, version=2)
    with pytest.raises(ValueError, match="version 2"):
        Corpus(folder)
    (folder / "corpus.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        Corpus(folder)


def test_a_lying_offset_raises(tmp_path):
    folder = tmp_path / "c"
    corpus = made_corpus(folder)
    shard = folder / "rows-0.arrow"
    offsets = corpus.batches[0].column("in.words").buffers()[1]
    content = bytearray(shard.read_bytes())
    at = bytes(content).index(offsets.to_pybytes()[: 8 * 25])
    content[at + 8 : at + 16] = (2**40).to_bytes(8, "little")
    shard.write_bytes(bytes(content))
    with pytest.raises(ValueError):
        Corpus(folder).cells("words", [0, 1])


def test_a_corpus_is_made_once(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        return vector_corpus(folder, [[0], [1]])

    first = corpus_at(tmp_path / "c", make)
    assert corpus_at(str(tmp_path / "c"), make).fingerprint == first.fingerprint
    assert made == [tmp_path / "c"]


@pytest.mark.parametrize(
    "read", [lambda c: c.ids, lambda c: c.target, lambda c: c.present("words"), lambda c: c.cells("words", [0])]
)
def test_a_shard_that_is_cut_in_use_is_one_sentence(tmp_path, read):
    """Reading on would end the process."""
    corpus = made_corpus(tmp_path / "c")
    os.truncate(tmp_path / "c" / "rows-0.arrow", 64)
    with pytest.raises(ValueError, match=r"rows-0.arrow was cut from \d+ to 64 bytes while it was in use"):
        read(corpus)
