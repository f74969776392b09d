"""Cells that rows share: held once, read once, prepared once, and the very corpus of rows that each have their own."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

import understudy as us
from study.small import files
from understudy.batches.ahead import fields_of
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Schema, check, items, write_corpus
from understudy.corpus import write as module
from understudy.prepare import Image
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.reader import MediaReader
from understudy.tasks import Regression

ROWS, PICTURES = 60, 7
NUMBERS = np.random.default_rng(0).integers(0, PICTURES, ROWS)
ABSENT = np.arange(ROWS) % 11 == 3


def make(folder, *, shared: bool, kind: str = "image") -> Corpus:
    random = np.random.default_rng(1)
    held = {
        "image": [random.integers(0, 255, (8, 6, 3), dtype=np.uint8) for _ in range(PICTURES)],
        "sequence": [random.normal(size=(2 + number, 3)).astype(np.float32) for number in range(PICTURES)],
        "video": [bytes([number] * 9) for number in range(PICTURES)],
    }[kind]
    values = [None if absent else held[number] for number, absent in zip(NUMBERS, ABSENT, strict=True)]
    return write_corpus(
        folder,
        Schema(Regression(), {"it": Modality(kind, width=3 * (kind == "sequence"), shared=shared)}),  # pyright: ignore
        ids=[f"r{row}" for row in range(ROWS)],
        targets=np.arange(float(ROWS)),
        cells={"it": Cells(kind, values, ~ABSENT)},  # pyright: ignore[reportArgumentType]
    )


@pytest.mark.parametrize("kind", ["image", "sequence", "video"])
@pytest.mark.parametrize("size", ["one shard", "many"])
def test_the_rows_are_those_of_a_corpus_without_sharing(tmp_path, monkeypatch, kind, size):
    if size == "many":
        monkeypatch.setattr(module, "SHARD_BYTES", 600)
        monkeypatch.setattr(items, "AT_ONCE", 200)
    plain, shared = make(tmp_path / "plain", shared=False, kind=kind), make(tmp_path / "shared", shared=True, kind=kind)
    assert shared.fingerprint == plain.fingerprint
    held = shared.item_shards["it"]
    assert sum(shard["rows"] for shard in held) == PICTURES
    assert (len(held) > 1) == (size == "many" and kind != "video")
    rows = np.random.default_rng(2).permutation(ROWS)
    for of in (rows, rows[:5], rows[:0], np.array([3, 3, 14])):
        one, two = plain.cells("it", of), shared.cells("it", of)
        np.testing.assert_array_equal(one.present, two.present)
        assert all((a is None and b is None) or np.array_equal(a, b) for a, b in zip(one.values, two.values, strict=True))
    np.testing.assert_array_equal(shared.items("it") < 0, ABSENT)
    np.testing.assert_array_equal(plain.items("it"), np.where(ABSENT, -1, np.arange(ROWS)))
    if kind == "sequence":
        np.testing.assert_array_equal(shared.lengths("it"), plain.lengths("it"))
    assert not check(shared).errors


class Counted(Image):
    def prepare(self, cells):
        COUNTS.append(int(cells.present.sum()))
        return super().prepare(cells)


COUNTS: list[int] = []


def test_a_pass_prepares_each_once(tmp_path):
    plain, shared = make(tmp_path / "plain", shared=False), make(tmp_path / "shared", shared=True)
    view = Counted(size=(4, 4)).fit(plain.cells("it", np.arange(ROWS)))
    loaders = [
        Loader(each, np.arange(ROWS), {"it": {view.key: view}}, task=each.task, batch_size=7, seed=3) for each in (plain, shared)
    ]
    expected = list(loaders[0].batches(0))
    COUNTS.clear()
    for one, two in zip(expected, loaders[1].batches(0), strict=True):
        for name, values in one.inputs["it"][view.key].items():
            np.testing.assert_array_equal(values, two.inputs["it"][view.key][name])
    assert sum(COUNTS) == PICTURES
    COUNTS.clear()
    found = fields_of(view, shared, "it", np.arange(ROWS), None)
    assert COUNTS == [PICTURES]
    np.testing.assert_array_equal(found["values"], fields_of(view, plain, "it", np.arange(ROWS), None)["values"])


def test_rows_of_a_table_that_name_the_same_file_share_it(tmp_path, monkeypatch):
    from PIL import Image as Pillow

    for name in "ab":
        Pillow.new("RGB", (5, 4), (ord(name), 0, 0)).save(tmp_path / f"{name}.png")
    rows = {"see": ["a.png", "a.png", "b.png", None, "a.png"], "once": ["a.png", "b.png", None, None, None], "y": np.arange(5.0)}
    pq.write_table(pa.table(rows), tmp_path / "t.parquet")
    read = []
    monkeypatch.setattr(
        MediaReader,
        "image",
        lambda self, path, plain=MediaReader.image, **said: read.append(path.name) or plain(self, path, **said),
    )
    made = us.import_table(tmp_path / "t.parquet", tmp_path / "c", target="y", modalities={"see": "image", "once": "image"})
    assert made.modalities["see"].shared
    assert not made.modalities["once"].shared
    assert made.items("see").tolist() == [0, 0, 1, -1, 0]
    assert sorted(read) == sorted(["a.png", "b.png", "a.png", "a.png", "b.png"]), "what follows itself is read once"
    assert made.cells("see", [2]).values[0][0, 0, 0] == ord("b")


def test_what_was_changed_is_named(tmp_path):
    corpus = make(tmp_path / "corpus", shared=True)
    path = tmp_path / "corpus" / corpus.item_shards["it"][0]["file"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert check(Corpus(tmp_path / "corpus")).errors == [
        "items-it-0.arrow was changed after it was written: its SHA-256 does not fit corpus.json"
    ]
    path.write_bytes(content[:-9])
    with pytest.raises(ValueError, match=r"items-it-0.arrow (has|was cut)"):
        Corpus(tmp_path / "corpus").cells("it", [0])


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="rows share cells of kind sequence, image, regions, audio, video, not of text"):
        Schema(Regression(), {"it": Modality("text", shared=True)})


def test_the_same_rows_are_the_same_bytes(tmp_path):
    assert files(make(tmp_path / "one", shared=True).folder) == files(make(tmp_path / "two", shared=True).folder)
