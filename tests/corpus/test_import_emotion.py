"""IEMOCAP's two protocols: MMIN's ten folds by speaker, and MulT's four yes-or-no decisions, with the traps of their card."""

import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from corpus.made_emotion import SPEAKERS, WIDTHS, make_iemocap, mult, utterances, write_mult, write_part
from understudy.corpus.importers import import_iemocap, import_mult
from understudy.prepare.sequence import Sequence


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder, read only."""
    folder = tmp_path_factory.mktemp("iemocap")
    make_iemocap(folder)
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(made, tmp_path / "in"))


def test_folds_are_by_speaker_and_test_each_row_once(made, tmp_path):
    corpus = import_iemocap(made, tmp_path / "c")
    known = utterances()
    assert corpus.task.classes == ("angry", "happy", "neutral", "sad")
    assert dict(zip(corpus.ids.tolist(), corpus.target.tolist(), strict=True)) == known
    assert sorted(set(corpus.groups.tolist())) == sorted(SPEAKERS)
    assert corpus.splits == tuple(f"fold-{number:02d}" for number in range(1, 11))
    splits = [corpus.split(name) for name in corpus.splits]
    assert sorted(np.concatenate([split.test for split in splits]).tolist()) == list(range(len(known)))
    for split in splits:
        speakers = {part: set(corpus.groups[getattr(split, part)]) for part in ("train", "valid", "test")}
        assert len(speakers["valid"]) == len(speakers["test"]) == 1
        assert len(speakers["train"]) == 8
        sessions = {part: {each[:5] for each in own} for part, own in speakers.items()}
        assert sessions["valid"] == sessions["test"]
        assert not sessions["train"] & sessions["test"]


def test_padding_goes_and_what_is_zero_or_not_there_is_absent(made, tmp_path):
    corpus = import_iemocap(made, tmp_path / "c")
    names, place = list(utterances()), {name: row for row, name in enumerate(corpus.ids.tolist())}
    assert np.flatnonzero(~corpus.present("visual")).tolist() == sorted(place[name] for name in names[:2])
    assert corpus.present("audio").all()
    assert corpus.present("text").all()
    about = corpus.schema.about
    assert about["visual"] == "1 rows have no entry and are absent; 1 rows hold nothing but zeros and are absent"
    assert about["audio"].startswith("1 numbers not finite")
    rows = [place[name] for name in names[:4]]
    for modality, width in zip(("audio", "visual", "text"), WIDTHS.values(), strict=True):
        assert corpus.modalities[modality].width == width
        steps = corpus.cells(modality, rows).values
        assert steps[3].shape == (2, width)
    audio = corpus.cells("audio", rows).values
    assert [len(each) for each in audio] == [2, 3, 4, 2]
    assert np.argwhere(np.isnan(audio[2])).tolist() == [[1, 5]]


def test_scalers_are_fitted_on_the_train_rows_of_a_fold(folder, tmp_path):
    fitted = []
    for out in ("one", "other"):
        corpus = import_iemocap(folder, tmp_path / out)
        split = corpus.split("fold-01")
        fitted.append(Sequence().fit(corpus.cells("audio", split.train)).state()["standard"])
        test = corpus.ids[split.test].tolist()
        with h5py.File(folder / "A" / "comparE.h5", "r+") as file:
            for name in test:
                file[name][:] = file[name][()] * 100 + 7
    assert fitted[0] == fitted[1]


def test_labels_as_numbers_and_own_names(folder, tmp_path):
    whole = import_iemocap(folder, tmp_path / "a")
    for path in folder.glob("target/*/*_label.npy"):
        np.save(path, np.load(path).argmax(axis=1))
    for path in folder.glob("target/*/*_int2name.npy"):
        np.save(path, np.load(path)[:, 0].astype(str))
    again = import_iemocap(folder, tmp_path / "b", classes=("A", "B", "C", "D"), features={"audio": "A/comparE"})
    assert again.target.tolist() == whole.target.tolist()
    assert again.task.classes == ("A", "B", "C", "D")
    assert again.split("fold-03").hash == whole.split("fold-03").hash
    assert again.schema.about["id_hash"] == whole.schema.about["id_hash"]
    assert list(again.modalities) == ["audio"]


def names_of(folder: Path, fold: int, stem: str) -> list[str]:
    return [each[0].decode() for each in np.load(folder / "target" / str(fold) / f"{stem}_int2name.npy")]


def two_labels(folder):
    path = folder / "target" / "2" / "trn_label.npy"
    np.save(path, np.roll(np.load(path), 1, axis=1))


def tested_twice(folder):
    own, known = names_of(folder, 3, "tst"), utterances()
    write_part(folder / "target" / "2", "tst", [*names_of(folder, 2, "tst"), own[0]], known)


def crossing_speaker(folder):
    known = utterances()
    tested = names_of(folder, 1, "tst")
    write_part(folder / "target" / "1", "val", [*names_of(folder, 1, "val"), tested[0]], known)
    write_part(folder / "target" / "1", "tst", tested[1:], known)


def in_two_parts(folder):
    write_part(folder / "target" / "1", "val", names_of(folder, 1, "tst"), utterances())


def crossing_session(folder):
    known = utterances()
    write_part(folder / "target" / "1", "trn", [*names_of(folder, 1, "trn"), names_of(folder, 1, "val")[0]], known)


def no_utterance(folder):
    np.save(folder / "target" / "1" / "val_int2name.npy", np.array([[b"somebody"]] * 4))


def pickled(folder):
    np.save(folder / "target" / "1" / "val_label.npy", np.array([{}, {}, {}, {}], object), allow_pickle=True)


def not_one_hot(folder):
    np.save(folder / "target" / "1" / "val_label.npy", np.ones((4, 4)))


def fewer_labels(folder):
    np.save(folder / "target" / "1" / "val_label.npy", np.eye(4)[:3])


def other_width(folder):
    name = next(iter(utterances()))
    with h5py.File(folder / "A" / "comparE.h5", "r+") as file:
        del file["Ses05F_impro02_M003"]
        file["Ses05F_impro02_M003"] = np.ones((3, 9))
    assert name


def linked(folder):
    shutil.copy(folder / "A" / "comparE.h5", folder / "A" / "other.h5")
    with h5py.File(folder / "A" / "comparE.h5", "r+") as file:
        del file["Ses01F_impro01_F000"]
        file["Ses01F_impro01_F000"] = h5py.ExternalLink("other.h5", "Ses01F_impro01_F000")


def nothing_of_ours(folder):
    with h5py.File(folder / "V" / "denseface.h5", "w") as file:
        file["Ses01F_impro09_F000"] = np.ones((2, 342))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (two_labels, r"target/fold-02: '.*' is '.*', in another"),
        (tested_twice, "1 utterances are tested more than once"),
        (crossing_speaker, "group 'Ses01M' stands in valid and in test"),
        (in_two_parts, "stands in valid and in test of one fold"),
        (crossing_session, "is of session Ses01, which also trains"),
        (no_utterance, r"val_int2name\.npy, row 0: 'somebody'"),
        (pickled, r"val_label\.npy is not a \.npy file of numbers"),
        (not_one_hot, r"val_label\.npy: row 0: .* is no label of 4 classes"),
        (fewer_labels, r"val_label\.npy: 3 labels for 4 names"),
        (other_width, r"comparE\.h5: 'Ses05F_impro02_M003': float64 of shape \(3, 9\)"),
        (linked, r"comparE\.h5: it has no array 'Ses01F_impro01_F000'"),
        (nothing_of_ours, r"denseface\.h5: it has nothing of any of 40 utterances"),
        (lambda folder: shutil.rmtree(folder / "target"), "no folder .*target/1"),
        (lambda folder: (folder / "target" / "4" / "trn_label.npy").unlink(), r"no file .*4/trn_label\.npy"),
    ],
)
def test_a_spoilt_folder_is_one_error_and_leaves_nothing(folder, tmp_path, spoil, says):
    spoil(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        import_iemocap(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_one_emotion_or_not(tmp_path):
    data = mult()
    path = write_mult(tmp_path / "iemocap_data.pkl", data)
    corpora = {each: import_mult(path, tmp_path / each, emotion=each) for each in ("neutral", "happy", "sad", "angry")}
    for place, (emotion, corpus) in enumerate(corpora.items()):
        assert corpus.task.classes == (f"not {emotion}", emotion)
        wanted = np.concatenate([data[part]["labels"][:, place, 1] for part in ("train", "valid", "test")])
        assert corpus.target.tolist() == wanted.tolist()
    corpus = corpora["sad"]
    split = corpus.split("given")
    assert [len(each) for each in (split.train, split.valid, split.test)] == [12, 4, 6]
    assert corpus.groups is None
    assert "cannot be checked" in corpus.schema.about["groups"]
    assert np.flatnonzero(~corpus.present("vision")).tolist() == [1, 13, 17]
    assert corpus.modalities["text"].width == 300
    assert corpus.schema.about["audio"].startswith("3 numbers not finite")


def test_speakers_are_kept_apart_where_the_file_names_them(tmp_path):
    data = mult(named=True)
    corpus = import_mult(write_mult(tmp_path / "a.pkl", data), tmp_path / "a", emotion="happy")
    assert corpus.groups.tolist() == ["Ses01F"] * 12 + ["Ses02F"] * 4 + ["Ses03F"] * 6
    assert corpus.ids[0] == "Ses01F_impro01_F000"
    assert "groups" not in corpus.schema.about
    data["test"]["id"][0, 0] = "Ses01F_impro07_F009"
    path = write_mult(tmp_path / "b.pkl", data)
    with pytest.raises(ValueError, match=r"b\.pkl: .*group 'Ses01F' stands in train and in test"):
        import_mult(path, tmp_path / "b", emotion="happy")
    assert not (tmp_path / "b").exists()
    assert len(import_mult(path, tmp_path / "b", emotion="happy", across_speakers=True)) == 22


class Evil:
    def __reduce__(self):
        return print, ("run",)


def spoilt(what):
    data = mult()
    if what == "undecided":
        data["valid"]["labels"][2, 1] = 1
    if what == "nan":
        data["valid"]["labels"] = np.full((4, 4, 2), np.nan)
    if what == "shape":
        data["test"]["labels"] = data["test"]["labels"][:, :3]
    if what == "rows":
        data["train"]["audio"] = data["train"]["audio"][:5]
    if what == "missing":
        del data["train"]["labels"]
    if what == "evil":
        data["train"]["labels"] = Evil()
    return data


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("undecided", r"valid, labels, row 2: \[1, 1\] decides neither"),
        ("nan", "decides neither"),
        ("shape", r"test, labels: .* expected numbers \[N 4 2\]"),
        ("rows", "first dimensions differ"),
        ("missing", "train has no labels"),
        ("evil", "refused"),
    ],
)
def test_a_spoilt_pickle_is_one_error_and_leaves_nothing(tmp_path, what, says, capsys):
    path = tmp_path / "d.pkl"
    path.write_bytes(pickle.dumps(spoilt(what)))
    with pytest.raises(ValueError, match=rf"d\.pkl.*{says}"):
        import_mult(path, tmp_path / "out", emotion="happy")
    assert capsys.readouterr().out == ""
    assert [each.name for each in tmp_path.iterdir()] == ["d.pkl"]
