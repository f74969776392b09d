"""The store: codecs with their true error, resuming after a kill, and refusing what is stale, foreign or broken."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toy import CLASSES, ToyLoader, toy_batch, toy_loader, toy_model
from understudy.batches.batch import Batch, Output
from understudy.process.alone import alone
from understudy.teachers import writer as module
from understudy.teachers.at_rest import decode, encode
from understudy.teachers.store import Store
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import fingerprint_of, write_store


class Counting(Frozen):
    """Notes the ids that it is asked about; what it says may be spoilt."""

    def __init__(self, seed: int = 0, spoil: dict[str, float] | None = None) -> None:
        super().__init__(toy_model(CLASSES, "x", "y", seed=seed))
        self.asked: list[str] = []
        self.spoil = spoil or {}

    def __call__(self, batch: Batch) -> Output:
        self.asked += batch.id
        answer = super().__call__(batch)
        valid, logits = answer.valid.clone(), answer.logits.clone()
        for row, key in enumerate(batch.id):
            if key in self.spoil:
                valid[row], logits[row, 1] = True, self.spoil[key]
        return replace(answer, valid=valid, logits=logits)


class Killed(ToyLoader):
    """Dies after two batches."""

    def batches(self, epoch, start=0):
        yield from self.of[:2]
        raise KeyboardInterrupt


def write(folder: Path, teacher: Frozen | None = None, **options) -> Store:
    return write_store(folder, teacher or Counting(), options.pop("loader", toy_loader(CLASSES)), **({"corpus": "abc"} | options))


def live(seed: int = 0) -> tuple[list[str], Output]:
    """Every id of the toy loader and the live answers."""
    outputs = [(batch.id, Frozen(toy_model(CLASSES, "x", "y", seed=seed))(batch)) for batch in toy_loader(CLASSES).batches(0)]
    joined = {name: torch.cat([getattr(o, name) for _, o in outputs]) for name in ("valid", "logits", "embedding")}
    return [key for ids, _ in outputs for key in ids], Output(**joined)


@pytest.mark.parametrize("codec", ["float32", "float16", "int8"])
def test_answers_come_back_in_the_order_asked_with_the_error_on_record(tmp_path, codec):
    store, (ids, expected) = write(tmp_path / "s", codec=codec), live()
    order = np.random.default_rng(0).permutation(len(ids))
    answer = store.answers([ids[row] for row in order])
    assert torch.equal(answer.valid, expected.valid[order])
    for name in ("logits", "embedding"):
        truth = getattr(expected, name).where(expected.valid[:, None], 0.0)[order]
        error = (getattr(answer, name) - truth).abs()[answer.valid]
        recorded = store.header.error[name]
        assert recorded["max"] == pytest.approx(error.max().item(), rel=1e-6)
        assert recorded["mean"] == pytest.approx(error.mean().item(), rel=1e-5)
        assert (recorded["max"] == 0) == (codec == "float32")
        assert recorded["max"] < {"float32": 1e-9, "float16": 2e-3, "int8": 2e-2}[codec]


@settings(max_examples=60)
@given(arrays(np.float32, (3, 4), elements=st.floats(-(2.0**60), 2.0**60, width=32)))
def test_int8_is_off_by_at_most_half_a_step_of_its_row(values):
    step = np.abs(values).max(axis=1) / 127
    error = np.abs(decode(encode(values, "x", "int8"), "x").astype(np.float64) - values)
    assert (error <= step[:, None] * 0.501 + 1e-37).all()


def test_one_number_a_row_is_exact_in_int8():
    values = np.random.default_rng(0).normal(size=(100, 1)).astype(np.float32)
    np.testing.assert_allclose(decode(encode(values, "x", "int8"), "x"), values, rtol=1e-6)


def test_an_unknown_id_and_a_row_the_teacher_cannot_answer_are_not_valid(tmp_path):
    store, (ids, expected) = write(tmp_path / "s"), live()
    unanswered = ids[int(torch.nonzero(~expected.valid)[0])]
    answer = store.answers(["nobody", unanswered, ids[0]])
    assert answer.valid.tolist() == [False, False, bool(expected.valid[0])]
    assert (answer.logits[:2] == 0).all()
    assert store.missing(["nobody", unanswered]) == ["nobody"]
    assert len(store.answers([]).valid) == 0


@pytest.mark.parametrize("shard_rows", [1, 8, 10_000])
def test_a_killed_run_goes_on_and_asks_only_for_what_is_missing(tmp_path, monkeypatch, shard_rows):
    monkeypatch.setattr(module, "SHARD_ROWS", shard_rows)
    loader, (ids, expected) = toy_loader(CLASSES), live()
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "s", loader=Killed(loader.of))
    teacher = Counting()
    store = write(tmp_path / "s", teacher)
    assert teacher.asked == ids[16:], "what was asked before Ctrl-C is kept"
    assert len(store) == len(ids) == 32
    assert torch.equal(store.answers(ids).logits, expected.logits.where(expected.valid[:, None], 0.0))
    again = Counting()
    write(tmp_path / "s", again)
    assert again.asked == []


def test_a_shard_that_no_header_counts_is_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD_ROWS", 8)
    loader = toy_loader(CLASSES)
    write(tmp_path / "s", loader=ToyLoader(loader.of[:1]))
    (tmp_path / "s" / "00001.arrow").write_bytes(b"half of a sh")
    (tmp_path / "s" / "00002.arrow.partial").write_bytes(b"ha")
    assert len(write(tmp_path / "s", loader=loader)) == 32


def test_rows_may_be_added_later_and_named_twice(tmp_path):
    loader = toy_loader(CLASSES)
    write(tmp_path / "s", loader=ToyLoader(loader.of[:1]))
    twice = toy_batch(CLASSES, 8, seed=7)
    twice = replace(twice, id=("r0", "new", "new", "r1", "r2", "other", "r3", "r4"))
    store = write(tmp_path / "s", loader=ToyLoader([twice]))
    assert len(store) == 10
    assert torch.equal(store.answers(["r0"]).logits, live()[1].logits[:1].where(live()[1].valid[:1, None], 0.0))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_answers_that_are_not_finite_are_refused_by_id(tmp_path, value):
    with pytest.raises(ValueError, match=r"the teacher's logits are not finite for ids r3, r9; nothing"):
        write(tmp_path / "s", Counting(spoil={"r3": value, "r9": value}), loader=ToyLoader([toy_batch(CLASSES, 16)]))
    assert len(Store(tmp_path / "s")) == 0


def test_answers_too_large_for_float16_are_refused_by_id(tmp_path):
    with pytest.raises(ValueError, match=r"as float16 \(use float32\) for ids r9;"):
        write(tmp_path / "s", Counting(spoil={"r9": 1e6}), codec="float16")
    assert write(tmp_path / "t", Counting(spoil={"r9": 1e6})).answers(["r9"]).logits[0, 1] == 1e6


def test_a_store_of_another_teacher_or_corpus_is_refused(tmp_path):
    folder = tmp_path / "s"
    write(folder)
    wanted = fingerprint_of(Counting(seed=1), "abd")
    with pytest.raises(
        ValueError, match=r"stale or foreign: teacher is '\w{16}', expected '\w{16}'; corpus is 'abc', expected 'abd'; make"
    ):
        Store(folder, expect=wanted)
    with pytest.raises(ValueError, match="corpus is 'abc', expected 'abd'"):
        Store(folder, expect={"corpus": "abd"})
    with pytest.raises(ValueError, match="teacher is"):
        write(folder, Counting(seed=1))
    with pytest.raises(ValueError, match="kept in float32, not int8"):
        write(folder, codec="int8")
    with pytest.raises(ValueError, match="asked for weather"):
        Store(folder, expect={"weather": "fine"})
    assert len(Store(folder, expect=fingerprint_of(Counting(), "abc"))) == 32


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no store at"):
        Store(tmp_path / "nowhere")
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        write(tmp_path)
    with pytest.raises((ValueError, TypeError)):  # a TypeError only under the typing hook
        module.write_store(tmp_path / "s", Counting(), toy_loader(CLASSES), corpus="abc", codec="zip")
    (tmp_path / "t").mkdir()
    for content, message in (
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"format": "understudy store 1"}', "is damaged: it lacks"),
    ):
        (tmp_path / "t" / "store.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            Store(tmp_path / "t")


def change(path: Path, **parts) -> None:
    """store.json with other parts."""
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


def test_a_broken_shard_is_refused_by_name(tmp_path):
    folder = tmp_path / "s"
    write(folder)
    shard, header = folder / "00000.arrow", folder / "store.json"
    whole = shard.read_bytes()
    for place in (len(whole) // 2, len(whole) - 400):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        shard.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"00000.arrow cannot be read .its SHA-256 is not the one in store.json."):
            Store(folder)
    for content in (whole[: len(whole) // 2], b""):
        shard.write_bytes(content)
        with pytest.raises(ValueError, match=r"00000.arrow cannot be read"):
            Store(folder)
    shard.unlink()
    with pytest.raises(ValueError, match=r"00000.arrow cannot be read"):
        Store(folder)
    shard.write_bytes(whole)
    shards = json.loads(header.read_text())["shards"]
    change(header, shards=[shards[0] | {"rows": 31}])
    with pytest.raises(ValueError, match=r"has 32 rows where store.json says 31"):
        Store(folder)
    change(header, shards=shards, widths={"logits": 3, "embedding": 9})
    with pytest.raises(ValueError, match=r"does not hold what store.json says: embedding"):
        Store(folder)


def test_a_store_of_before_there_were_sums_opens_and_its_shards_are_validated_in_full(tmp_path):
    folder = tmp_path / "s"
    expected = write(folder).answers(["r0", "r9"]).logits
    path, shard = folder / "store.json", folder / "00000.arrow"
    change(path, shards=[{"file": "00000.arrow", "rows": 32, "valid": 30}])
    assert torch.equal(Store(folder).answers(["r0", "r9"]).logits, expected)
    with pa.ipc.open_file(str(shard)) as file:
        table = file.read_all()
    ids = table["id"].combine_chunks()
    offsets = np.frombuffer(ids.buffers()[1], np.int32).copy()
    offsets[5] = 2**30
    lying = pa.StringArray.from_buffers(32, pa.py_buffer(offsets.tobytes()), ids.buffers()[2])
    table = table.set_column(0, "id", lying)
    with pa.ipc.new_file(str(shard), table.schema) as file:
        file.write_table(table)
    with pytest.raises(ValueError, match=r"00000.arrow cannot be read .*[Oo]ffset"):
        Store(folder)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("fingerprint", {"teacher": 3}),
        ("task", []),
        ("modalities", "xy"),
        ("codec", "zip"),
        ("widths", {"logits": -1}),
        ("ragged", None),
        ("shapes", {"a": "b"}),
        ("error", {"logits": {"max": "0"}}),
        ("shards", [{"file": "../00000.arrow", "rows": 32, "valid": 32}]),
        ("shards", [{"file": "00000.arrow", "rows": True, "valid": 32}]),
        ("shards", {"0": 1}),
        ("verses", 1),
    ],
)
def test_a_store_json_of_wrong_types_is_one_sentence(tmp_path, part, value):
    write(tmp_path / "s")
    change(tmp_path / "s" / "store.json", **{part: value})
    with pytest.raises(ValueError, match=rf"store.json is damaged: {part}.*; make the store again"):
        Store(tmp_path / "s")


def test_a_store_that_was_killed_before_its_first_shard_goes_on(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / ".store.partial-0a1b2c3d.json").write_text("{")
    assert len(write(folder)) == 32
    assert sorted(path.name for path in folder.iterdir()) == ["00000.arrow", "store.json"]
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", loader=ToyLoader([]))
    assert len(write(tmp_path / "empty", Counting(seed=1))) == 32, "a store without answers is anyone's"


def test_a_first_shard_that_was_not_counted_yet_is_overwritten(tmp_path, monkeypatch):
    folder, write_json = tmp_path / "s", module.write_json

    def killed(path, document):
        if document["shards"]:
            raise SystemExit
        write_json(path, document)

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_json", killed)
        with pytest.raises(SystemExit):
            write(folder)
    assert (folder / "00000.arrow").exists()
    with pytest.raises(ValueError, match="holds other files"):
        write(folder, Counting(seed=1))
    assert len(write(folder)) == 32


def test_two_processes_at_one_store_are_refused(tmp_path):
    with alone(tmp_path), pytest.raises(ValueError, match="another process is at work in"):
        write(tmp_path)


def test_a_shard_that_is_cut_in_use_is_one_sentence(tmp_path):
    store = write(tmp_path / "s")
    shard = tmp_path / "s" / "00000.arrow"
    os.truncate(shard, 64)
    with pytest.raises(ValueError, match=r"00000.arrow was cut from \d+ to 64 bytes while it was in use"):
        store.answers(["r0"])


def test_reading_is_memory_mapped(tmp_path):
    store = write(tmp_path / "s")
    assert not store.shards[0]["logits"].flags.owndata
    assert not store.shards[0]["logits"].flags.writeable
