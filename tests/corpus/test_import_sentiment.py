"""Importers of the published sentiment layouts: what they read, what they count, what they refuse."""

import json
import pickle
import shutil
import warnings
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from corpus.made_sentiment import SIZES, make_csd, make_raw, mmsa, write_clip, write_csd, write_mmsa
from understudy.cli import main
from understudy.corpus.importers import import_csd, import_mmsa, import_raw
from understudy.corpus.importers.sentiment import PUBLISHED, facts, id_hash, read_ids
from understudy.corpus.importers.unpickle import read_pickle

pytestmark = pytest.mark.filterwarnings("ignore:.*train/valid/test rows")
LABELS = "CMU_MOSI_Opinion_Labels.csd"


# The restricted unpickler


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_come_back(tmp_path, protocol):
    given = {
        "plain": [1, 2.5, "ä", b"\x00\xff", b"", None, True, (1, (2,)), {"a"}, frozenset("b"), 3 + 4j, 10**30],
        "arrays": [np.ones((2, 3), bool), *(np.arange(6, dtype=t).reshape(2, 3) for t in ("f4", ">f8", "i2", "c8"))],
        "text": np.array([["a", "bcd"]]),
        "bytes": np.array([[b"x"], [b"yz"]]),
        "objects": np.array(["a", None, 3], object),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.zeros((0, 3)),
        "scalars": [np.float32(1.5), np.int64(-2), np.str_("s"), np.bool_(True)],
    }
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(given, protocol=protocol))
    found = read_pickle(tmp_path / "a.pkl")
    assert found["plain"] == given["plain"]
    for name in ("arrays", "scalars"):
        for a, b in zip(found[name], given[name], strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype.kind == b.dtype.kind
    for name in ("text", "bytes", "objects", "fortran", "empty"):
        np.testing.assert_array_equal(found[name], given[name])


def test_the_older_names_of_numpy_are_known(tmp_path):
    content = pickle.dumps(np.arange(3.0), protocol=2).replace(b"numpy._core", b"numpy.core")
    (tmp_path / "a.pkl").write_bytes(content)
    assert read_pickle(tmp_path / "a.pkl").tolist() == [0, 1, 2]


class Run:
    """What a hostile file does: a call of any function with any arguments."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    r"posix\.system|nt\.system": Run(__import__("os").system, "touch harmed"),
    r"builtin.*\.eval": Run(eval, "open('harmed', 'w')"),
    r"builtin.*\.getattr": Run(getattr, 1, "real"),
    r"numpy\.load|numpy\.lib": Run(np.load, "a.npy"),
    r"numpy\.fromfile": Run(np.fromfile, "/etc/passwd"),
    r"builtin.*\.bytearray": Run(bytearray, 10**12),
    r"collections\.OrderedDict": Run(__import__("collections").OrderedDict),
    r"pathlib": Path("a"),
    r"datetime": np.array(["2020"], "M8[D]").astype(object),
    "dtype 'V": np.zeros(2, [("a", "f4"), ("b", "i4")]),
    "dtype 'M8'": np.array(["2020"], "M8[D]"),
    "codec 'rot13'": Run(__import__("_codecs").encode, "aa", "rot13"),
    "only plain arrays": Run(np._core.multiarray._reconstruct, np.ndarray, (10**12,), b"b"),
}


@pytest.mark.parametrize("said", HOSTILE)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_everything_else_is_refused_by_name(tmp_path, monkeypatch, said, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"train": HOSTILE[said]}, protocol=protocol))
    with pytest.raises(ValueError, match=rf"a\.pkl is not a pickle that can be read: .*({said})"):
        read_pickle(tmp_path / "a.pkl")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        b"\x80\x04",
        b"\x80\x09K\x01.",
        b"\x80\x04P1\n.",
        b"\x80\x02K\x01r\xff\xff\xff\x7f.",  # a memo slot that the C reader would allocate 16 GB for
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00ab.",  # 1 TB of bytes, stated
        b"\x80\x04\x82\x01.",  # an extension code
        b"\x80\x02]K\x01b.",  # state for a list
        b"\x80\x05\x97.",  # a buffer from outside
        b"\x80\x04" + b"]" * 50000 + b"a" * 49999 + b".",  # lists in lists
        pickle.dumps(np.array(["abc"]), protocol=4).replace(b"c\0\0\0", b"c\0\xff\0"),  # no such character
        pickle.dumps(np.arange(4.0), protocol=4).replace(b"K\x04\x85", b"K\x05\x85"),  # five numbers, of which four are there
        pickle.dumps(np.array(["a", "b"], object), protocol=4).replace(b"K\x02\x85", b"K\x03\x85"),
        pickle.dumps(np.arange(4.0), protocol=4).replace(b"b.", b"0."),  # bytes of no array
    ],
)
def test_malformed_pickles_are_one_error(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pkl is not a pickle that can be read: ."):
        read_pickle(tmp_path / "a.pkl")


def test_a_pickle_cut_anywhere_is_one_error(tmp_path):
    content = pickle.dumps(mmsa(), protocol=4)
    for end in np.linspace(1, len(content) - 1, 40).astype(int):
        (tmp_path / "a.pkl").write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"a\.pkl is not a pickle that can be read"):
            read_pickle(tmp_path / "a.pkl")


def test_a_pickle_with_changed_bytes_never_crashes(tmp_path):
    content = bytearray(pickle.dumps({"a": np.arange(3.0), "b": ["x", np.float32(1)]}, protocol=4))
    random = np.random.default_rng(0)
    for _ in range(400):
        changed = bytearray(content)
        for place in random.integers(0, len(content), 2):
            changed[place] = random.integers(0, 256)
        (tmp_path / "a.pkl").write_bytes(changed)
        with suppress(ValueError):
            read_pickle(tmp_path / "a.pkl")


# MMSA


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_mmsa(tmp_path, protocol):
    data = mmsa()
    corpus = import_mmsa(write_mmsa(tmp_path / "a.pkl", data, protocol=protocol), tmp_path / "c", dataset="mosi")
    kinds = {name: (modality.kind, modality.width) for name, modality in corpus.modalities.items()}
    assert kinds == {"raw_text": ("text", 0), "text": ("sequence", 8), "audio": ("sequence", 3), "vision": ("sequence", 2)}
    split = corpus.split("given")
    assert [len(part) for part in (split.train, split.valid, split.test)] == list(SIZES.values())
    assert split.group
    assert corpus.ids[4] == "vi_deo0x1_4"
    assert corpus.groups is not None
    assert corpus.groups[4] == "vi_deo0x1"
    np.testing.assert_array_equal(corpus.target[split.valid], data["valid"]["regression_labels"])
    assert corpus.cells("raw_text", [9]).values == ["VALID WORDS 0"]
    audio = corpus.cells("audio", [0, 1]).values
    assert audio[0].shape == (4, 3)
    assert np.isnan(audio[0]).sum() == 1
    assert np.isnan(audio[0][1, 1])
    np.testing.assert_array_equal(audio[1], data["train"]["audio"][1, :4].astype(np.float32))
    assert np.flatnonzero(~corpus.present("vision")).tolist() == [1, 10, 13]
    about = corpus.schema.about
    assert about["counts"] == "9 train, 3 valid, 4 test, 16 in all"
    assert about["id_hash"] == id_hash(list(reversed(corpus.ids.tolist())))
    assert about["audio"].startswith("3 numbers not finite")
    assert about["vision"] == "3 rows hold nothing but zeros and are absent"
    assert about["ids"] == "video$_$clip"


def test_mmsa_numbers_beyond_the_stated_length_are_cut_and_counted(tmp_path):
    data = mmsa()
    data["train"]["audio_lengths"][2] = 3
    data["test"]["audio_lengths"][1] = 0
    corpus = import_mmsa(write_mmsa(tmp_path / "a.pkl", data), tmp_path / "c", dataset="mosi")
    assert corpus.cells("audio", [2]).values[0].shape == (3, 3)
    assert not corpus.present("audio")[13]
    assert "2 rows have numbers beyond their stated length, cut off" in corpus.schema.about["audio"]


@pytest.mark.parametrize(
    ("ids", "form", "first"),
    [
        (["a$_$1", "b_c$_$2"], "video$_$clip", "a_1"),
        (["a_b_1", "b_2"], "video_clip", "a_b_1"),
        (["a_b[0]", "b[1]"], "video[clip]", "a_b[0]"),
    ],
)
def test_forms_of_ids(tmp_path, ids, form, first):
    found, renamed, videos = read_ids(ids)
    assert (found, renamed[0]) == (form, first)
    assert videos == [videos[0], videos[1]]
    assert videos[0] in ("a", "a_b")
    data = mmsa()
    for part in data:
        rows = [name.encode() for name in data[part]["id"]]
        data[part]["id"] = np.array(rows)[:, None] if part != "test" else np.array(rows, object)
    assert import_mmsa(write_mmsa(tmp_path / "a.pkl", data), tmp_path / "c", dataset="mosi").ids[0] == "vi_deo0x0_0"


def test_mmsa_sims_has_its_own_range_and_labels(tmp_path):
    data = mmsa(sims=True)
    path = write_mmsa(tmp_path / "a.pkl", data)
    corpus = import_mmsa(path, tmp_path / "c", dataset="sims")
    assert corpus.task.to_json()["high"] == 1
    assert "acc3" in corpus.task.metrics(corpus.target, corpus.target)
    assert (import_mmsa(path, tmp_path / "d", dataset="sims", label="regression_labels_A").target == 0.5).all()
    data["valid"]["regression_labels"][1] = 1.5
    with pytest.raises(ValueError, match=r"a\.pkl: row 'vi_deo1x0_1': label 1.5; expected a number in \[-1, 1\]"):
        import_mmsa(write_mmsa(tmp_path / "a.pkl", data), tmp_path / "e", dataset="sims")
    assert import_mmsa(tmp_path / "a.pkl", tmp_path / "e", dataset="mosei").target.max() == 1.5


def broken(change):
    data = mmsa()
    change(data)
    return data


BROKEN = {
    "expected a dict with the dicts train, valid and test; it holds train, valid": lambda d: d.pop("test"),
    "train has no id": lambda d: d["train"].pop("id"),
    "test has no regression_labels; it has raw_text": lambda d: d["test"].pop("regression_labels"),
    "valid: first dimensions differ: id has 3, raw_text has 2": lambda d: d["valid"]["raw_text"].pop(),
    "audio is in train, valid alone": lambda d: d["test"].pop("audio"),
    "vision: steps of different width: 2 in train, 2 in valid, 1 in test": lambda d: d["test"].update(
        vision=d["test"]["vision"][:, :, :1]
    ),
    "train, text: float32 of shape \\(9, 5\\); expected numbers": lambda d: d["train"].update(text=d["train"]["text"][:, :, 0]),
    "train, text: .*expected numbers": lambda d: d["train"].update(text=d["train"]["text"].astype("S4")),
    "train, regression_labels, row 'vi_deo0x0\\$_\\$2': nan": lambda d: d["train"]["regression_labels"].__setitem__(2, np.nan),
    "row 'vi_deo0x0_1': label -3.5; expected a number in \\[-3, 3\\]": lambda d: d["train"]["regression_labels"].__setitem__(
        1, -3.5
    ),
    "id 'vi_deo0x0_0' stands in rows 1 and 13": lambda d: d["test"]["id"].__setitem__(0, "vi_deo0x0$_$0"),
    "video 'vi_deo0x0' stands in train .* and in test": lambda d: d["test"]["id"].__setitem__(0, "vi_deo0x0$_$77"),
    "id 'nothing': expected all": lambda d: d["test"]["id"].__setitem__(0, "nothing"),
    "test, id, row 0: expected a string, found int": lambda d: d["test"]["id"].__setitem__(0, 3),
    "test, id, row 0: bytes that are not UTF-8": lambda d: d["test"]["id"].__setitem__(0, b"\xff"),
    "train, audio_lengths, row 1: 9; audio has 7": lambda d: d["train"]["audio_lengths"].__setitem__(1, 9),
    "train, audio_lengths: expected one whole": lambda d: d["train"]["audio_lengths"].__setitem__(1, "a"),
    "test, audio: expected an array or a list, found float": lambda d: d["test"].update(audio=1.5),
}


@pytest.mark.parametrize("said", BROKEN)
def test_mmsa_refuses(tmp_path, said):
    path = write_mmsa(tmp_path / "a.pkl", broken(BROKEN[said]))
    with pytest.raises(ValueError, match=rf"a\.pkl: {said}"):
        import_mmsa(path, tmp_path / "c", dataset="mosi")
    assert [each.name for each in tmp_path.iterdir()] == ["a.pkl"]


def test_a_video_in_two_parts_may_be_asked_for(tmp_path):
    path = write_mmsa(tmp_path / "a.pkl", broken(BROKEN["video 'vi_deo0x0' stands in train .* and in test"]))
    corpus = import_mmsa(path, tmp_path / "c", dataset="mosi", across_videos=True)
    assert not corpus.split("given").group


def test_counts_that_no_distribution_has_warn_and_name_the_rows():
    rows = {
        name: [part for part, n in zip(SIZES, sizes, strict=True) for _ in range(n or 0)]
        for name, sizes in PUBLISHED["mosi"].items()
    }
    for name, parts in rows.items():
        ids = [f"v_{row}" for row in range(len(parts))]
        with pytest.warns(UserWarning, match="MOSI, SDK standard folds: 1284/229/686; .*Results compare"):
            facts("mosi", ids[1:], parts[1:])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert facts("mosi", ids, parts)["counts"].startswith(f"{PUBLISHED['mosi'][name][0]} train")
            facts(None, ids[1:], parts[1:])


# CMU SDK


def test_csd(tmp_path):
    make_csd(tmp_path)
    corpus = import_csd(
        tmp_path,
        tmp_path / "c",
        modalities={"text": "CMU_MOSI_TimestampedWords.csd", "audio": "CMU_MOSI_COVAREP"},
        split=tmp_path / "split.csv",
    )
    assert corpus.ids.tolist() == [f"vid_{video}[{clip}]" for video in range(5) for clip in range(2)]
    assert corpus.target.tolist() == [-2, 0, -1, 0.5, 0, 1, 1, 1.5, 2, 2]
    # Words last half a second from 0 on: 4 of them in [0, 2), and in [2.5, 4.5) those from 2.5 to 4.5.
    assert corpus.cells("text", [0, 1]).values == ["GOOD MOVIE I", "GOOD MOVIE I"]
    with h5py.File(tmp_path / "CMU_MOSI_COVAREP.csd") as file:
        features = np.asarray(file["CMU_MOSI_COVAREP/data/vid_1/features"], np.float32)
    np.testing.assert_array_equal(corpus.cells("audio", [2]).values[0], features[:20])
    np.testing.assert_array_equal(corpus.cells("audio", [3]).values[0], features[25:45])
    assert np.flatnonzero(~corpus.present("audio")).tolist() == [0, 1, 4, 5]
    assert corpus.schema.about["audio"] == (
        "2 segments have no entry, or one without steps, and are absent; "
        "1 numbers not finite, kept as missing (replaced and masked by the view); 2 rows hold nothing but zeros and are absent"
    )
    assert len(corpus.split("given").train) == 6


def test_csd_means_and_every_file_by_its_name(tmp_path):
    make_csd(tmp_path)
    corpus = import_csd(tmp_path, tmp_path / "c", steps="mean")
    assert list(corpus.modalities) == ["CMU_MOSI_COVAREP", "CMU_MOSI_TimestampedWords"]
    assert corpus.splits == ()
    with h5py.File(tmp_path / "CMU_MOSI_COVAREP.csd") as file:
        features = np.asarray(file["CMU_MOSI_COVAREP/data/vid_1/features"])
    np.testing.assert_allclose(corpus.cells("CMU_MOSI_COVAREP", [2]).values[0], np.nanmean(features[:20], axis=0), rtol=1e-5)


def test_csd_aligned_entries(tmp_path):
    """After the SDK's alignment every entry is one segment."""
    names = ["v[0]", "v[1]", "w[0]"]
    write_csd(tmp_path / "labels.csd", {name: ([[row - 1.0]], [[0, 1]]) for row, name in enumerate(names)})
    write_csd(tmp_path / "a.csd", {name: (np.full((2, 3), row + 1.0), [[0, 9], [9, 20]]) for row, name in enumerate(names)})
    corpus = import_csd(tmp_path, tmp_path / "c")
    assert corpus.ids.tolist() == names
    assert corpus.groups is not None
    assert corpus.groups.tolist() == ["v", "v", "w"]
    assert [len(each) for each in corpus.cells("a", [0, 1, 2]).values] == [2, 2, 2]


@pytest.mark.parametrize("shape", [(0, 3), (0, 0), (0,)])
def test_csd_an_entry_without_steps_is_a_row_without_that_modality(tmp_path, shape):
    times = [[0, 1], [1, 2]]
    none = (np.zeros(shape), np.zeros((0, 2)) if len(shape) > 1 else np.zeros(0))
    write_csd(tmp_path / "labels.csd", {"v": ([[1.0], [2.0]], times), "w": ([[-1.0], [0.0]], times), "x": none})
    write_csd(tmp_path / "a.csd", {"v": none, "w": (np.ones((2, 3)), times)})
    with h5py.File(tmp_path / "a.csd", "r+") as file:
        file["a/data"].create_group("x").create_dataset("features", data=h5py.Empty("f4"))
        file["a/data/x"]["intervals"] = np.zeros((0, 2))
    corpus = import_csd(tmp_path, tmp_path / "c")
    assert corpus.ids.tolist() == ["v[0]", "v[1]", "w[0]", "w[1]"]
    assert corpus.present("a").tolist() == [False, False, True, True]
    np.testing.assert_array_equal(np.stack(corpus.cells("a", [2, 3]).values), np.ones((2, 1, 3)))


def test_csd_packed_numbers_are_read_however_well_they_pack(tmp_path):
    write_csd(tmp_path / "labels.csd", {"v": ([[1.0]], [[0, 1]])})
    write_csd(tmp_path / "a.csd", {"v": ([[1.0]], [[0, 1]])})
    with h5py.File(tmp_path / "a.csd", "r+") as file:
        entry = file["a/data/v"]
        del entry["features"]
        entry.create_dataset("features", data=np.full((1, 2**20), 7.0), chunks=(1, 2**20), compression="gzip", compression_opts=9)
    assert set(import_csd(tmp_path, tmp_path / "c").cells("a", [0]).values[0].ravel()) == {7.0}


def test_csd_with_several_values_a_segment_asks_which(tmp_path):
    write_csd(tmp_path / "labels.csd", {"v": ([[1.0, 0.2], [-2.0, 0.1]], [[0, 1], [1, 2]])})
    write_csd(tmp_path / "a.csd", {"v": (np.ones((4, 2)), [[0, 0.5], [0.5, 1], [1, 1.5], [1.5, 2]])})
    with pytest.raises(ValueError, match=r"labels\.csd: entry 'v': 2 values a segment; say with label_column \(0 to 1\)"):
        import_csd(tmp_path, tmp_path / "c")
    assert import_csd(tmp_path, tmp_path / "c", label_column=0).target.tolist() == [1, -2]


def change(path, function):
    with h5py.File(path, "r+") as file:
        function(file[f"{path.stem}/data"])


def cut(path):
    path.write_bytes(path.read_bytes()[:900])


REFUSED_CSD = {
    "COVAREP.csd: entry 'vid_3' has no intervals": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd", lambda e: e["vid_3"].pop("intervals")
    ),
    "COVAREP.csd: entry 'vid_3': 50 features but 49 intervals": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd",
        lambda e: (e["vid_3"].pop("intervals"), e["vid_3"].create_dataset("intervals", data=np.zeros((49, 2)))),
    ),
    r"COVAREP.csd: entry 'vid_3': features \(50,\)": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd",
        lambda e: (e["vid_3"].pop("features"), e["vid_3"].create_dataset("features", data=np.zeros(50))),
    ),
    "COVAREP.csd: segment 'vid_3.0.': steps of 3 float64; expected 4": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd",
        lambda e: (e["vid_3"].pop("features"), e["vid_3"].create_dataset("features", data=np.zeros((50, 3)))),
    ),
    "COVAREP.csd: entry 'vid_2': an interval is not finite": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd", lambda e: e["vid_2"]["intervals"].__setitem__((0, 0), np.nan)
    ),
    "COVAREP.csd: entry 'vid_0' is a link": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd", lambda e: e.__setitem__("vid_0", h5py.ExternalLink("CMU_MOSI_Opinion_Labels.csd", "/"))
    ),
    "COVAREP.csd: entry 'vid_3': its array of features lies in another file": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd",
        lambda e: (
            e["vid_3"].pop("features"),
            e["vid_3"].create_dataset("features", (50, 4), "f4", external=[(str(d / "split.csv"), 0, 800)]),
        ),
    ),
    "COVAREP.csd: entry 'vid_3': its array of features of shape .* has more than": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd",
        lambda e: (e["vid_3"].pop("features"), e["vid_3"].create_dataset("features", (10**12, 4), "f4", chunks=(100, 4))),
    ),
    r"COVAREP.csd: entry 'vid_3': its array of features of shape \(1000000, 4\) claims 16,000,000 bytes, .* holds 0": lambda d: (
        change(
            d / "CMU_MOSI_COVAREP.csd",
            lambda e: (e["vid_3"].pop("features"), e["vid_3"].create_dataset("features", (10**6, 4), "f4", chunks=(100, 4))),
        )
    ),
    r"COVAREP.csd: entry 'vid_3': features \(0, 4\) and intervals \(50, 2\)": lambda d: change(
        d / "CMU_MOSI_COVAREP.csd",
        lambda e: (e["vid_3"].pop("features"), e["vid_3"].create_dataset("features", data=np.zeros((0, 4)))),
    ),
    "COVAREP.csd.* cannot be read as HDF5": lambda d: cut(d / "CMU_MOSI_COVAREP.csd"),
    "COVAREP.csd: expected one group with the group data": lambda d: h5py.File(d / "CMU_MOSI_COVAREP.csd", "w").close(),
    "COVAREP.csd: none of 10 labelled segments": lambda d: write_csd(
        d / "CMU_MOSI_COVAREP.csd", {"other": (np.ones((1, 2)), [[0, 1]])}
    ),
    "Words.csd: segment 'vid_0.0.': a word is not UTF-8": lambda d: write_csd(
        d / "CMU_MOSI_TimestampedWords.csd", {"vid_0": (np.array([[b"\xff\xfe"]]), [[0, 1]])}
    ),
    "Labels.csd: row 'vid_1.0.': label 7.0; expected": lambda d: change(
        d / LABELS, lambda e: e["vid_1"]["features"].__setitem__((0, 0), 7)
    ),
    "Labels.csd: entry 'vid_1': a label is not finite": lambda d: change(
        d / LABELS, lambda e: e["vid_1"]["features"].__setitem__((0, 0), np.nan)
    ),
    "split.csv says nothing of 1 videos, the first 'vid_4'": lambda d: (d / "split.csv").write_text(
        "video,split\n" + "".join(f"vid_{v},train\n" for v in range(4))
    ),
    "split.csv, row 2: video 'vid_0' is test": lambda d: (d / "split.csv").write_text("video,split\nvid_0,train\nvid_0,test\n"),
    "split.csv: expected the columns": lambda d: (d / "split.csv").write_text("a,b\n1,2\n"),
}


