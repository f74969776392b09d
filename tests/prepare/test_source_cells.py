"""cells_from_table: columns as cells of each kind, and faults that name column and row."""

import wave

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from understudy.prepare.cells import Modality
from understudy.prepare.source import cells_from_table, source_columns


def read(table, modality, folder=".", **options):
    return cells_from_table(pa.table(table), "m", modality, folder=folder, **options)


def test_source_columns():
    assert source_columns("m", Modality("text")) == ("m",)
    assert source_columns("m", Modality("text", source=("t",))) == ("t",)
    assert source_columns("m", Modality("table", columns={"a": "number"})) == ("a",)


def test_vector_from_columns_of_text_or_numbers():
    table = {"x": ["1", " 2.5 ", "", "NaN"], "y": ["+3", "n/a", "null", "-1e3"]}
    cells = read(table, Modality("vector", source=("x", "y")))
    np.testing.assert_array_equal(
        cells.values, np.array([[1, 3], [2.5, np.nan], [np.nan] * 2, [np.nan, -1000]], dtype=np.float32)
    )
    assert cells.present.tolist() == [True, True, False, True]
    again = read(
        {"x": [1, 2.5, None, float("nan")], "y": pa.array([3, None, None, -1000])}, Modality("vector", source=("x", "y"))
    )
    np.testing.assert_array_equal(again.values, cells.values)
    assert read({"m": [True, False]}, Modality("vector")).values.tolist() == [[1], [0]]


@pytest.mark.parametrize("fixed", [False, True])
def test_vector_from_lists(fixed):
    column = pa.array([[1, 2], None, [None, 4], [None, None]], pa.list_(pa.float32(), 2 if fixed else -1))
    cells = read({"m": column}, Modality("vector", width=2))
    np.testing.assert_array_equal(cells.values, np.array([[1, 2], [np.nan] * 2, [np.nan, 4], [np.nan] * 2], dtype=np.float32))
    assert cells.present.tolist() == [True, False, True, False]


def test_slices_and_chunks_of_a_table():
    whole = pa.concat_tables([pa.table({"m": [[1.0, 2.0], None]}), pa.table({"m": [[3.0, 4.0], [5.0, 6.0]]})])
    cells = cells_from_table(whole.slice(1, 2), "m", Modality("vector"), folder=".")
    assert cells.present.tolist() == [False, True]
    assert cells.values[1].tolist() == [3, 4]
    assert len(cells_from_table(whole.slice(0, 0), "m", Modality("vector", width=2), folder=".")) == 0


def test_table():
    modality = Modality("table", columns={"age": "number", "town": "category", "code": "category"})
    table = {"age": ["3", "", ""], "town": [" Ulm ", "", "Rom"], "code": pa.array([1.0, None, 2.5])}
    cells = read(table, modality)
    np.testing.assert_array_equal(cells.values["age"], [3, np.nan, np.nan])
    assert cells.values["town"].tolist() == ["Ulm", None, "Rom"]
    assert cells.values["code"].tolist() == ["1", None, "2.5"]
    assert cells.present.tolist() == [True, False, True]
    dictionary = pa.array(["a", None, "b"]).dictionary_encode()
    assert read({"m": dictionary}, Modality("table", columns={"m": "category"})).values["m"].tolist() == ["a", None, "b"]


def test_sequence_from_lists():
    cells = read({"m": [[[1, 2], [3, None]], None, [], [[None, None]], [[5, 6]]]}, Modality("sequence", width=2))
    np.testing.assert_array_equal(cells.values[0], np.array([[1, 2], [3, np.nan]], dtype=np.float32))
    assert cells.values[4].tolist() == [[5, 6]]
    assert cells.present.tolist() == [True, False, False, False, True]


def test_text_is_absent_where_blank():
    cells = read({"m": ["hello", "", " \n", None, "null"]}, Modality("text"))
    assert cells.values == ["hello", None, None, None, None]
    assert cells.present.tolist() == [True, False, False, False, False]
    assert not read({"m": pa.nulls(2)}, Modality("text")).present.any()


def test_arrays_from_paths(tmp_path):
    np.save(tmp_path / "v.npy", np.arange(3.0))
    np.save(tmp_path / "s.npy", np.ones((4, 3)))
    np.save(tmp_path / "i.npy", np.zeros((5, 6), dtype=np.uint8))
    np.save(tmp_path / "a.npy", np.zeros(9))
    assert read({"m": [None, "v.npy"]}, Modality("vector"), tmp_path).values[1].tolist() == [0, 1, 2]
    assert read({"m": ["s.npy"]}, Modality("sequence"), tmp_path).values[0].shape == (4, 3)
    assert read({"m": ["i.npy"]}, Modality("image"), tmp_path).values[0].shape == (5, 6, 1)
    assert read({"m": ["a.npy"]}, Modality("audio", rate=8000), tmp_path).values[0].dtype == np.float32


