"""Predictions of the artifact against the model: any subset, batch, length and file; a user's mistakes are named."""

import csv
import json
import wave
from importlib import import_module
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_students import MODALITIES, ROWS, make_cells
from PIL import Image as Pillow
from pyarrow import parquet

from understudy.artifact import Artifact, predict_file, read_table
from understudy.batches.loader import Loader
from understudy.models.model import views_of
from understudy.prepare.frames import arrow_of
from understudy.prepare.source import absent


@pytest.fixture(scope="module")
def six(world):
    return Artifact(world.artifact)


@pytest.fixture(scope="module")
def batch(world):
    loader = Loader(world.corpus, np.arange(ROWS), views_of(world.model), task=world.model.task, batch_size=ROWS, shuffle=False)
    return next(iter(loader.batches(0)))


def answers(model, batch):
    model.eval()
    with torch.no_grad():
        output = model(batch)
        return model.task.decode(output.logits).numpy(), output.valid.numpy()


SUBSETS = [s for size in (1, 2, 6) for s in combinations(MODALITIES, size)]


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_any_subset_is_answered_as_by_the_model(world, six, batch, subset):
    expected, seen = answers(world.model, batch.keep(*subset))
    found = six.predict_cells({m: world.corpus.cells(m, np.arange(ROWS)) for m in subset})
    assert (found.seen == seen).all()
    assert not found.seen.all()
    np.testing.assert_allclose(found.values[seen], expected[seen], rtol=0, atol=1e-5 * world.model.task.scale)
    assert np.isnan(found.values[~seen]).all()


@settings(max_examples=15)
@given(rows=st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=100))
def test_a_prediction_does_not_depend_on_its_company(world, six, rows):
    cells = {m: world.corpus.cells(m, np.arange(ROWS)) for m in MODALITIES}
    alone = np.concatenate([six.predict_cells({m: c.take([row]) for m, c in cells.items()}).values for row in rows[:8]])
    together = six.predict_cells({m: c.take(rows) for m, c in cells.items()}).values
    np.testing.assert_allclose(together[: len(alone)], alone, rtol=0, atol=1e-5 * world.model.task.scale)


def test_class_probabilities(world, reader):
    artifact = Artifact(reader.artifact)
    cells = {"said": reader.corpus.cells("said", np.arange(ROWS))}
    found = artifact.predict_cells(cells)
    np.testing.assert_allclose(found.values[found.seen].sum(axis=1), 1, rtol=1e-6)
    table = arrow_of(artifact.columns_of(found))
    assert table.column_names == ["prediction", *(f"probability_{c}" for c in artifact.contract.classes)]
    best = [None if not s else artifact.contract.classes[v.argmax()] for v, s in zip(found.values, found.seen, strict=True)]
    assert table["prediction"].to_pylist() == best
    assert table["probability_low"].null_count == (~found.seen).sum() == table["prediction"].null_count


def test_rows_are_taken_some_at_a_time(world, six, monkeypatch):
    cells = {m: world.corpus.cells(m, np.arange(ROWS)) for m in MODALITIES}
    whole = six.predict_cells(cells).values
    taken = []
    monkeypatch.setattr(six, "rows_at_once", 7)
    monkeypatch.setattr(six, "_run", lambda reads, cells, rows, run=six._run: taken.append(rows) or run(reads, cells, rows))
    np.testing.assert_allclose(six.predict_cells(cells).values, whole, atol=1e-4)
    assert sum(taken) == ROWS - 1
    assert max(taken) == 7


def test_the_longest_and_the_shortest(six):
    for steps in (1, 5000):
        cells = {"steps": make_cells()["steps"].take([0]), "sound": make_cells()["sound"].take([0])}
        cells["steps"].values[0] = np.ones((steps, 3), dtype=np.float32)
        cells["sound"].values[0] = np.zeros(steps * 20, dtype=np.float32)
        assert np.isfinite(six.predict_cells(cells).values).all()


