"""UCF101, UCF51 and ActivityNet: official lists, the class list of the sound, silent clips, groups, and spoilt files."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from corpus.made_action import CLASSES, SOUND, annotation, make_activitynet, make_ucf, ucf_clips
from corpus.made_sentiment import write_clip
from understudy.corpus import check
from understudy.corpus.importers import import_activitynet, import_ucf


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folders of both sets, read only."""
    folder = tmp_path_factory.mktemp("action")
    make_ucf(folder / "ucf")
    make_activitynet(folder / "net")
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(made, tmp_path / "in"))


def ucf(folder, out, **options):
    modalities = {"audio": folder / "ucf" / "audio", "visual": folder / "ucf" / "visual"}
    return import_ucf(folder / "ucf" / "lists", out, **{"modalities": modalities, "classes_of": "audio"} | options)


def net(folder, out, **options):
    modalities = {"audio": folder / "net" / "audio", "video": folder / "net" / "video"}
    return import_activitynet(folder / "net" / "annotation.json", out, **{"modalities": modalities} | options)


def test_the_classes_are_those_with_sound_and_the_splits_the_official_ones(made, tmp_path):
    corpus = ucf(made, tmp_path / "c")
    clips = {name: label for name, label in ucf_clips().items() if label in SOUND}
    assert corpus.task.classes == SOUND
    assert {name: SOUND[target] for name, target in zip(corpus.ids, corpus.target, strict=True)} == clips
    assert corpus.splits == ("split-1", "split-2")
    assert check(corpus).warnings == []
    for number in (1, 2):
        split = corpus.split(f"split-{number}")
        listed = {
            part: {Path(line.split()[0]).stem for line in (made / f"ucf/lists/{part}list0{number}.txt").read_text().splitlines()}
            for part in ("train", "test")
        }
        assert set(corpus.ids[split.test]) == listed["test"] & set(clips)
        assert set(corpus.ids[np.concatenate([split.train, split.valid])]) == listed["train"] & set(clips)
        assert len(split.valid) > 0
        takes = [set(corpus.groups[getattr(split, part)]) for part in ("train", "valid", "test")]
        assert not takes[0] & takes[1] | takes[0] & takes[2] | takes[1] & takes[2]
    assert corpus.groups[corpus.ids.tolist().index("v_Archery_g03_c02")] == "v_Archery_g03"
    everything = ucf(made, tmp_path / "d", classes_of="", valid=0.0)
    assert everything.task.classes == CLASSES
    assert len(everything.split("split-1").valid) == 0


def test_silent_clips_are_absent_and_counted_and_steps_become_a_mean_or_a_sequence(made, tmp_path):
    corpus = ucf(made, tmp_path / "c")
    silent = ["v_Archery_g08_c01", "v_Archery_g08_c02"]
    assert corpus.ids[~corpus.present("audio")].tolist() == silent
    assert corpus.present("visual").all()
    about = corpus.schema.about
    assert about["audio"] == "1 rows have no entry and are absent; 1 rows hold nothing but zeros and are absent"
    assert about["visual"] == "16 files of clips that are not listed"
    assert about["classes"] == "3 of 4, those with a folder of audio"
    row = corpus.ids.tolist().index("v_Archery_g01_c01")
    steps = np.load(made / "ucf/audio/Archery/v_Archery_g01_c01.npy")
    np.testing.assert_allclose(corpus.cells("audio", [row]).values[0], steps.mean(axis=0), rtol=1e-5)
    whole = ucf(made, tmp_path / "d", steps="sequence")
    assert (whole.modalities["audio"].kind, whole.modalities["visual"].kind) == ("sequence", "vector")
    np.testing.assert_array_equal(whole.cells("audio", [row]).values[0], steps)


def test_videos_are_taken_as_they_are(folder, tmp_path):
    films = tmp_path / "films"
    for label in SOUND:
        name = next(name for name, own in ucf_clips().items() if own == label)
        write_clip(films / label / f"{name}.avi")
    corpus = ucf(folder, tmp_path / "c", modalities={"audio": folder / "ucf/audio", "film": films})
    assert corpus.modalities["film"].kind == "video"
    assert corpus.present("film").sum() == 3
    path = next(films.glob("*/*.avi"))
    path.write_bytes(b"no film")
    with pytest.raises(ValueError, match=path.name):
        ucf(folder, tmp_path / "d", modalities={"audio": folder / "ucf/audio", "film": films})
    skipped = ucf(folder, tmp_path / "d", modalities={"audio": folder / "ucf/audio", "film": films}, on_error="skip")
    assert skipped.present("film").sum() == 2
    assert (skipped.folder / "errors.json").is_file()


def edit(path, old, new):
    def spoil(folder):
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new, 1))

    return spoil


def save(path, array, **options):
    return lambda folder: np.save(folder / path, array, **options)


