"""Video files: which pictures are taken, what they cost, and every way in which a file can be broken."""

import json
import os
import signal
import time
from dataclasses import replace
from io import BytesIO

import av
import numpy as np
import pytest
from made_clips import clip, number_of, numbered
from PIL import Image

from understudy.corpus.importers.table import import_table
from understudy.prepare import clip as clip_file
from understudy.prepare.clip import pictures_at, probe_video
from understudy.prepare.isolated import Isolated
from understudy.prepare.limits import LIMITS, Limits
from understudy.prepare.media import read_audio, read_video
from understudy.prepare.picture import CLIP_MEAN, CLIP_STD, Square, standardised
from understudy.prepare.reader import MediaReader

CONTAINERS = [
    ("mp4", "libx264", {"g": "12"}),
    ("mp4", "libx264", {"preset": "veryfast", "bf": "3", "g": "250"}),
    ("mov", "libx264", {"preset": "veryfast", "bf": "2", "g": "9"}),
    ("matroska", "libx264", {"preset": "veryfast", "bf": "2", "g": "9"}),
    ("webm", "libvpx", {"g": "10"}),
    ("webm", "libvpx-vp9", {}),
    ("avi", "mpeg4", {"g": "10"}),
    ("avi", "libx264", {"preset": "veryfast", "bf": "2", "g": "9"}),
    ("mpegts", "libx264", {"preset": "veryfast", "bf": "2", "g": "9"}),
    ("mp4", "mjpeg", {"strict": "-1"}),
]


def centres(count):
    return (np.arange(count) + 0.5) / count


def numbers(content, places, **more):
    return [number_of(picture) for picture in pictures_at(content, places, np.asarray, **more)]


@pytest.mark.parametrize(("container", "codec", "options"), CONTAINERS)
def test_the_pictures_of_every_container(container, codec, options):
    content = clip(numbered(40), container=container, codec=codec, **options)
    assert numbers(content, centres(8)) == [2, 7, 12, 17, 22, 27, 32, 37]
    places = np.random.default_rng(0).random(11)
    assert numbers(content, places) == [int(place * 40) for place in places]
    assert numbers(content, np.array([0.0, 0.999])) == [0, 39]
    if container != "mpegts":  # libav does not recognise so few of its packets.
        assert numbers(clip(numbered(3), container=container, codec=codec, **options), centres(6)) == [0, 0, 1, 1, 2, 2]
    facts = probe_video(content)
    assert (facts.frames, facts.width, facts.height, facts.rotation, facts.has_audio, facts.complete) == (
        40,
        64,
        48,
        0,
        False,
        True,
    )
    assert facts.duration == pytest.approx(1.6)
    assert facts.fps == pytest.approx(25)


@pytest.mark.parametrize("options", [{"g": "4"}, {"preset": "veryfast", "bf": "2"}])
def test_equal_to_decoding_everything(options):
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8)
    content = clip(list(noise), **options)
    with av.open(BytesIO(content)) as file:
        everything = [np.asarray(frame.to_image()) for frame in file.decode(video=0)]
    for place, picture in zip(centres(7), pictures_at(content, centres(7), np.asarray), strict=True):
        np.testing.assert_array_equal(picture, everything[int(place * 30)])


def test_variable_frame_rate_is_sampled_by_time():
    at = [0, 1, 2, 3, 4, 5, 50, 51, 52, 100]
    content = clip(numbered(10), at=at)
    end = probe_video(content).duration * 25
    expected = [int(np.searchsorted(at, place * end, side="right")) - 1 for place in centres(20)]
    assert numbers(content, centres(20)) == expected
    assert len(set(expected)) < 10


def test_a_long_clip_is_not_decoded_whole(monkeypatch):
    content = clip(numbered(200), g="10")
    passed = []
    monkeypatch.setattr(
        clip_file, "packets_from", lambda *of, real=clip_file.packets_from: (passed.append(p) or p for p in real(*of))
    )
    assert numbers(content, centres(4)) == [25, 75, 125, 175]
    assert len(passed) <= 4 * 10


