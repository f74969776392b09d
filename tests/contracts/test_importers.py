"""Every importer: checksums, no group in two parts, units in range; malformed input gives one clear error and no folder."""

import gzip
import io
import json
import shutil
import tarfile
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.made_action import make_activitynet, make_ucf
from corpus.made_emotion import make_iemocap, write_mult
from corpus.made_retrieval import clips, make_stamps, make_wikipedia, write_layout_a
from corpus.made_sentiment import make_csd, make_raw, write_mmsa
from corpus.made_vision_language import make_snli_ve, make_vcr, make_vqa
from understudy.corpus import Corpus, check, importers
from understudy.tasks import Classification

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SPEAKERS = ("ann", "bob", "eve")


def make_table(folder: Path) -> None:
    """Two modalities with missing cells, a group, a split and an unlabelled row."""
    lines = ["name,who,part,age,job,review,y"]
    for row in range(24):
        part = ("train", "train", "valid", "test")[row // 6]
        age = "" if row == 3 else row + 20
        lines.append(f'n{row},g{row // 3},{part},{age},job {row % 3},"says ""{row}"", twice",{"" if row == 1 else row / 10}')
    (folder / "table.csv").write_bytes("\ufeff".encode() + "\r\n".join(lines).encode())


def make_mosi(folder: Path) -> None:
    random = np.random.default_rng(0)
    ids = [f"video{row // 2}_{row % 2}" for row in range(12)]
    lines = ["id,video,segment,split,split_bclstm,sentiment,transcript"]
    for row, name in enumerate(ids):
        part = ("train", "train", "valid", "test")[row // 2 % 4]
        lines.append(f"{name},video{row // 2},{row % 2},{part},{'test' if part == 'test' else 'train'},{row / 4 - 1},SAID {row}")
    (folder / "utterances.csv").write_text("\n".join(lines) + "\n")
    values: dict[str, Any] = {
        name: random.normal(size=(12, width)).astype(np.float32) for name, width in (("audio", 73), ("text", 100), ("video", 100))
    }
    np.savez(folder / "features.npz", id=np.array(ids), **values)


def wav(samples: int, rate: int = 8000) -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        sound.writeframes((np.sin(np.arange(samples)) * 30000).astype("<i2").tobytes())
    return sink.getvalue()


def make_av_digits(folder: Path) -> None:
    with tarfile.open(folder / "recordings.tar", "w") as archive:
        for number, (digit, speaker) in enumerate((d, s) for d in range(2) for s in SPEAKERS):
            for index in range(2):
                info = tarfile.TarInfo(f"recordings/{digit}_{speaker}_{index}.wav")
                content = wav(50 + 7 * number + index)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    random = np.random.default_rng(0)
    images = [",".join(map(str, [*random.integers(0, 256, 784), digit])) for digit in range(10) for _ in range(7)]
    (folder / "mnist_5k.csv.gz").write_bytes(gzip.compress("\n".join(images).encode()))


def import_table(folder: Path, out: Path) -> Corpus:
    spec = {"facts": "table:age,job", "words": "text:review"}
    return importers.import_table(folder / "table.csv", out, target="y", modalities=spec, id="name", group="who", split="part")


RUNS = {
    "import_table": (make_table, import_table, "table.csv"),
    "import_mfeat": (lambda folder: None, lambda folder, out: importers.import_mfeat(out, draws=1, labels=(50,)), None),
    "import_mosi": (make_mosi, lambda folder, out: importers.import_mosi(folder, out, leaky=True), "utterances.csv"),
    "import_av_digits": (
        make_av_digits,
        lambda folder, out: importers.import_av_digits(folder, folder, out, seed=3),
        "recordings.tar",
    ),
    "import_mmsa": (
        lambda folder: write_mmsa(folder / "aligned_50.pkl"),
        lambda folder, out: importers.import_mmsa(folder / "aligned_50.pkl", out, dataset="mosi"),
        "aligned_50.pkl",
    ),
    "import_csd": (
        make_csd,
        lambda folder, out: importers.import_csd(
            folder, out, labels="CMU_MOSI_Opinion_Labels.csd", dataset="mosi", split=folder / "split.csv"
        ),
        "CMU_MOSI_Opinion_Labels.csd",
    ),
    "import_wikipedia": (make_wikipedia, lambda folder, out: importers.import_wikipedia(folder, out), "raw_features.mat"),
    "import_stamps": (make_stamps, lambda folder, out: importers.import_stamps(folder, out, least=5), None),
    "import_av_hdf5": (
        lambda folder: write_layout_a(folder / "vegas.h5", clips()),
        lambda folder, out: importers.import_av_hdf5(folder / "vegas.h5", out),
        "vegas.h5",
    ),
    "import_iemocap": (make_iemocap, lambda folder, out: importers.import_iemocap(folder, out), "A/comparE.h5"),
    "import_mult": (
        lambda folder: write_mult(folder / "iemocap_data.pkl"),
        lambda folder, out: importers.import_mult(folder / "iemocap_data.pkl", out, emotion="sad"),
        "iemocap_data.pkl",
    ),
    "import_ucf": (
        make_ucf,
        lambda folder, out: importers.import_ucf(
            folder / "lists", out, modalities={"audio": folder / "audio", "visual": folder / "visual"}, classes_of="audio"
        ),
        "lists/classInd.txt",
    ),
    "import_activitynet": (
        make_activitynet,
        lambda folder, out: importers.import_activitynet(
            folder / "annotation.json", out, modalities={"audio": folder / "audio", "video": folder / "video"}
        ),
        "annotation.json",
    ),
    "import_vcr": (
        make_vcr,
        lambda folder, out: importers.import_vcr(folder / "annotations", folder / "images", out),
        "annotations/val.jsonl",
    ),
    "import_snli_ve": (
        make_snli_ve,
        lambda folder, out: importers.import_snli_ve(folder, folder / "images", out),
        "snli_ve_dev.jsonl",
    ),
    "import_vqa": (
        make_vqa,
        lambda folder, out: importers.import_vqa(folder, folder / "images", out),
        "v2_mscoco_val2014_annotations.json",
    ),
    "import_raw": (make_raw, lambda folder, out: importers.import_raw(folder, out), "label.csv"),
}


@pytest.mark.parametrize("name", importers.__all__)
@pytest.mark.filterwarnings("ignore:MOSI split", "ignore:.*equally many recordings", "ignore:.*train/valid/test rows")
def test_importer(tmp_path, name):
    make, run, file = RUNS[name]
    (tmp_path / "in").mkdir()
    make(tmp_path / "in")
    corpus = run(tmp_path / "in", tmp_path / "out")
    found = check(corpus)
    assert found.errors == []
    assert not [warning for warning in found.warnings if "more than one part" in warning]
    assert corpus.splits
    again = run(tmp_path / "in", tmp_path / "again")
    assert again.fingerprint == corpus.fingerprint
    assert [again.split(each).hash for each in again.splits] == [corpus.split(each).hash for each in corpus.splits]
    with pytest.raises(ValueError, match="exists already"):
        run(tmp_path / "in", tmp_path / "out")
    if file is not None:
        content = (tmp_path / "in" / file).read_bytes()
        (tmp_path / "in" / file).write_bytes(content[: len(content) // 3])
        with pytest.raises(ValueError):
            run(tmp_path / "in", tmp_path / "cut")
        (tmp_path / "in" / file).unlink()
        with pytest.raises(FileNotFoundError, match=file):
            run(tmp_path / "in", tmp_path / "cut")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "in", "out"]


def test_mfeat(tmp_path):
    corpus = importers.import_mfeat(tmp_path / "c", draws=2)
    assert len(corpus) == 2000
    assert corpus.fingerprint == "83761cdff0541166677274fffef70f717c1683efd8a07dbed64f238683559468"
    assert check(corpus).facts["duplicate_rows"] == 12
    assert check(corpus).warnings == []
    assert corpus.splits == tuple(sorted(f"draw-{d}-{n}" for d in range(2) for n in (50, 100, 300)))
    split = corpus.split("draw-1-50")
    assert (len(split.train), len(split.valid), len(split.test), len(split.labelled)) == (1200, 0, 800, 50)
    assert np.bincount(corpus.target[split.test]).tolist() == [80] * 10
    assert np.bincount(corpus.target[split.labelled]).tolist() == [5] * 10
    assert set(split.labelled) <= set(corpus.split("draw-1-100").labelled)
    assert set(split.labelled) != set(corpus.split("draw-0-50").labelled)
    assert set(split.test) == set(corpus.split("draw-0-50").test)


@pytest.mark.filterwarnings("ignore:MOSI split")
def test_mosi_leaks_only_when_asked(tmp_path):
    make_mosi(tmp_path)
    with pytest.warns(UserWarning, match="MOSI split sdk has"):
        clean = importers.import_mosi(tmp_path, tmp_path / "clean")
    with pytest.warns(UserWarning, match="MOSI split sdk has"):
        leaky = importers.import_mosi(tmp_path, tmp_path / "leaky", leaky=True)
    assert list(clean.modalities) == ["text", "audio"]
    assert list(leaky.modalities) == ["text", "audio", "text_cnn", "video"]
    assert "leak" not in clean.schema.about
    assert "never use them on split sdk" in leaky.schema.about["leak"]
    assert clean.modalities["text"].source == ("transcript",)
    assert clean.task.to_json()["unit"] == "sentiment points"
    content = (tmp_path / "utterances.csv").read_text()
    for old, new, said in (
        (",-1.0,", ",-4.0,", "row 'video0_0': target"),
        ("sentiment", "feeling", "lacks the column sentiment"),
    ):
        (tmp_path / "utterances.csv").write_text(content.replace(old, new, 1))
        with pytest.raises(ValueError, match=said):
            importers.import_mosi(tmp_path, tmp_path / "no")
    (tmp_path / "utterances.csv").write_text(content.replace("video0_0,", "video9_9,", 1))
    with pytest.raises(ValueError, match="same ids"):
        importers.import_mosi(tmp_path, tmp_path / "no")
    (tmp_path / "utterances.csv").write_text(content.replace("1,train,train", "1,test,train", 1))
    with pytest.raises(ValueError, match="group 'video0' stands in train and in test"):
        importers.import_mosi(tmp_path, tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_av_digits_pairs_by_digit_and_never_twice(tmp_path):
    make_av_digits(tmp_path)
    corpus = importers.import_av_digits(tmp_path, tmp_path, tmp_path / "c", seed=1)
    assert corpus.splits == tuple(f"leave-{speaker}" for speaker in SPEAKERS)
    split = corpus.split("leave-eve")
    assert corpus.groups is not None
    assert set(corpus.groups[split.valid].tolist()) == {"ann"}
    assert set(corpus.groups[split.train].tolist()) == {"bob"}
    images = corpus.cells("image", np.arange(len(corpus))).values
    assert len({image.tobytes() for image in images}) == len(corpus) == 12
    lines = gzip.decompress((tmp_path / "mnist_5k.csv.gz").read_bytes()).decode().split()
    known = {bytes(map(int, line.split(",")[:-1])): int(line.rsplit(",", 1)[1]) for line in lines}
    assert [known[image.tobytes()] for image in images] == corpus.target.tolist()
    sounds = corpus.cells("audio", np.arange(len(corpus))).values
    assert sounds[0].shape == (50,)
    np.testing.assert_allclose(sounds[0], np.trunc(np.sin(np.arange(50)) * 30000) / 32768, atol=1e-7)
    other = importers.import_av_digits(tmp_path, tmp_path, tmp_path / "d", seed=2)
    assert other.fingerprint != corpus.fingerprint


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("0_ann.wav", wav(9), "is not named DIGIT_SPEAKER_INDEX"),
        ("0_ann_0.wav", b"RIFF", "cannot be read"),
        ("0_ann_0.wav", wav(9, rate=16000), "is not 8000 Hz"),
    ],
)
def test_av_digits_refuses_a_bad_recording(tmp_path, name, content, said):
    make_av_digits(tmp_path)
    (tmp_path / "recordings.tar").unlink()
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        importers.import_av_digits(tmp_path, tmp_path, tmp_path / "c")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["1,2,3", "1,2"], "cannot be read"),
        (["1,2,3"], "lines of 784"),
        ([",".join(["300"] * 784 + ["0"])], "lines of 784"),
        (["0" + ",0" * 784], "only 1 images"),
    ],
)
def test_av_digits_refuses_bad_images(tmp_path, lines, said):
    make_av_digits(tmp_path)
    (tmp_path / "mnist_5k.csv.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    with pytest.raises(ValueError, match=said):
        importers.import_av_digits(tmp_path, tmp_path, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_table(tmp_path):
    make_table(tmp_path)
    corpus = import_table(tmp_path, tmp_path / "c")
    assert corpus.task.kind == "regression"
    assert corpus.ids[5] == "n5"
    assert corpus.has_target.sum() == 23
    assert corpus.modalities["facts"].columns == {"age": "number", "job": "category"}
    assert corpus.modalities["facts"].source == ("age", "job")
    assert corpus.cells("words", [4]).values == ['says "4", twice']
    assert corpus.schema.about["inferred"] == "task: regression, from column 'y'; facts.age: number; facts.job: category"
    split = corpus.split("given")
    assert (len(split.train), len(split.labelled), len(split.valid), len(split.test)) == (12, 11, 6, 6)


def test_table_says_why_whole_numbers_are_classes(tmp_path):
    (tmp_path / "t.csv").write_text("a,stars\n" + "".join(f"{row},{row % 5 + 1}\n" for row in range(20)))
    stars = importers.import_table(tmp_path / "t.csv", tmp_path / "c", target="stars", modalities={"a": "vector:a"})
    assert stars.task.kind == "classification"
    assert stars.schema.about["inferred"].endswith("column 'stars': 5 whole numbers; for amounts say that the task is regression")


def test_table_by_mapping_file(tmp_path):
    rows = ["a_1,a_2,b,who,y"] + [f"{row},{row * 2},{row % 2},p{row},{(10, 9, 2)[row % 3]}" for row in range(9)]
    (tmp_path / "t.tsv").write_text("\n".join(rows).replace(",", "\t"))
    mapping = {
        "target": "y",
        "task": "classification",
        "modalities": {"pair": {"kind": "vector", "columns": ["a_*"]}, "flag": {"kind": "table", "columns": {"b": "category"}}},
    }
    (tmp_path / "map.json").write_text(json.dumps(mapping))
    corpus = importers.import_table(tmp_path / "t.tsv", tmp_path / "c", mapping=tmp_path / "map.json")
    assert corpus.task.to_json()["classes"] == ["2", "9", "10"]
    assert corpus.target[:3].tolist() == [2, 1, 0]
    assert corpus.modalities["pair"].source == ("a_1", "a_2")
    assert corpus.modalities["pair"].width == 2
    assert corpus.cells("flag", [1]).values["b"].tolist() == ["1"]
    assert "inferred" not in corpus.schema.about
    assert corpus.ids[0] == "row-1"
    everything = importers.import_table(
        tmp_path / "t.tsv", tmp_path / "d", mapping=tmp_path / "map.json", modalities={"all": ["*"]}, id="who"
    )
    assert everything.modalities["all"].source == ("a_1", "a_2", "b")
    assert everything.modalities["all"].kind == "vector"
    mapping["task"] = {"kind": "regression", "low": 0.0, "high": 9.0}
    (tmp_path / "map.json").write_text(json.dumps(mapping))
    with pytest.raises(ValueError, match=r"row 'row-1': target .*10\.0"):
        importers.import_table(tmp_path / "t.tsv", tmp_path / "e", mapping=tmp_path / "map.json")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (["a", "b", ""], "classification"),
        (["1", "0", "1"], "classification"),
        (["1.5", "0", "1"], "regression"),
        ([*"abc"], "classification"),
    ],
)
def test_table_infers_the_task(tmp_path, column, kind):
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(f"{row},{value}" for row, value in enumerate(column)))
    corpus = importers.import_table(tmp_path / "t.csv", tmp_path / "c", target="y", modalities={"x": "vector"})
    assert corpus.task.kind == kind