LISTS = "ucf/lists"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (edit(f"{LISTS}/classInd.txt", "2 Archery", "3 Archery"), r"classInd\.txt, line 2: '3 Archery'"),
        (edit(f"{LISTS}/trainlist01.txt", "Archery/", "Bowling/"), r"trainlist01\.txt, line \d+: .* a class in classInd"),
        (edit(f"{LISTS}/trainlist01.txt", ".avi 1", ".avi 2"), r"trainlist01\.txt, line 1: .*ApplyEyeMakeup has 1 behind it"),
        (edit(f"{LISTS}/testlist01.txt", ".avi", ".avi 1"), r"testlist01\.txt, line 1: .* nothing behind it"),
        (
            edit(f"{LISTS}/testlist01.txt", "v_Archery_g01_c01", "v_Archery_g05_c01"),
            r"testlist01\.txt: 'v_Archery_g05_c01' stands in trainlist01\.txt too",
        ),
        (
            edit(f"{LISTS}/trainlist02.txt", "v_Archery_g05_c01", "v_Archery_g02_c09"),
            "split 'split-2': group 'v_Archery_g02' stands in (train|test) and in (train|test)",
        ),
        (lambda folder: (folder / LISTS / "testlist01.txt").unlink(), r"no file .*testlist01\.txt"),
        (lambda folder: (folder / "ucf/audio/Bowling").mkdir(), "has no class of that name: Bowling"),
        (save("ucf/visual/v_Archery_g01_c01.npy", np.ones((2, 3, 4))), r"v_Archery_g01_c01\.npy: .*shape \(2, 3, 4\)"),
        (save("ucf/visual/v_Archery_g01_c01.npy", np.ones(4)), r"v_Archery_g01_c01\.npy: .*D = 512"),
        (
            save("ucf/visual/v_Archery_g01_c01.npy", np.array([{}], object), allow_pickle=True),
            r"v_Archery_g01_c01\.npy is not a \.npy file of numbers",
        ),
        (
            lambda folder: shutil.copy(folder / "ucf/visual/v_Archery_g01_c01.npy", folder / "ucf/audio/v_Archery_g01_c01.npy"),
            "are both of one clip",
        ),
        (lambda folder: shutil.rmtree(folder / "ucf/visual"), "no folder .*visual"),
        (lambda folder: [path.unlink() for path in (folder / "ucf/visual").iterdir()], "visual holds none of 48 clips"),
    ],
)
def test_spoilt_lists_and_features_are_one_error_and_leave_nothing(folder, tmp_path, spoil, says):
    spoil(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        ucf(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_activitynet_keeps_a_video_together(made, tmp_path):
    corpus = net(made, tmp_path / "c")
    split = corpus.split("given")
    document = annotation()["database"]
    assert set(corpus.ids[split.test]) == {name for name, entry in document.items() if entry["subset"] == "validation"}
    assert len(split.valid) == 3
    assert len(set(corpus.groups[split.valid])) == 1
    assert corpus.groups[0] == "v_abc-_XYZ000"
    assert corpus.modalities["video"].width == 512
    given = pickle.loads((made / "net/video/training_video_features.pkl").read_bytes())
    name = next(iter(given))
    np.testing.assert_array_equal(corpus.cells("video", [corpus.ids.tolist().index(name)]).values[0], given[name])
    assert corpus.schema.about["counts"] == "24 training, 12 validation"


def test_annotations_of_ccl_and_what_labels_does_not_name(folder, tmp_path):
    document = annotation(inner=True)
    database = document["database"]
    first, second, *_ = database
    database[first]["annotations"]["label"] = "Juggling"
    database[second] = {"subset": "testing", "annotations": []}
    (folder / "net/annotation.json").write_text(json.dumps(document))
    corpus = net(folder, tmp_path / "c")
    assert len(corpus) == len(database) - 2
    said = "1 clips of classes that labels does not name; 1 clips of subset 'testing'"
    assert corpus.schema.about["left_out"] == said


class Evil:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            edit("net/annotation.json", '"validation"', '"training"'),
            "annotation.*group 'v_abc-_XYZ008' stands in train and in test",
        ),
        (
            edit("net/annotation.json", '"label": "Shaving"', '"name": "Shaving"'),
            r"annotation\.json: clip 'v_.*': .* has no label",
        ),
        (edit("net/annotation.json", '"labels"', '"names"'), "it lacks 'labels'"),
        (edit("net/annotation.json", '"Playing polo", "Shaving"', '"Shaving", "Shaving"'), "1 different ones"),
        (lambda folder: (folder / "net/annotation.json").write_text("[" * 100_000), "nested without end"),
        (
            lambda folder: (folder / "net/video/training_video_features.pkl").write_bytes(pickle.dumps({"v_a": Evil()})),
            r"training_video_features\.pkl .*refused",
        ),
        (
            lambda folder: (folder / "net/video/training_video_features.pkl").write_bytes(pickle.dumps([1])),
            r"training_video_features\.pkl: expected a dict",
        ),
    ],
)
def test_spoilt_annotations_are_one_error_and_leave_nothing(folder, tmp_path, spoil, says, capsys):
    spoil(folder)
    with pytest.raises(ValueError, match=says):
        net(folder, tmp_path / "out")
    assert capsys.readouterr().out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
