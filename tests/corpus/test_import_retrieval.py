"""The retrieval sets' importers: both HDF5 layouts and their traps, the Wikipedia lists, the stamps' captions and groups."""

import shutil

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from corpus.made_retrieval import clips, make_stamps, make_wikipedia, write_layout_a, write_layout_b
from understudy.corpus import make_folds
from understudy.corpus.importers import import_av_hdf5, import_stamps, import_wikipedia

ROWS = np.arange(60)


def both(corpus, rows=ROWS):
    return [corpus.cells(name, rows).values for name in ("audio", "visual")]


def test_both_layouts_of_the_same_clips_give_the_same_corpus(tmp_path):
    data = clips()
    write_layout_a(tmp_path / "a.h5", data)
    write_layout_b(tmp_path / "b.h5", data)
    a, b = (import_av_hdf5(tmp_path / f"{name}.h5", tmp_path / name) for name in "ab")
    for one, other in zip(both(a), both(b), strict=True):
        np.testing.assert_array_equal(one, other)
    assert a.target.tolist() == b.target.tolist() == data["labels"].tolist()
    assert a.split("given").test.tolist() == b.split("given").test.tolist() == list(range(45, 60))
    assert a.schema.about["labels"] == "numbers from 0"
    assert "'1' is taken for test" in b.schema.about["Train_test"]


def test_scaling_is_fitted_on_train_rows_alone(tmp_path):
    data = clips()
    data["audio"][:, 0] = 3.0
    data["audio"][50, 1:] *= 100
    for scaling in ("train", "separate", "none"):
        write_layout_a(tmp_path / "a.h5", data)
        found = both(import_av_hdf5(tmp_path / "a.h5", tmp_path / scaling, scaling=scaling))[0]
        assert np.isfinite(found).all()
        if scaling == "none":
            np.testing.assert_allclose(found, data["audio"], rtol=1e-6)
            continue
        train = data["audio"][:45]
        width = np.where(np.ptp(train, axis=0) > 0, np.ptp(train, axis=0), 1)
        np.testing.assert_allclose(found[:45], (train - train.min(axis=0)) / width, rtol=1e-5, atol=1e-6)
        assert (np.abs(found[45:]).max() <= 1 + 1e-6) == (scaling == "separate")
    assert (found[:, 0] == 3).all()


@pytest.mark.parametrize("coding", ["from 1", "column", "one-hot", "float"])
def test_codings_of_labels(tmp_path, coding):
    data = clips()
    labels = {
        "from 1": data["labels"] + 1,
        "column": data["labels"][:, None],
        "one-hot": np.eye(3)[data["labels"]],
        "float": data["labels"].astype(np.float32),
    }[coding]
    write_layout_b(tmp_path / "b.h5", data, labels=labels)
    assert import_av_hdf5(tmp_path / "b.h5", tmp_path / "b").target.tolist() == data["labels"].tolist()


@pytest.mark.parametrize(
    ("parts", "test_value", "first"),
    [
        (np.where(ROWS >= 45, 2, 1), None, 45),
        (np.array([b"train"] * 30 + [b"test"] * 30), None, 30),
        (np.where(ROWS < 30, 1, 0), 0, 30),
    ],
)
def test_codings_of_the_parts(tmp_path, parts, test_value, first):
    write_layout_b(tmp_path / "b.h5", clips(), parts=parts)
    corpus = import_av_hdf5(tmp_path / "b.h5", tmp_path / "b", test_value=test_value)
    assert corpus.split("given").test.tolist() == list(range(first, 60))


def test_rows_of_zeros_are_absent_and_counted(tmp_path):
    data = clips()
    data["audio"][[3, 50]] = 0
    write_layout_a(tmp_path / "a.h5", data)
    corpus = import_av_hdf5(tmp_path / "a.h5", tmp_path / "a")
    assert np.flatnonzero(~corpus.present("audio")).tolist() == [3, 50]
    assert corpus.present("visual").all()
    assert corpus.schema.about["absent"].startswith("audio of 2 rows")