def test_table_takes_many_whole_numbers_for_a_regression(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(f"{row},{row}" for row in range(30)))
    assert (
        importers.import_table(tmp_path / "t.csv", tmp_path / "c", target="y", modalities={"x": "vector"}).task.kind
        == "regression"
    )


REFUSED = {
    "say which column is the target": {"target": None},
    "target column 'z' is not in the table; it has name": {"target": "z"},
    "modality 'm': no column 'q\\*'": {"modalities": {"m": "text:q*"}},
    "column 'y' is the target": {"modalities": {"m": "table:age,y"}},
    "expected kind": {"modalities": {"m": "film:review"}},
    "column 'job', row 1: .* is not a number": {"modalities": {"m": "vector:job"}},
    "audio needs a rate": {"modalities": {"m": "audio:review"}},
    "unknown task": {"task": "ranking"},
    "column 'y', row 1: class '0' is none of a": {"task": Classification(classes=("a", "b"))},
    "'job 0' is not a number": {"target": "job", "task": "regression", "modalities": {"m": "text:review"}},
    "stands in rows 1 and 2": {"id": "who", "group": "name"},
    "split column, row 'n0'": {"split": "job", "modalities": {"m": "text:review"}},
    "group 'job 0' stands in train and in": {"group": "job", "modalities": {"m": "text:review"}},
}