@pytest.mark.parametrize("said", REFUSED_CSD)
def test_csd_refuses(tmp_path, said):
    make_csd(tmp_path)
    REFUSED_CSD[said](tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=said):
        import_csd(tmp_path, tmp_path / "c", split=tmp_path / "split.csv")
    assert sorted(tmp_path.iterdir()) == before


def test_csd_says_which_files_there_are(tmp_path):
    make_csd(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"CMU_MOSI_COVAREP\.csd.*; nope is not among them"):
        import_csd(tmp_path, tmp_path / "c", modalities={"a": "nope"})
    (tmp_path / LABELS).unlink()
    with pytest.raises(FileNotFoundError, match="say which holds the labels"):
        import_csd(tmp_path, tmp_path / "c")


# Raw clips


def test_raw(tmp_path):
    make_raw(tmp_path)
    corpus = import_raw(tmp_path, tmp_path / "c", rate=8000)
    assert {name: modality.kind for name, modality in corpus.modalities.items()} == {
        "text": "text",
        "audio": "audio",
        "video": "video",
    }
    assert corpus.ids.tolist() == [f"v{max(0, row - 1)}_{row:04d}" for row in range(6)]
    assert corpus.has_target.tolist() == [True, False, True, True, True, True]
    assert corpus.target[0] == -1.5
    assert corpus.cells("text", [3]).values == ['it was "3", said they']
    assert corpus.cells("video", [2]).values[0] == (tmp_path / "Raw" / "v1" / "0002.mp4").read_bytes()
    assert abs(len(corpus.cells("audio", [2]).values[0]) - 3200) < 2100
    split = corpus.split("given")
    assert [len(part) for part in (split.train, split.labelled, split.valid, split.test)] == [4, 3, 1, 1]
    assert not (tmp_path / "c" / "errors.json").exists()


