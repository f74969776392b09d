import csv
import hashlib
import os

import av
import numpy as np
import pytest

from understudy.corpus.importers.raw_clips import import_raw
from understudy.worlds.theatre import World, make_theatre
from understudy.worlds.theatre.clip import write_clip
from understudy.worlds.theatre.draw import Puppet, frames
from understudy.worlds.theatre.voice import speech

SMALL = {"train": 12, "valid": 2, "test": 4}
LOSSY = World(lost={"audio": 0.25, "video": 0.25})


def digests(folder):
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theatre") / "raw"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 1)
        stage = make_theatre(folder, clips=SMALL, labelled=5, seed=4, world=LOSSY)
    return stage, folder


def test_the_same_theatre_twice_is_the_same_bytes_from_any_number_of_processes(raw, tmp_path, monkeypatch):
    _, folder = raw
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    make_theatre(tmp_path / "again", clips=SMALL, labelled=5, seed=4, world=LOSSY)
    assert digests(tmp_path / "again") == digests(folder)
    make_theatre(tmp_path / "other", clips={"train": 2}, labelled=1, seed=5, world=LOSSY)
    one = "Raw/show000/0.mp4"
    assert digests(tmp_path / "other")[one] != digests(folder)[one]


def test_labels_and_layout(raw):
    stage, folder = raw
    rows = list(csv.DictReader((folder / "label.csv").open(encoding="utf-8")))
    assert [row["mode"] for row in rows] == [mode for mode, count in SMALL.items() for _ in range(count)]
    assert sum(bool(row["label"]) for row in rows if row["mode"] == "train") == 5
    assert all(row["label"] for row in rows if row["mode"] != "train")
    shows = {mode: {row["video_id"] for row in rows if row["mode"] == mode} for mode in SMALL}
    assert len(set.union(*shows.values())) == sum(len(each) for each in shows.values())
    for row, label in zip(rows, stage.script().label, strict=True):
        assert (folder / "Raw" / row["video_id"] / f"{row['clip_id']}.mp4").is_file()
        if row["label"]:
            assert float(row["label"]) == pytest.approx(label, abs=1e-4)
            assert row["annotation"] == ("Negative" if label < 0 else "Positive" if label > 0 else "Neutral")


def test_it_imports_as_text_audio_and_video(raw, tmp_path):
    stage, folder = raw
    script = stage.script()
    lost = {m: ~script.present[m] for m in ("audio", "video")}
    assert lost["audio"].any()
    assert lost["video"].any()
    corpus = import_raw(folder, tmp_path / "corpus", on_error="skip")
    assert {name: modality.kind for name, modality in corpus.modalities.items()} == {
        "text": "text",
        "audio": "audio",
        "video": "video",
    }
    for modality, here in script.present.items():
        np.testing.assert_array_equal(corpus.present(modality), here)
    split = corpus.split("given")
    assert (len(split.train), len(split.labelled), len(split.valid), len(split.test)) == (12, 5, 2, 4)
    heard = next(sound for sound in corpus.cells("audio", np.arange(len(corpus))).values if sound is not None)
    assert abs(len(heard) - 32_000) < 3_000


def test_a_finished_theatre_is_left_alone_and_another_is_refused(raw):
    _, folder = raw
    before = (folder / "label.csv").stat().st_mtime_ns
    make_theatre(folder, clips=SMALL, labelled=5, seed=4, world=LOSSY)
    assert (folder / "label.csv").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="another theatre"):
        make_theatre(folder, clips=SMALL, labelled=5, seed=5, world=LOSSY)


@pytest.mark.parametrize(
    "wrong", [{"labelled": 99}, {"size": 63}, {"size": 8}, {"clips": {"train": 0}}, {"clips": {"rehearsal": 3}}]
)
def test_impossible_theatres_are_refused_before_anything_is_written(wrong, tmp_path):
    with pytest.raises(ValueError, match=r"clips|size"):
        make_theatre(tmp_path / "raw", **{"clips": SMALL, "labelled": 5} | wrong)
    assert not list(tmp_path.iterdir())


def test_a_clip_holds_the_frames_and_the_sound(tmp_path):
    random = np.random.default_rng(0)
    shown = frames(Puppet.drawn(random), 2.0, count=24, rate=12, size=64, random=random)
    said = speech(1.0, pitch=120.0, seconds=2.0, rate=16_000, random=random)
    write_clip(tmp_path / "a.mp4", pictures=shown, frame_rate=12, sound=said, sound_rate=16_000)
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert (file.streams.video[0].codec.name, file.streams.audio[0].codec.name) == ("h264", "aac")
        assert file.streams.video[0].average_rate == 12
        decoded = np.stack([picture.to_ndarray(format="rgb24") for picture in file.decode(video=0)])
    with av.open(str(tmp_path / "a.mp4")) as file:
        heard = np.concatenate([part.to_ndarray()[0] for part in file.decode(audio=0)])
    assert decoded.shape == shown.shape
    assert np.abs(decoded.astype(int) - shown).mean() < 8
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(said**2)), rel=0.1)


def test_face_and_voice_follow_their_cues():
    moods = (-4.0, -2.0, 0.0, 2.0, 4.0)
    puppet = Puppet.drawn(np.random.default_rng(1))
    rosy, loud = [], []
    for mood in moods:
        shown = frames(puppet, mood, count=6, rate=12, size=64, random=np.random.default_rng(2)).astype(float)
        rosy.append((shown[..., 0] - shown[..., 1]).mean())
        said = speech(mood, pitch=120.0, seconds=1.0, rate=8_000, random=np.random.default_rng(3))
        assert np.abs(said).max() < 1
        loud.append(np.sqrt(np.mean(said**2)))
    assert np.all(np.diff(rosy) > 0)
    assert np.all(np.diff(loud) > 0)