def test_folds_test_every_clip_once_and_need_no_scaling(tmp_path):
    write_layout_b(tmp_path / "b.h5", clips())
    corpus = import_av_hdf5(tmp_path / "b.h5", tmp_path / "b", protocol="folds", scaling="none")
    splits = [corpus.split(name) for name in corpus.splits]
    assert sorted(np.concatenate([split.test for split in splits]).tolist()) == list(range(60))
    for split in splits:
        assert np.bincount(corpus.target[split.test]).tolist() == [4, 4, 4]
        assert len(split.train) + len(split.valid) + len(split.test) == 60
    again = make_folds(corpus, folds=5, valid=0.08, seed=0)
    assert [each.test.tolist() for each in again] == [each.test.tolist() for each in splits]
    other = make_folds(corpus, folds=5, valid=0.08, seed=1)
    assert [each.test.tolist() for each in other] != [each.test.tolist() for each in splits]
    with pytest.raises(ValueError, match="scaling 'none'"):
        import_av_hdf5(tmp_path / "b.h5", tmp_path / "c", protocol="random")
    with pytest.raises(ValueError, match="folds=1"):
        make_folds(corpus, folds=1)


def spoilt(name):
    """What is done to the arrays of layout B, and what the error says."""
    data = clips()
    arrays = {"audio_feat": data["audio"], "visual_feat": data["visual"], "Label_ID": data["labels"]}
    arrays["Train_test"] = (ROWS >= 45).astype(int)
    if name == "missing":
        del arrays["Label_ID"]
    if name == "unequal":
        arrays["visual_feat"] = arrays["visual_feat"][:-1]
    if name == "base":
        arrays["Label_ID"] = arrays["Label_ID"] + 5
    if name == "gap":
        arrays["Label_ID"] = arrays["Label_ID"] * 2
    if name == "parts":
        arrays["Train_test"] = ROWS % 3
    if name == "even":
        arrays["Train_test"] = ROWS % 2
    if name == "nan":
        arrays["audio_feat"] = np.where(ROWS[:, None] == 3, np.nan, arrays["audio_feat"])
    return arrays


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "no array 'Label_ID'"),
        ("unequal", "paired by position"),
        ("base", "start at 5"),
        ("gap", r"classes \[0, 2, 4\]"),
        ("parts", "test_value"),
        ("even", "test_value"),
        ("nan", "finite"),
    ],
)
def test_traps_of_hdf5_are_errors_that_name_the_file(tmp_path, name, says):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        for key, array in spoilt(name).items():
            file[key] = array
    with pytest.raises(ValueError, match=f"b.h5.*{says}"):
        import_av_hdf5(tmp_path / "b.h5", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_classes_of_a_named_set_links_and_damage_are_errors(tmp_path):
    path = tmp_path / "a.h5"
    write_layout_a(path, clips())
    with pytest.raises(ValueError, match="expected each of 0 to 9"):
        import_av_hdf5(path, tmp_path / "out", dataset="vegas")
    write_layout_a(path, clips(classes=10))
    with pytest.raises(ValueError, match="5 columns, those of vegas have 128"):
        import_av_hdf5(path, tmp_path / "out", dataset="vegas")
    shutil.copy(path, tmp_path / "other.h5")
    with h5py.File(path, "r+") as file:
        del file["audio_train"]
        file["audio_train"] = h5py.ExternalLink("other.h5", "audio_train")
    with pytest.raises(ValueError, match="no array 'audio_train'"):
        import_av_hdf5(path, tmp_path / "out")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="cannot be read as HDF5"):
        import_av_hdf5(path, tmp_path / "out")