def test_no_rows_and_unknown_modalities(six):
    empty = six.predict_cells({m: absent(modality, 0) for m, modality in MODALITIES.items()})
    assert empty.values.shape == empty.seen.shape == (0,)
    nothing = six.predict_cells({m: absent(modality, 3) for m, modality in MODALITIES.items()})
    assert not nothing.seen.any()
    with pytest.raises(ValueError, match="unknown modality smell; this student reads: numbers, facts"):
        six.predict_cells({"smell": absent(MODALITIES["said"], 1)})
    with pytest.raises(ValueError, match="no modality given"):
        six.predict_cells({})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The corpus's rows as a user has them: CSV, JSON lines and Parquet beside a folder of media."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "media").mkdir()
    cells = make_cells()
    rows = [{} for _ in range(ROWS)]
    for place, row in enumerate(rows):
        here = {m: bool(c.present[place]) for m, c in cells.items()}
        numbers = cells["numbers"].values[place]
        row["name"] = f"row {place}"
        row |= {f"n{i}": None if not here["numbers"] or np.isnan(x) else float(x) for i, x in enumerate(numbers)}
        age, town = (cells["facts"].values[c][place] for c in ("age", "town"))
        row |= {"age": None if not here["facts"] or np.isnan(age) else float(age), "town": town if here["facts"] else None}
        row["said"] = cells["said"].values[place]
        steps = cells["steps"].values[place]
        row["steps"] = None if steps is None else steps.astype(float).tolist()
        row["picture"] = row["sound"] = None
        if here["picture"]:
            row["picture"] = f"media/{place}.png"
            Pillow.fromarray(cells["picture"].values[place]).save(folder / row["picture"])
        if here["sound"]:
            row["sound"] = f"media/{place}.wav"
            with wave.open(str(folder / row["sound"]), "wb") as file:
                file.setparams((1, 2, 2000, 0, "NONE", ""))
                file.writeframes((cells["sound"].values[place] * 32767).astype("<i2").tobytes())
    table = pa.Table.from_pylist(rows)
    parquet.write_table(table, folder / "table.parquet")
    (folder / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (folder / "table.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, [c for c in rows[0] if c != "steps"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_every_kind_of_file(world, six, files, tmp_path):
    expected = six.predict_cells({m: world.corpus.cells(m, np.arange(ROWS)) for m in MODALITIES})
    for ending in ("parquet", "jsonl"):
        summary = predict_file(six, files / f"table.{ending}", tmp_path / "out.csv", id="name")
        assert (summary.rows, summary.answered, summary.modalities) == (ROWS, int(expected.seen.sum()), tuple(MODALITIES))
        assert summary.coverage == expected.seen.mean()
        found = list(csv.DictReader((tmp_path / "out.csv").open()))
        assert [row["name"] for row in found] == [f"row {i}" for i in range(ROWS)]
        values = np.array([float(row["prediction"] or "nan") for row in found])
        assert (np.isnan(values) == ~expected.seen).all()
        # Sound was rounded to 16 bits on its way through a .wav file.
        np.testing.assert_allclose(values, expected.values, atol=1e-2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv"]


def test_a_csv_without_one_modality(world, six, files, tmp_path):
    summary = predict_file(six, files / "table.csv", tmp_path / "out.jsonl")
    assert summary.modalities == tuple(m for m in MODALITIES if m != "steps")
    expected = six.predict_cells({m: world.corpus.cells(m, np.arange(ROWS)) for m in summary.modalities})
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["row"] for row in found] == list(range(1, ROWS + 1))
    np.testing.assert_allclose([row["prediction"] or np.nan for row in found], expected.values, atol=1e-2)


def test_only_some_modalities(world, six, files, tmp_path):
    summary = predict_file(six, files / "table.parquet", tmp_path / "out.parquet", modalities=["facts", "said"])
    assert summary.modalities == ("facts", "said")
    expected = six.predict_cells({m: world.corpus.cells(m, np.arange(ROWS)) for m in ("facts", "said")})
    table = parquet.read_table(tmp_path / "out.parquet")
    assert summary.answered == expected.seen.sum() == ROWS - table["prediction"].null_count
    np.testing.assert_allclose(table["prediction"].to_numpy(), expected.values, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"modalities": ["said", "smell"]},
            "unknown modality smell; this student reads: numbers, facts, steps, said, picture, sound",
        ),
        ({"modalities": []}, "no modality given"),
        ({"id": "nobody"}, "no column 'nobody' for the ids"),
        ({"modalities": ["steps"]}, "'steps' needs the missing column steps"),
    ],
)
def test_bad_wishes_write_nothing(six, files, tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        predict_file(six, files / "table.csv", tmp_path / "out.csv", **options)
    assert not list(tmp_path.iterdir())


def test_bad_files_write_nothing(six, reader, files, tmp_path):
    table = read_table(files / "table.parquet")
    parquet.write_table(table.drop_columns(["n3", "n4"]), tmp_path / "partly.parquet")
    parquet.write_table(table.select(["name"]), tmp_path / "nothing.parquet")
    (tmp_path / "wrong.csv").write_text("said,age,town\nhello,12,Ulm\nhello,old,Rom\n")
    for name, said in (
        ("partly.parquet", "modality 'numbers' needs the missing columns n3, n4; the table has: name, n0"),
        ("nothing.parquet", "needs the missing column"),
        ("wrong.csv", "column 'age', row 2: 'old' is not a number"),
    ):
        with pytest.raises(ValueError, match=said):
            predict_file(six, tmp_path / name, tmp_path / "out.csv")
    with pytest.raises(ValueError, match="modality 'said' needs the missing column said"):
        predict_file(Artifact(reader.artifact), tmp_path / "nothing.parquet", tmp_path / "out.csv")
    with pytest.raises(FileNotFoundError, match="no folder"):
        predict_file(six, files / "table.csv", tmp_path / "nowhere" / "out.csv")
    with pytest.raises(ValueError, match=r"must end in \.csv, \.parquet, \.jsonl"):
        predict_file(six, files / "table.csv", tmp_path / "out.xlsx")
    with pytest.raises(ValueError, match="overwrite their own input"):
        predict_file(six, tmp_path / "wrong.csv", tmp_path / "wrong.csv")
    assert not (tmp_path / "out.csv").exists()


def test_an_id_column_may_not_be_the_prediction(reader, tmp_path):
    (tmp_path / "in.csv").write_text("prediction,said\n1,the cat\n")
    with pytest.raises(ValueError, match="may not be called 'prediction'"):
        predict_file(Artifact(reader.artifact), tmp_path / "in.csv", tmp_path / "out.csv", id="prediction")


def test_a_failed_write_keeps_what_was_there(reader, tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_text("said\nthe cat\n")
    (tmp_path / "out.csv").write_text("before")

    def full(table, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(import_module("understudy.artifact.predict_file").WRITERS, ".csv", full)
    with pytest.raises(OSError, match="No space left"):
        predict_file(Artifact(reader.artifact), tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_a_file_without_rows(reader, tmp_path):
    (tmp_path / "in.csv").write_text("said\n")
    summary = predict_file(Artifact(reader.artifact), tmp_path / "in.csv", tmp_path / "out.csv")
    assert (summary.rows, summary.answered, summary.coverage) == (0, 0, 1.0)
    assert (tmp_path / "out.csv").read_text().startswith('"row","prediction"')


def test_another_delimiter_is_asked_for_and_taken(reader, tmp_path):
    (tmp_path / "in.csv").write_text("said;n\nthe cat, sat;1\n")
    with pytest.raises(ValueError, match="say --delimiter ';'"):
        predict_file(Artifact(reader.artifact), tmp_path / "in.csv", tmp_path / "out.csv")
    summary = predict_file(Artifact(reader.artifact), tmp_path / "in.csv", tmp_path / "out.csv", delimiter=";")
    assert (summary.rows, summary.answered) == (1, 1)


def test_bad_cells_fail_the_whole_or_are_named_beside_it(six, files, tmp_path):
    rows = read_table(files / "table.parquet").slice(0, 4).to_pylist()
    for row in rows:
        row |= {"n0": 1.0, "picture": None, "sound": None, "steps": None, "said": "the cat", "age": "40", "town": "Ulm"}
    rows[1] |= {"age": "tbc", "picture": "nothing.png"}
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ValueError, match="column 'age', row 2: 'tbc' is not a number"):
        predict_file(six, tmp_path / "in.jsonl", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
    found = predict_file(six, tmp_path / "in.jsonl", tmp_path / "out.csv", on_error="skip")
    assert (found.rows, found.answered) == (4, 4)
    errors = list(csv.DictReader((tmp_path / "out.errors.csv").open()))
    assert [(e["row"], e["modality"]) for e in errors] == [("2", "facts"), ("2", "picture")]
    assert "'tbc' is not a number" in errors[0]["reason"]
    said = [float(row["prediction"]) for row in csv.DictReader((tmp_path / "out.csv").open())]
    kept = six.predict([{**rows[1], "age": None, "town": None, "picture": None}])
    assert said[1] == pytest.approx(kept[0]["prediction"])
    rows[1] |= {"age": "41", "picture": None}
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert not predict_file(six, tmp_path / "in.jsonl", tmp_path / "out.csv", on_error="skip").faults
    assert not (tmp_path / "out.errors.csv").exists()


def test_what_onnxruntime_raises_is_one_sentence(world, six):
    session = next(iter(six._graphs.values()))[0]
    with pytest.raises(ValueError, match=r"^onnxruntime [\d.]+ cannot run student.onnx: [^\n]+$"):
        session.run({"numbers.values": np.zeros((2, 9), dtype=np.float32)})