@pytest.mark.parametrize(("turn", "corner"), [(90, (-3, 2)), (180, (-3, -3)), (270, (2, -3)), (0, (2, 2))])
def test_rotation_is_honoured(turn, corner):
    content = clip(numbered(2), turn=turn)
    (picture,) = pictures_at(content, np.array([0.5]), np.asarray)
    assert picture.shape == ((64, 48, 3) if turn in (90, 270) else (48, 64, 3))
    assert picture[corner][0] > 200 > picture[corner][1] + 150
    assert probe_video(content).rotation % 360 == turn


MATRICES = {
    "FLIP_LEFT_RIGHT": (-1, 0, 0, 1),
    "FLIP_TOP_BOTTOM": (1, 0, 0, -1),
    "TRANSPOSE": (0, 1, 1, 0),
    "TRANSVERSE": (0, -1, -1, 0),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_mirrored_matrix_is_mirrored_and_not_turned(name):
    content = bytearray(clip(numbered(2)))
    place = content.index(b"tkhd") + 4 + 40  # version and flags, five times and ids, 8 bytes, layer, group, volume, 2 bytes
    a, b, c, d = (int(value * 65536).to_bytes(4, "big", signed=True) for value in MATRICES[name])
    content[place : place + 36] = a + b + bytes(4) + c + d + bytes(12) + (2**30).to_bytes(4, "big")
    (plain,) = pictures_at(clip(numbered(2)), np.array([0.5]), np.asarray)
    (found,) = pictures_at(bytes(content), np.array([0.5]), np.asarray)
    np.testing.assert_array_equal(found, np.asarray(Image.fromarray(plain).transpose(Image.Transpose[name])))


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_a_first_picture_that_comes_late_is_no_cut(container):
    codec = "libx264" if container == "mp4" else "libvpx"
    content = clip(numbered(30), container=container, codec=codec, rate=10, at=list(range(10, 40)))
    facts = probe_video(content)
    assert (facts.frames, facts.complete) == (30, True)
    assert numbers(content, centres(30))[0] == 0


def with_another_stream(content: bytes, kind: str) -> bytes:
    """The clip in Matroska beside a subtitle that is shown for a minute, or a second picture track of 60 seconds."""
    sink = BytesIO()
    with av.open(BytesIO(content)) as source, av.open(sink, "w", format="matroska") as out:
        film = out.add_stream_from_template(source.streams.video[0])
        other = out.add_stream("mpeg4", rate=1) if kind == "video" else None
        if other is not None:
            other.width, other.height, other.pix_fmt = 64, 48, "yuv420p"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = film
                out.mux(packet)
        for second in range(60 if other is not None else 0):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts = second
            out.mux(other.encode(frame))
        if other is not None:
            out.mux(other.encode())
    return sink.getvalue()


def test_a_longer_second_track_is_no_cut():
    assert probe_video(with_another_stream(clip(numbered(30), rate=10), "video")).complete


def eight_k():
    picture = av.VideoFrame(7680, 4320, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
    content = BytesIO()
    with av.open(content, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=25, options={"threads": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuv420p"
        file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return content.getvalue()


@pytest.fixture(scope="module")
def huge():
    return eight_k()


@pytest.fixture(scope="module")
def whole():
    return clip(numbered(60), fast=True, sound=2.4)


def test_8k_is_refused_before_it_is_decoded(huge):
    with pytest.raises(ValueError, match="pictures of 7680 x 4320; at most 9 megapixels"):
        probe_video(huge)
    entry = huge.index(b"avc1", huge.index(b"stsd")) + 4 + 24
    lying = huge[:entry] + bytes([0, 64, 0, 48]) + huge[entry + 4 :]
    with pytest.raises(ValueError):
        probe_video(lying)
    assert probe_video(huge, limits=Limits(megapixels=40.0)).width == 7680


@pytest.mark.parametrize("at", [[0, 36_000 * 25], [0, 1, 2, 36_000 * 25]])
def test_ten_hours_are_refused(at):
    with pytest.raises(ValueError, match=r"it lasts 36000 seconds; at most 3600"):
        probe_video(clip(numbered(len(at)), at=at))


def test_time_is_bounded(whole):
    with pytest.raises(ValueError, match="reading it takes longer than 1e-06 seconds"):
        pictures_at(whole, centres(3), np.asarray, limits=replace(LIMITS, patience=1e-6))
    with pytest.raises(ValueError, match="above 0"):
        Limits(patience=0.0)


BROKEN = {
    "empty": (lambda whole: b"", "the file is empty"),
    "text": (lambda whole: b"this is no film\n" * 99, "Invalid data"),
    "playlist": (lambda whole: b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n", "Invalid"),
    "script": (lambda whole: b"ffconcat version 1.0\nfile other.mp4\n", "Invalid"),
    "cut": (lambda whole: whole[: len(whole) // 2], "it was cut short"),
    "only a header": (lambda whole: whole[: whole.index(b"mdat") + 4], "no picture"),
    "without a header": (lambda whole: clip(numbered(9))[:-500], "(Invalid data|coded in a way)"),
    "cut webm": (lambda whole: clip(numbered(60), container="webm", codec="libvpx")[:-4000], "it was cut short"),
    "cut avi": (lambda whole: clip(numbered(60), container="avi", codec="mpeg4")[:-4000], "it was cut short"),
    "overwritten": (lambda whole: whole[: whole.index(b"mdat")] + bytes(len(whole) - whole.index(b"mdat")), ""),
    "only sound": (lambda whole: sound_alone(), "it holds no video"),
}


def sound_alone():
    content = BytesIO()
    with av.open(content, "w", format="wav") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return content.getvalue()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_clear_error(name, whole, tmp_path):
    make, said = BROKEN[name]
    path = tmp_path / "a clip.mp4"
    path.write_bytes(make(whole))
    began = time.monotonic()
    with pytest.raises(ValueError, match=f"a clip.mp4 is not a readable video: .*{said}"):
        read_video(path)
    reader = MediaReader("skip")
    assert reader.video(path, where="row 3") is None
    assert (reader.errors[0].where, reader.errors[0].file) == ("row 3", "a clip.mp4")
    assert time.monotonic() - began < 5


def test_what_is_damaged_inside_is_replaced_by_its_neighbours(whole):
    middle = whole.index(b"mdat") + (len(whole) - whole.index(b"mdat")) // 2
    damaged = whole[:middle] + bytes(2000) + whole[middle + 2000 :]
    assert len(pictures_at(damaged, centres(8), np.asarray)) == 8


def test_tags_in_an_old_encoding_do_no_harm(whole, tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", format="mp4") as file:
        file.metadata["title"] = "a title"
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        file.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        file.mux(stream.encode(None))
    assert b"a title" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"a title", b"\xe4 \xf6\xfc\xff\xfe\x80"))
    assert probe_video(path.read_bytes()).frames == 1


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "nothing"):
        with pytest.raises(FileNotFoundError, match="no file"):
            read_video(path)


def test_sound_of_a_video(whole, tmp_path):
    (tmp_path / "a.mp4").write_bytes(whole)
    (tmp_path / "silent.mp4").write_bytes(clip(numbered(3)))
    sound = read_audio(tmp_path / "a.mp4", 8000)
    assert len(sound) == pytest.approx(2.4 * 8000, rel=0.05)
    loudest = np.argmax(np.abs(np.fft.rfft(sound[4000:12000])))
    assert loudest == pytest.approx(440, abs=2)
    with pytest.raises(ValueError, match=r"silent.mp4 is not a readable sound file: it holds no sound"):
        read_audio(tmp_path / "silent.mp4", 8000)
    with pytest.raises(ValueError, match="longer than 1 seconds"):
        read_audio(tmp_path / "a.mp4", 8000, limits=Limits(longest=1.0))


def test_a_file_beside_the_user_is_never_executed(whole, tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(whole)
    (tmp_path / "av.py").write_text("from pathlib import Path; Path('executed').touch()")
    monkeypatch.chdir(tmp_path)
    assert Isolated(Limits()).complete(whole)
    assert not (tmp_path / "executed").exists()


def test_a_process_that_hangs_or_dies_loses_only_its_file(whole, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(whole)
    decoder = Isolated(Limits(patience=1.0), grace=0.5)
    decoder.complete(whole)
    os.kill(decoder._child.pid, signal.SIGSTOP)
    with pytest.raises(ValueError, match=r"decoding it did not end within 1.5 seconds"):
        decoder.complete(whole)
    decoder = Isolated(Limits())
    np.testing.assert_array_equal(decoder.audio(whole, 8000)[0], read_audio(path, 8000))
    decoder._child.terminate()
    decoder._child.wait()
    with pytest.raises(ValueError, match=r"the decoder crashed on it \(exit status -15\)"):
        decoder.complete(whole)


def test_a_table_of_videos(whole, tmp_path):
    (tmp_path / "a.mp4").write_bytes(whole)
    (tmp_path / "b.webm").write_bytes(clip(numbered(9), container="webm", codec="libvpx"))
    (tmp_path / "c.mp4").write_bytes(whole[:5000])
    (tmp_path / "t.csv").write_text("film,y\na.mp4,1\nb.webm,2\nc.mp4,3\n,4\nd.mp4,5\na.mp4,6.5\n")
    modalities = {"film": "video:film", "sound": "audio@8000:film"}
    settings = {"target": "y", "task": "regression", "modalities": modalities}
    with pytest.raises(ValueError, match=r"column 'film', row 3: .*c.mp4 is not a readable video"):
        import_table(tmp_path / "t.csv", tmp_path / "c", **settings)
    assert not (tmp_path / "c").exists()
    corpus = import_table(tmp_path / "t.csv", tmp_path / "c", on_error="skip", **settings)
    assert corpus.present("film").tolist() == [True, True, False, False, False, True]
    assert corpus.present("sound").tolist() == [True, False, False, False, False, True]
    rows = corpus.cells("film", [5, 2, 1]).values
    assert rows == [whole, None, (tmp_path / "b.webm").read_bytes()]
    np.testing.assert_array_equal(corpus.cells("sound", [0]).values[0], read_audio(tmp_path / "a.mp4", 8000))
    assert corpus.content[0] == corpus.content[5] != corpus.content[1]
    assert corpus.schema.about["skipped"] == "5 files, see errors.json"
    listed = json.loads((corpus.folder / "errors.json").read_text())
    assert [(each["where"], each["file"]) for each in listed] == [
        ("column 'film', row 3", "c.mp4"),
        ("column 'film', row 5", "d.mp4"),
        ("column 'film', row 2", "b.webm"),
        ("column 'film', row 3", "c.mp4"),
        ("column 'film', row 5", "d.mp4"),
    ]
    (tmp_path / "t.csv").write_text("film,y\nc.mp4,1\nc.mp4,2\n")
    with pytest.raises(ValueError, match="modality 'film': no file can be read; the first: column 'film', row 1"):
        import_table(tmp_path / "t.csv", tmp_path / "d", on_error="skip", **settings)


@pytest.mark.parametrize("shape", [(240, 320), (333, 250), (357, 641), (100, 80), (224, 224), (90, 720)])
def test_equal_to_the_clip_processor(shape):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8))
    theirs = np.asarray(CLIPImageProcessorPil()(picture, return_tensors="np")["pixel_values"][0])
    ours = standardised(Square(224).of(picture), CLIP_MEAN, CLIP_STD)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_strip_does_not_take_gigabytes():
    assert Square(224).of(Image.new("RGB", (40_000, 2))).shape == (224, 224, 3)
    assert Square(32, resample="bilinear").of(Image.new("L", (1, 9_000))).shape == (32, 32, 3)
