"""Sound as people have it: changing rates, broken packets, cut and oddly scaled files, padding; and the process it is read in."""

import io
import json
import wave
from pathlib import Path

import av
import numpy as np
import pytest

import understudy as us
from understudy.prepare import isolated
from understudy.prepare.limits import LIMITS
from understudy.prepare.media import read_audio
from understudy.prepare.reader import MediaReader
from understudy.prepare.sound import decode_audio

RATE = 16_000


def tone(seconds: float = 1.0, rate: int = RATE, frequency: float = 220.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(
    sound: np.ndarray, *, rate: int = RATE, container: str = "mp3", codec: str = "libmp3lame", layout: str = "mono", **options
) -> bytes:
    """Sound `[channels T]` as a file."""
    sink = io.BytesIO()
    sound = np.atleast_2d(sound)
    with av.open(sink, "w", format=container, options={name: str(value) for name, value in options.items()}) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.layout = layout
        for at in range(0, sound.shape[1], 960):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, at : at + 960]), format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, at
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return sink.getvalue()


def wav(samples: np.ndarray, kind: str = "<i2", rate: int = RATE) -> bytes:
    """16-bit samples `[channels T]`, or floats, as a WAV file."""
    samples = np.atleast_2d(samples)
    if kind == "<i2":
        sink = io.BytesIO()
        with wave.open(sink, "wb") as file:
            file.setnchannels(len(samples))
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes((samples.T * 32767).astype(kind).tobytes())
        return sink.getvalue()
    data = samples.T.astype(kind).tobytes()
    size, channels = samples.dtype.type(0).astype(kind).itemsize, len(samples)
    head = b"fmt " + (16).to_bytes(4, "little") + (3).to_bytes(2, "little") + channels.to_bytes(2, "little")
    head += rate.to_bytes(4, "little") + (rate * size * channels).to_bytes(4, "little")
    head += (size * channels).to_bytes(2, "little") + (8 * size).to_bytes(2, "little")
    body = b"WAVE" + head + b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def pitch(samples: np.ndarray) -> float:
    """The loudest frequency in hertz."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * RATE / len(samples))


@pytest.mark.parametrize("channels", range(1, 8))
def test_any_number_of_channels_gives_their_mean(channels, tmp_path):
    sounds = np.stack([tone(frequency=220) * (k + 1) / channels for k in range(channels)])
    (tmp_path / "a.wav").write_bytes(wav(sounds))
    found = MediaReader().audio(tmp_path / "a.wav", RATE)
    np.testing.assert_allclose(found, sounds.mean(axis=0), atol=2e-4)


def test_sound_that_changes_its_rate_on_the_way():
    first, second = (encoded(tone(2, rate), rate=rate, write_xing=0, id3v2_version=0) for rate in (44_100, 48_000))
    samples, broken = decode_audio(first + second, RATE)
    assert len(samples) / RATE == pytest.approx(4, abs=0.2)
    assert pitch(samples[: 2 * RATE]) == pytest.approx(220, abs=1)
    assert pitch(samples[-2 * RATE :]) == pytest.approx(220, abs=1)
    assert broken <= 1


def test_broken_packets_are_read_around_and_counted(tmp_path):
    whole = bytearray(encoded(tone(3), container="mp4", codec="aac"))
    start = whole.index(b"mdat") + 4
    whole[start + 4000 : start + 4400] = b"\xff" * 400
    (tmp_path / "a.m4a").write_bytes(whole)
    samples, broken = decode_audio(bytes(whole), RATE)
    assert broken > 0
    with pytest.warns(UserWarning, match=rf"a\.m4a: {broken} broken packets were read around"):
        found = MediaReader().audio(tmp_path / "a.m4a", RATE)
    np.testing.assert_array_equal(found, samples)
    assert len(found) / RATE == pytest.approx(3, abs=0.3)


def test_a_tag_inside_is_read_around():
    whole = encoded(tone(3), write_xing=0, id3v2_version=0)
    middle = len(whole) // 2
    samples, _ = decode_audio(whole[:middle] + b"TAG" + bytes(125) + whole[middle:], RATE)
    assert len(samples) / RATE == pytest.approx(3, abs=0.2)
    assert pitch(samples[-RATE:]) == pytest.approx(220, abs=1)


@pytest.mark.parametrize("kind", ["wav", "mka", "mp3"])
def test_a_file_that_was_cut_short_is_refused(kind):
    whole = {
        "wav": lambda: wav(tone(2)),
        "mka": lambda: encoded(tone(4), container="matroska", codec="flac"),
        "mp3": lambda: encoded(tone(4)),
    }[kind]()
    assert len(decode_audio(whole, RATE)[0]) > RATE
    seconds = {"wav": r"0\.67 of the 2\.00", "mka": r"1\.\d\d of the 4\.00", "mp3": r"1\.\d\d of the 4\.\d\d"}[kind]
    with pytest.raises(ValueError, match=f"it holds {seconds} seconds that it states; it was cut short"):
        decode_audio(whole[: len(whole) // 3], RATE)


def test_floats_in_another_unit_are_refused_and_loud_ones_are_cut():
    assert np.abs(decode_audio(wav(tone() * 4, "<f4"), RATE)[0]).max() == 1
    with pytest.raises(ValueError, match=r"its samples reach 98.*divide them by their unit"):
        decode_audio(wav(tone() * 32_768, "<f4"), RATE)
    with pytest.raises(ValueError, match="some of its samples are no numbers"):
        decode_audio(wav(np.where(np.arange(RATE) == 5, np.nan, tone()), "<f4"), RATE)


@pytest.mark.parametrize("stated", [0, 2**32 - 1])
def test_a_wav_that_was_written_as_a_stream_states_no_size(stated):
    whole, size = wav(tone()), stated.to_bytes(4, "little")
    np.testing.assert_array_equal(
        decode_audio(whole[:4] + size + whole[8:40] + size + whole[44:], RATE)[0], decode_audio(whole, RATE)[0]
    )


@pytest.mark.parametrize(("container", "codec", "rate"), [("mp4", "aac", 44_100), ("ogg", "libopus", 48_000)])
def test_padding_of_a_coder_is_no_sound(container, codec, rate):
    samples, _ = decode_audio(encoded(tone(1.03, rate), rate=rate, container=container, codec=codec), RATE)
    assert len(samples) / RATE == pytest.approx(1.03, abs=0.03)


def test_a_file_without_a_sample_is_told():
    with pytest.raises(ValueError, match="it holds no sound"):
        decode_audio(wav(np.zeros((1, 0), np.float32)), RATE)


def test_what_ends_the_decoder_is_one_sentence_and_the_next_file_is_read(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(tone()))
    reader = MediaReader("skip")
    assert len(reader.audio(tmp_path / "a.wav", RATE)) == RATE
    kept = isolated.decoder(LIMITS)
    kept._child.kill()
    kept._child.wait()
    assert reader.audio(tmp_path / "a.wav", RATE) is None
    assert "decoding it did not end" in reader.errors[0].reason
    assert len(MediaReader().audio(tmp_path / "a.wav", RATE)) == RATE


def test_where_a_process_stands_later_makes_no_difference(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(wav(tone()))
    (tmp_path / "inside").mkdir()
    MediaReader().audio(tmp_path / "a.wav", RATE)
    monkeypatch.chdir(tmp_path)
    assert len(MediaReader().audio(Path("a.wav"), RATE)) == RATE


def test_readers_share_the_process_that_is_kept(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(tone()))
    MediaReader().audio(tmp_path / "a.wav", RATE)
    child = isolated.decoder(LIMITS)._child
    MediaReader("skip").audio(tmp_path / "a.wav", RATE)
    assert isolated.decoder(LIMITS)._child is child
    np.testing.assert_array_equal(MediaReader().audio(tmp_path / "a.wav", RATE), read_audio(tmp_path / "a.wav", RATE))


def test_in_a_table_a_cut_file_fails_the_import_or_is_absent_and_listed(tmp_path):
    whole = wav(tone(2))
    (tmp_path / "whole.wav").write_bytes(whole)
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 4])
    (tmp_path / "loud.wav").write_bytes(wav(tone() * 32767, "<f4"))
    (tmp_path / "t.csv").write_text("a,y\ncut.wav,.1\nwhole.wav,.2\nloud.wav,.3\n")
    asked = {"target": "y", "modalities": {"a": f"audio@{RATE}:a"}}
    with pytest.raises(ValueError, match=r"column 'a', row 1: .*cut\.wav .* holds 0\.50 of the 2\.00 seconds"):
        us.import_table(tmp_path / "t.csv", tmp_path / "fail", **asked)
    corpus = us.import_table(tmp_path / "t.csv", tmp_path / "skip", on_error="skip", **asked)
    assert corpus.present("a").tolist() == [False, True, False]
    assert [each["file"].rpartition("/")[2] for each in json.loads((tmp_path / "skip" / "errors.json").read_text())] == [
        "cut.wav",
        "loud.wav",
    ]