RAW_FAULTS = {
    "is not a readable video": lambda d: (d / "Raw/v0/0001.mp4").write_bytes(b"no film"),
    "no file .*v0/0001.mp4": lambda d: (d / "Raw/v0/0001.mp4").unlink(),
    "the file is empty": lambda d: (d / "Raw/v0/0001.mp4").write_bytes(b""),
    "it holds no sound": lambda d: write_clip(d / "Raw/v0/0001.mp4", sound=False),
    "0099.webm has no row in label.csv": lambda d: write_clip(d / "Raw/v0/0099.mp4").rename(d / "Raw/v0/0099.webm"),
}


@pytest.mark.parametrize("said", RAW_FAULTS)
def test_raw_faults_fail_or_are_listed(tmp_path, said):
    make_raw(tmp_path)
    RAW_FAULTS[said](tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        import_raw(tmp_path, tmp_path / "c")
    assert not (tmp_path / "c").exists()
    corpus = import_raw(tmp_path, tmp_path / "c", on_error="skip")
    assert len(corpus) == 6
    absent = {name: np.flatnonzero(~corpus.present(name)).tolist() for name in ("audio", "video")}
    unlisted = "no row" in said
    assert absent == {"audio": [] if unlisted else [1], "video": [] if unlisted or "sound" in said else [1]}
    assert len(json.loads((tmp_path / "c" / "errors.json").read_text())) == 1
    assert corpus.schema.about["skipped"] == "1 files, see errors.json"


def relabel(folder, old, new):
    path = folder / "label.csv"
    path.write_text(path.read_text(encoding="utf-8-sig").replace(old, new, 1), encoding="utf-8")


REFUSED_RAW = {
    r"label\.csv: there is no column clip_id": lambda d: relabel(d, "clip_id", "clip"),
    r"label\.csv: column 'label', row 1: 'good' is not a number": lambda d: relabel(d, "-1.5", "good"),
    r"label\.csv: row 'v0_0000': label -9": lambda d: relabel(d, "-1.5", "-9"),
    r"label\.csv: column 'mode', row 1: 'tran' is none": lambda d: relabel(d, "l,train", "l,tran"),
    r"label\.csv: column 'video_id', row 1: '../v0' is no video_id": lambda d: relabel(d, "v0,", "../v0,"),
    r"label\.csv: id 'v0_0000' stands in rows 1 and 2": lambda d: relabel(d, "v0,0001", "v0,0000"),
    r"label\.csv: video 'v0' stands in test .* and in train": lambda d: relabel(d, "l,train", "l,test"),
    r"label\.csv: column 'clip_id', row 1: None is no": lambda d: relabel(d, "v0,0000", "v0,"),
    "are both this clip": lambda d: shutil.copy(d / "Raw/v0/0000.mp4", d / "Raw/v0/0000.mov"),
}


@pytest.mark.parametrize("said", REFUSED_RAW)
def test_raw_refuses(tmp_path, said):
    make_raw(tmp_path)
    REFUSED_RAW[said](tmp_path)
    with pytest.raises(ValueError, match=said):
        import_raw(tmp_path, tmp_path / "c", on_error="skip")
    assert not (tmp_path / "c").exists()


# The command line


def test_commands_print_counts_and_the_hash(tmp_path, capsys):
    path = write_mmsa(tmp_path / "a.pkl")
    assert main(["import", "mmsa", str(path), "--dataset", "mosi", "--out", str(tmp_path / "c")]) == 0
    said = capsys.readouterr().out
    assert "counts: 9 train, 3 valid, 4 test, 16 in all" in said
    assert "id hash: " in said
    assert "vision: 3 rows hold nothing but zeros" in said
    path.write_bytes(path.read_bytes()[:500])
    assert main(["import", "mmsa", str(path), "--dataset", "mosi", "--out", str(tmp_path / "d")]) == 2
    assert "a.pkl is not a pickle" in capsys.readouterr().err
    make_csd(tmp_path)
    assert main(["import", "csd", str(tmp_path), "--split", str(tmp_path / "split.csv"), "--out", str(tmp_path / "e")]) == 0
    make_raw(tmp_path)
    assert main(["import", "raw", str(tmp_path), "--out", str(tmp_path / "f"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))["rows"] == 6