def test_pictures(tmp_path):
    draw = np.random.default_rng(0)
    colour, grey = draw.integers(0, 256, (4, 6, 3), dtype=np.uint8), draw.integers(0, 256, (4, 6), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(np.zeros((4, 6, 4), dtype=np.uint8)).save(tmp_path / "clear.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "turned.jpg", exif=turned)
    cells = read({"m": ["colour.png", "grey.png", "clear.png", None, "turned.jpg"]}, Modality("image"), tmp_path)
    np.testing.assert_array_equal(cells.values[0], colour)
    np.testing.assert_array_equal(cells.values[1], grey[:, :, None])
    assert (cells.values[2] == 255).all()
    assert cells.values[4].shape == (6, 4, 3)
    assert cells.present.tolist() == [True, True, True, False, True]


def write_wave(path, samples, rate, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


def test_sound_that_is_too_short_is_told(tmp_path):
    for name, samples in (("none", 0), ("few", 20), ("enough", 200)):
        np.save(tmp_path / f"{name}.npy", np.full(samples, 0.1, np.float32))
    audio = Modality("audio", rate=8000)
    with pytest.warns(UserWarning, match=r"column 'm', row 2: sound shorter than 0.025 s.*\(1 such\)"):
        cells = read({"m": ["enough.npy", "few.npy", None]}, audio, tmp_path)
    assert cells.present.tolist() == [True, True, False]
    with pytest.raises(ValueError, match="column 'm', row 1: sound without a sample"):
        read({"m": ["none.npy"]}, audio, tmp_path)


def test_sound_as_it_is_and_resampled(tmp_path):
    tone = (20_000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).round()
    write_wave(tmp_path / "mono.wav", tone, 8000)
    write_wave(tmp_path / "stereo.wav", np.stack([tone, tone], axis=1), 8000, channels=2)
    mono, stereo = read({"m": ["mono.wav", "stereo.wav"]}, Modality("audio", rate=8000), tmp_path).values
    np.testing.assert_allclose(mono, tone / 32768, atol=1e-7)
    np.testing.assert_allclose(stereo, mono, atol=1e-4)
    (faster,) = read({"m": ["mono.wav"]}, Modality("audio", rate=16000), tmp_path).values
    assert len(faster) == pytest.approx(16000, abs=40)
    middle = np.arange(4000, 12000)
    expected = 20_000 / 32768 * np.sin(2 * np.pi * 440 * middle / 16000)
    np.testing.assert_allclose(faster[middle], expected, atol=0.01)


@pytest.mark.parametrize(
    ("table", "modality", "fault"),
    [
        ({"x": ["1"]}, Modality("vector", source=("x", "q")), "modality 'm' needs the missing column q; the table has: x"),
        ({"m": ["1", "red"]}, Modality("vector"), "column 'm', row 2: 'red' is not a number"),
        ({"m": ["1", "inf"]}, Modality("vector"), "column 'm', row 2: infinite"),
        ({"x": ["1"], "y": ["1e39"]}, Modality("vector", source=("x", "y")), r"column 'y', row 1: .*beyond 3.4e\+38"),
        ({"m": [1.0, float("-inf")]}, Modality("vector"), "column 'm', row 2: infinite"),
        ({"m": [[1.0], [float("inf")]]}, Modality("vector"), "column 'm', row 2: .*infinite"),
        ({"m": [[1.0], [1e200]]}, Modality("vector"), "column 'm', row 2: .*beyond"),
        ({"m": [[1.0, 2.0], [1.0]]}, Modality("vector"), "column 'm', row 2: a vector of 1 numbers; expected 2"),
        ({"m": [[1.0, 2.0]]}, Modality("vector", width=3), "column 'm', row 1: .*expected 3"),
        ({"m": [["a"]]}, Modality("vector"), "column 'm' holds string; expected numbers"),
        ({"m": ["inf"]}, Modality("table", columns={"m": "number"}), "column 'm', row 1: infinite"),
        ({"m": [[[1.0]], [[1.0], [1.0, 2.0]]]}, Modality("sequence"), "column 'm', row 2: a step of 2 numbers; expected 1"),
        ({"m": [[[1.0]], [[float("inf")]]]}, Modality("sequence"), "column 'm', row 2: .*infinite"),
        ({"m": [[1.0]]}, Modality("sequence"), "expected a list of steps"),
        ({"m": [[1]]}, Modality("text"), "column 'm' holds list<.*; expected text"),
        ({"m": ["a"]}, Modality("audio"), "says no rate"),
        ({"a": ["x"], "b": ["y"]}, Modality("text", source=("a", "b")), "is read from one column; got a, b"),
    ],
)
def test_faults_say_where(table, modality, fault):
    with pytest.raises(ValueError, match=fault):
        read(table, modality)


def test_rows_are_counted_on_in_a_later_piece():
    with pytest.raises(ValueError, match="row 101"):
        read({"m": ["red"]}, Modality("vector"), first_row=101)


@pytest.mark.parametrize("kind", ["vector", "sequence", "image", "audio"])
def test_faults_of_media_say_where(tmp_path, kind):
    modality = Modality(kind, rate=8000)
    with pytest.raises(FileNotFoundError, match="column 'm', row 2: no file"):
        read({"m": [None, "absent.npy"]}, modality, tmp_path)
    (tmp_path / "broken.npy").write_bytes(b"no array")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2, 2)))
    with (tmp_path / "archive.npy").open("wb") as opened:
        np.savez(opened, values=np.zeros(3))
    raw = {"image": "broken.png", "audio": "broken.wav"}.get(kind, "broken.npy")
    for name in ("broken.npy", "archive.npy", "pickled.npy", "cube.npy", raw):
        with pytest.raises(ValueError, match="column 'm', row 2"):
            read({"m": [None, name]}, modality, tmp_path)