@pytest.mark.parametrize("said", REFUSED)
def test_table_refuses(tmp_path, said):
    make_table(tmp_path)
    given = {"target": "y", "modalities": {"facts": "table:age,job"}, "id": "name", "group": "who", "split": "part"} | REFUSED[
        said
    ]
    with pytest.raises(ValueError, match=said):
        importers.import_table(tmp_path / "table.csv", tmp_path / "c", **given)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_table_refuses_a_bad_mapping(tmp_path):
    make_table(tmp_path)
    for content in ("{", "[]", '{"targets": "y"}', '{"modalities": []}'):
        (tmp_path / "map.json").write_text(content)
        with pytest.raises(ValueError, match=r"map\.json"):
            importers.import_table(tmp_path / "table.csv", tmp_path / "c", mapping=tmp_path / "map.json")


@pytest.mark.skipif(not (DATA / "mosi").is_dir(), reason="needs the CMU-MOSI folder, which is not bundled")
def test_real_mosi(tmp_path):
    corpus = importers.import_mosi(DATA / "mosi", tmp_path / "c")
    found = check(corpus)
    assert (found.errors, found.warnings) == ([], [])
    sizes = {name: tuple(found.facts["splits"][name][part] for part in ("train", "valid", "test")) for name in corpus.splits}
    assert sizes == {"sdk": (1284, 229, 686), "bclstm": (1447, 0, 752)}
    shutil.rmtree(tmp_path / "c")
