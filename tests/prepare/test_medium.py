"""Media in cells: the bytes of files are read as the files themselves are, and known by how they begin."""

import io
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import understudy as us
from understudy.prepare.cells import Modality
from understudy.prepare.medium import kind_in, kind_of
from understudy.prepare.source import cells_from_table

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 5, 3), np.uint8)


def picture(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, form)
    return file.getvalue()


def tone() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(np.arange(-2000, 2000, dtype="<i2").tobytes())
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_pictures_are_known_by_how_they_begin(form):
    assert kind_of(picture(form)) == "image"


def test_sound_and_words_are_too():
    assert kind_of(tone()) == "audio"
    assert kind_of(b"a word") is None
    assert kind_in(pa.chunked_array([pa.array([b"a word", picture("PNG")])])) is None
    assert kind_in(pa.chunked_array([pa.array(["a.png"])])) is None


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view(), "of Hugging Face", "its path"])
def test_bytes_are_read_as_the_file_is(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(picture("PNG"))
    (tmp_path / "a.wav").write_bytes(tone())
    for name, modality in (("a.png", Modality("image")), ("a.wav", Modality("audio", rate=8000))):
        content = (tmp_path / name).read_bytes()
        if isinstance(kind, str):
            cell = {"bytes": None, "path": name} if kind == "its path" else {"bytes": content, "path": None}
            column = pa.array([cell, None], pa.struct({"bytes": pa.binary(), "path": pa.string()}))
        else:
            column = pa.array([content, None], kind)
        assert kind_in(pa.chunked_array([column])) == modality.kind
        found = cells_from_table(pa.table({"m": column}), "m", modality, folder=tmp_path)
        named = cells_from_table(pa.table({"m": [name, None]}), "m", modality, folder=tmp_path)
        assert found.present.tolist() == named.present.tolist() == [True, False]
        np.testing.assert_array_equal(found.values[0], named.values[0])


def test_a_broken_one_is_named_by_its_row():
    table = pa.table({"m": [picture("PNG"), picture("PNG")[:40]]})
    with pytest.raises(ValueError, match=r"column 'm', row 2: what the cell holds \(40 bytes\) is not a readable picture"):
        cells_from_table(table, "m", Modality("image"), folder=Path())


def test_a_corpus_of_frames_with_media_in_them(tmp_path, monkeypatch):
    pandas, datasets = pytest.importorskip("pandas"), pytest.importorskip("datasets")
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path / "cache"))
    rows = [{"seen": picture("PNG"), "heard": tone(), "y": at % 2} for at in range(8)]
    plain = us.corpus(pandas.DataFrame(rows), target="y")
    assert {name: each.kind for name, each in plain.modalities.items()} == {"seen": "image", "heard": "audio"}
    media = [
        {"seen": {"bytes": row["seen"], "path": None}, "heard": {"bytes": row["heard"], "path": None}, "y": row["y"]}
        for row in rows
    ]
    held = datasets.Dataset.from_list(media).cast_column("seen", datasets.Image()).cast_column("heard", datasets.Audio())
    assert us.corpus(held, target="y").fingerprint == plain.fingerprint
