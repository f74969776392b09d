"""`us.corpus`: a corpus of data in memory, modalities by guess, one folder for the same content."""

import importlib
import json

import numpy as np
import pyarrow as pa
import pytest

import understudy as us
from understudy.corpus.importers.guess import guess


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path / "cache"))


def columns(rows: int = 60) -> dict[str, list]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, rows)
    return {
        "key": [f"r{i}" for i in range(rows)],
        "acc_x": rng.normal(size=rows).tolist(),
        "acc_y": (rng.normal(size=rows) + y).tolist(),
        "acc_z": rng.normal(size=rows).tolist(),
        "review": [f"a film that was {('good', 'bad', 'dull')[c]} all through, number {i}" for i, c in enumerate(y)],
        "town": rng.choice(["Ulm", "Rom"], rows).tolist(),
        "age": rng.integers(1, 90, rows).tolist(),
        "emb": rng.normal(size=(rows, 4)).tolist(),
        "shot": [f"shots/{i}.png" for i in range(rows)],
        "day": ["2026-11-29"] * (rows - 1) + ["2026-11-30"],
        "said": np.array(["a", "b", "c"])[y].tolist(),
        "one": [1] * rows,
        "y": y.tolist(),
    }


def test_a_guess_says_what_and_why():
    found = guess(pa.table(columns()), target="y")
    assert {name: each.kind for name, each in found.modalities.items()} == {
        "review": "text",
        "emb": "vector",
        "shot": "image",
        "acc": "vector",
        "table": "table",
    }
    assert found.modalities["acc"].source == ("acc_x", "acc_y", "acc_z")
    dated = {"day.year": "number", "day.weekday": "number"}
    assert dict(found.modalities["table"].columns) == {"age": "number", "town": "category"} | dated
    assert found.modalities["table"].source == ("age", "town", "day")
    assert found.id == "key"
    assert set(found.left_out) == {"key", "said", "one"}
    assert "target again" in found.left_out["said"]
    assert all(any(line.startswith(f"{name}:") for line in found.lines()) for name in [*found.modalities, *found.left_out])


def test_a_text_file_guesses_as_typed_columns_do():
    typed = {name: values for name, values in columns().items() if name not in ("emb",)}
    plain = pa.table({name: pa.array([str(v) for v in values]) for name, values in typed.items()})
    a, b = guess(pa.table(typed), target="y"), guess(plain, target="y")
    assert (a.modalities, a.id, set(a.left_out)) == (b.modalities, b.id, set(b.left_out))


@pytest.mark.parametrize("typed", [True, False])
def test_dates_are_read_by_their_parts_in_training_and_in_use(typed, tmp_path):
    dates = np.arange("2026-01-01", "2026-03-22", dtype="datetime64[D]")
    days = dates.astype("datetime64[s]") + np.timedelta64(13 * 3600 + 45 * 60)
    weekday = (dates.view(np.int64) + 3) % 7  # 1970 began on a Thursday
    sold = pa.array(days) if typed else [str(day) for day in days]
    given = {"sold": sold, "x": list(range(0, 400, 5))[::-1], "y": (weekday > 4).tolist()}
    made = us.corpus(given, target="y", out=tmp_path / "made")
    assert "sold: date, as year, month, weekday" in made.schema.about["guessed"]
    cells = made.cells("table", np.arange(80)).values
    assert cells["sold.weekday"].tolist() == (weekday + 1).tolist()
    assert cells["sold.month"].tolist() == [day.month for day in dates.tolist()]
    np.testing.assert_allclose(cells["sold.year"][:2], [2026 + 13.75 / 24 / 366, 2026 + (1 + 13.75 / 24) / 366])
    again = us.import_table(given, tmp_path / "again", mapping=made.folder / "mapping.json")
    assert json.loads((made.folder / "mapping.json").read_text())["modalities"]["table"]["columns"]["sold"] == "date"
    assert again.fingerprint == made.fingerprint
    split = us.make_split(made, name="m", valid=0.2)
    run = us.distill(made, student="table", split=split, seeds=1, plan={"epochs": 1}, report=False, out=tmp_path / "run")
    said = run.predict({"sold": ["2026-02-07", None], "x": [1, 2]})
    assert len(said["prediction"]) == 2
    with pytest.raises(ValueError, match="column 'sold', row 2: 'soon' is no date; write 2026-05-31"):
        run.predict({"sold": ["2026-02-07", "soon"], "x": [1, 2]})
    with pytest.raises(ValueError, match="modality 'table' needs the missing column sold"):
        run.predict({"x": [1, 2]})


def test_a_column_of_blanks_is_left_out():
    found = guess(pa.table({"b": [" ", ""] * 3, "x": [1.5, 2, 3, 4, 5, 6], "y": [0, 1] * 3}), target="y")
    assert (list(found.modalities), found.left_out["b"]) == (["table"], "it is empty")


def test_nothing_to_guess_is_told():
    with pytest.raises(ValueError, match=r"no column beside the target .y. can be a modality .one: it says the same"):
        guess(pa.table({"one": [1, 1], "y": [0, 1]}), target="y")


def test_the_same_data_of_six_kinds_is_one_corpus():
    pandas, polars, datasets = (importlib.import_module(name) for name in ("pandas", "polars", "datasets"))
    given = {name: values for name, values in columns().items() if name != "shot"}
    rows = pa.table(given).to_pylist()
    kinds = (given, rows, pa.table(given), pandas.DataFrame(given), polars.DataFrame(given), datasets.Dataset.from_dict(given))
    found = [us.corpus(data, target="y") for data in kinds]
    assert len({made.fingerprint for made in found}) == 1
    assert us.corpus(given, target="y").folder == found[0].folder
    assert found[0].ids[0] == "r0"


def test_the_mapping_that_was_written_gives_the_same_corpus(tmp_path):
    given = {name: values for name, values in columns().items() if name != "shot"}
    made = us.corpus(given, target="y", out=tmp_path / "made")
    assert set(json.loads((made.folder / "mapping.json").read_text())["modalities"]) == set(made.modalities)
    again = us.import_table(given, tmp_path / "again", mapping=made.folder / "mapping.json")
    assert again.fingerprint == made.fingerprint


def test_named_modalities_are_not_guessed():
    made = us.corpus(columns(), target="y", modalities={"n": "vector:acc_*"}, id="key")
    assert list(made.modalities) == ["n"]
    assert "guessed" not in made.schema.about


def test_a_target_that_is_not_there():
    with pytest.raises(ValueError, match="target column 'z' is not in the table; it has key"):
        us.corpus(columns(), target="z")


def test_the_room_and_the_function_share_a_name():
    assert us.corpus.Corpus is us.Corpus
    assert callable(us.corpus)