def test_wikipedia_keeps_the_published_test_rows_and_validates_on_train_rows(tmp_path):
    make_wikipedia(tmp_path)
    corpus = import_wikipedia(tmp_path, tmp_path / "out")
    split = corpus.split("given")
    assert split.test.tolist() == list(range(20, 28))
    assert sorted([*split.train, *split.valid]) == list(range(20))
    assert len(split.valid) == 4
    assert corpus.task.branches == ("image", "text")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "trainset_txt_img_cat.list").write_text("a b 3\n"), "line 1.*1 to 2"),
        (lambda f: (f / "testset_txt_img_cat.list").write_text("a b 1\n"), "I_te has 8 rows, but the list names 1"),
        (lambda f: savemat(f / "raw_features.mat", {"I_tr": 1}), "lacks I_te, T_tr, T_te"),
        (
            lambda f: savemat(
                f / "raw_features.mat", {k: np.array([{"a": 1}], object) for k in ("I_tr", "I_te", "T_tr", "T_te")}
            ),
            "no matrix of finite numbers",
        ),
        (lambda f: (f / "categories.list").write_text("art\n"), "two or more"),
    ],
)
def test_spoilt_wikipedia_folders(tmp_path, spoil, says):
    make_wikipedia(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ValueError, match=says):
        import_wikipedia(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_stamps(tmp_path):
    make_stamps(tmp_path / "in")
    corpus = import_stamps(tmp_path / "in", tmp_path / "out", least=5, side=50, rate=8000)
    ids = corpus.ids.tolist()
    assert corpus.task.classes == ("animals", "food")
    assert len(corpus) == 2 * 12
    assert "animals/inner/stamp2" not in ids
    assert np.asarray(ids)[~corpus.present("picture")].tolist() == ["animals/inner/stamp1", "food/inner/stamp1"]
    groups = dict(zip(ids, corpus.groups.tolist(), strict=True))
    assert groups["food/inner/mirror"] == groups["food/inner/stamp0"] != groups["food/inner/stamp3"]
    rows = np.arange(len(corpus))
    pictures, captions = corpus.cells("picture", rows), corpus.cells("caption", rows)
    assert {max(p.shape[:2]) for p, here in zip(pictures.values, pictures.present, strict=True) if here} == {50}
    assert captions.values[ids.index("animals/inner/stamp3")] == "Le animals 3 é."
    assert len(corpus.cells("speech", rows).values[0]) == pytest.approx(2400, abs=2)
    assert set(corpus.splits) == {"random", *(f"fold-{number}" for number in range(5))}


def test_a_broken_stamp_fails_or_is_left_out(tmp_path):
    make_stamps(tmp_path / "in")
    (tmp_path / "in/food/inner/stamp3.png").write_bytes(b"no picture")
    (tmp_path / "in/food/inner/stamp4_desc_fr.ogg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"stamp3\.png is not a readable picture"):
        import_stamps(tmp_path / "in", tmp_path / "out", least=5)
    corpus = import_stamps(tmp_path / "in", tmp_path / "out", least=5, on_error="skip")
    row = corpus.ids.tolist().index("food/inner/stamp3")
    assert not corpus.present("picture")[row]
    assert corpus.present("speech")[row]
    assert (corpus.folder / "errors.json").is_file()
    with pytest.raises(ValueError, match="need two"):
        import_stamps(tmp_path / "in", tmp_path / "none", language="xx")


@pytest.mark.parametrize(
    "raised", [IndexError("index out of range"), AttributeError("no header"), MemoryError(), OverflowError()]
)
def test_whatever_a_damaged_mat_file_raises_names_it(tmp_path, monkeypatch, raised):
    make_wikipedia(tmp_path)

    def damaged(*_, **__):
        raise raised

    monkeypatch.setattr("scipy.io.loadmat", damaged)
    with pytest.raises(ValueError, match=r"raw_features\.mat cannot be read as a MATLAB file"):
        import_wikipedia(tmp_path, tmp_path / "out")
