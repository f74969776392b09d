"""VCR, SNLI-VE, VQA v2 and VQA-CP v2 from their files: every trap, and one clear error a fault."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from corpus.made_vision_language import (
    lines,
    make_snli_ve,
    make_vcr,
    make_vqa,
    make_vqa_cp,
    picture,
    snli_row,
    vcr_row,
    vqa_entry,
)
from understudy.corpus import Corpus
from understudy.corpus.importers.json_rows import read_ids
from understudy.corpus.importers.snli_ve import flickr_parts, import_snli_ve
from understudy.corpus.importers.vcr import import_vcr
from understudy.corpus.importers.vqa import import_vqa
from understudy.corpus.low_shot import low_shot
from understudy.prepare.limits import Limits
from understudy.prepare.reader import MediaReader


def ids(corpus: Corpus, rows) -> set[str]:
    return set(corpus.ids[rows])


def edit(path: Path, change) -> None:
    """A JSON document, or the rows of JSON lines, changed in place."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        change(rows)
        lines(path, rows)
    else:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def vcr(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("vcr")
    make_vcr(folder)
    masked = [vcr_row("val", number) for number in range(8)]
    for row in masked:
        row["answer_choices"][0] = ["Yes", "[MASK]", [10000, 10001], "do"]
    lines(folder / "adv.jsonl", masked)
    import_vcr(folder / "annotations", folder / "images", folder / "corpus", shifted={"adv": folder / "adv.jsonl"}, test=True)
    return folder


def test_vcr_rows(vcr):
    corpus = Corpus(vcr / "corpus")
    place = {name: row for row, name in enumerate(corpus.ids)}
    texts = corpus.cells("text", np.arange(len(corpus))).values
    assert texts[place["train-1/answer"]][0] == "Does Riley feel 1 ? Yes , Casey Riley do ."
    assert texts[place["train-1/rationale"]][3] == "Does Riley feel 1 ? No , he does not Casey Jackie wait"
    assert texts[place["val-0/answer/adv"]][0] == "Does Casey feel 0 ? Yes [MASK] [MASK] [MASK] do"
    assert texts[place["val-0/answer/rule-singular"]][1] == "Does Casey feel 0 ? No , Casey does not"
    # The right answer is changed in its own row, and stands changed behind the question of the rationale's.
    assert texts[place["val-1/rationale/rule-singular"]][0] == "Does Riley feel 1 ? No , he does not Riley smiles"
    assert texts[place["test-0/rationale-2"]][1] == "Does Casey feel 0 ? She holds bottle Everyone stands"
    assert corpus.target[place["train-1/answer"]] == 1
    assert corpus.target[place["train-1/rationale"]] == 2
    assert not corpus.has_target[[place[f"test-0/{stage}"] for stage in ("answer", "rationale-0", "rationale-3")]].any()
    assert corpus.groups is not None
    assert corpus.groups[place["train-1/answer"]] == "train-0"
    assert corpus.modalities["text"].width == 4
    assert corpus.schema.about["questions"] == "train 40, test 8, rule-singular test 8, adv test 8, unlabelled 4"


def test_vcr_regions(vcr):
    corpus = Corpus(vcr / "corpus")
    row = int(np.flatnonzero(corpus.ids == "val-0/answer")[0])
    found, image = (corpus.cells(name, [row]).values[0] for name in ("regions", "image"))
    # The whole picture, persons 0 and 1 and the bottle; person 3 is not spoken of, and the fifth number of a box is its score.
    wanted = np.array([[0, 0, 48, 32], [0, 0, 24, 32], [4.5, 2, 40, 30], [10, 10, 20, 20]]) / [48, 32, 48, 32]
    np.testing.assert_allclose(found[:, :4], wanted, atol=1e-6)
    assert found.shape == (4, 4 + 768)
    assert found[:, 4:].min() >= 0
    assert found[:, 4:].max() <= 1
    left = image[:, :24].reshape(-1, 3).mean(axis=0) / 255
    np.testing.assert_allclose(found[1, 4:].reshape(16, 16, 3).mean(axis=(0, 1)), left, atol=0.05)
    said = int(np.flatnonzero(corpus.ids == "val-0/rationale")[0])
    # "Everyone" brings person 3, whose box reaches half a pixel over the edge and is cut.
    np.testing.assert_allclose(corpus.cells("regions", [said]).values[0][-1, :4], [1 / 48, 1 / 32, 1, 1], atol=1e-6)


def test_vcr_splits(vcr):
    corpus = Corpus(vcr / "corpus")
    assert corpus.splits == ("adv", "given", "rule-singular")
    given = corpus.split("given")
    stages = ("answer", "rationale")
    assert ids(corpus, given.test) == {f"val-{number}/{stage}" for number in range(8) for stage in stages}
    assert len(given.valid)
    assert {name.partition("-")[0] for name in ids(corpus, np.concatenate([given.train, given.valid]))} == {"train"}
    for name in ("adv", "rule-singular"):
        split = corpus.split(name)
        assert ids(corpus, split.test) == {f"val-{number}/{stage}/{name}" for number in range(8) for stage in stages}
        assert ids(corpus, split.valid) == ids(corpus, given.valid)
        assert ids(corpus, split.train) == ids(corpus, given.train)


def test_vcr_low_shot_and_features(vcr, tmp_path):
    (tmp_path / "keep.txt").write_text("\n".join(f"train-{number}" for number in range(21, 40)))
    for part in ("train", "val"):
        for row in [vcr_row(part, number) for number in range(0, {"train": 40, "val": 8}[part], 2)]:
            file = (tmp_path / "features" / row["img_fn"]).with_suffix(".npz")
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, features=np.arange(5)[:, None] + np.zeros((5, 3)))
    options = {"keep": tmp_path / "keep.txt", "features": tmp_path / "features"}
    corpus = import_vcr(vcr / "annotations", vcr / "images", tmp_path / "c", **options)
    given = corpus.split("given")
    kept = ids(corpus, np.concatenate([given.train, given.valid]))
    assert len(kept) == 2 * 19
    assert corpus.modalities["regions"].width == 3
    row = int(np.flatnonzero(corpus.ids == "val-0/answer")[0])
    assert corpus.cells("regions", [row]).values[0][:, 4].tolist() == [0, 1, 2, 3]
    np.savez(tmp_path / "features" / "movie_val" / "val_0@0.npz", features=np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"val.jsonl, line 1: .*val_0@0.npz has features of shape \(4, 3\)"):
        import_vcr(vcr / "annotations", vcr / "images", tmp_path / "d", **options)
    whole = (tmp_path / "features" / "movie_val" / "val_2@0.npz").read_bytes()
    for broken in (whole[: len(whole) // 2], whole.replace(b"NUMPY", b"NUMPI"), b""):
        (tmp_path / "features" / "movie_val" / "val_0@0.npz").write_bytes(broken)
        with pytest.raises(ValueError, match=r"val.jsonl, line 1: .*val_0@0.npz is not a .npz file of plain arrays"):
            import_vcr(vcr / "annotations", vcr / "images", tmp_path / "d", **options)
    (tmp_path / "keep.txt").write_text("train-21\nnobody\n")
    with pytest.raises(ValueError, match="'nobody' is no annot_id of"):
        import_vcr(vcr / "annotations", vcr / "images", tmp_path / "d", **options)
    assert not (tmp_path / "d").exists()


VCR = {
    r"train.jsonl, line 3: no file .*train_1@0.jpg": lambda f: (f / "images/movie_train/train_1@0.jpg").unlink(),
    r"train.jsonl, line 3: .*train_1@0.jpg is not a readable picture": lambda f: (
        f / "images/movie_train/train_1@0.jpg"
    ).write_text("x"),
    r"line 1: no file .*val_0@0.json": lambda f: (f / "images/movie_val/val_0@0.json").unlink(),
    r"line 1: .*val_0@0.json is not JSON": lambda f: (f / "images/movie_val/val_0@0.json").write_text("{"),
    r"line 1: .*val_0@0.json, box 1 \[4.5, 2.0, 50.0, 30.0\] does not lie in the picture of 48 x 32 pixels": lambda f: edit(
        f / "images/movie_val/val_0@0.json", lambda document: document["boxes"][1].__setitem__(2, 50.0)
    ),
    r"box 0 \[0.0, 0.0, 0.0, 32.0\] does not lie": lambda f: edit(
        f / "images/movie_val/val_0@0.json", lambda document: document["boxes"][0].__setitem__(2, 0.0)
    ),
    r"has 3 boxes for 4 objects": lambda f: edit(f / "images/movie_val/val_0@0.json", lambda document: document["boxes"].pop()),
    r"holds no 'boxes'": lambda f: edit(f / "images/movie_val/val_0@0.json", lambda document: document["boxes"][0].pop()),
    r"val_0@0.json holds no 'boxes' of x1, y1, x2, y2 and a score each": lambda f: edit(
        f / "images/movie_val/val_0@0.json", lambda document: document.update(boxes=[[0, 0, 9, 9]] * 5)
    ),
    r"val_0@0.json is not JSON: Exceeds the limit": lambda f: (f / "images/movie_val/val_0@0.json").write_text("9" * 5000),
    r"val.jsonl, line 2 is not JSON: .* surrogates not allowed": lambda f: edit(
        f / "annotations/val.jsonl", lambda rows: rows[1]["question"].append("\ud800")
    ),
    r"val.jsonl, line 2: annot_id 'val-0' stands in": lambda f: edit(
        f / "annotations/val.jsonl", lambda rows: rows[1].update(annot_id="val-0")
    ),
    r"line 1: '../x.jpg' is no name of a file": lambda f: edit(
        f / "annotations/val.jsonl", lambda rows: rows[0].update(img_fn="../x.jpg")
    ),
}


@pytest.mark.parametrize("fault", VCR)
def test_vcr_refuses(tmp_path, fault):
    make_vcr(tmp_path, train=6, val=2, test=0)
    VCR[fault](tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=fault):
        import_vcr(tmp_path / "annotations", tmp_path / "images", tmp_path / "c", valid=0.4)
    assert {path.name for path in tmp_path.iterdir()} == {"annotations", "images"}


def test_vcr_skips_what_cannot_be_read(tmp_path):
    make_vcr(tmp_path, train=6, val=2, test=0)
    for fault in list(VCR)[1:5:3]:
        VCR[fault](tmp_path)
    corpus = import_vcr(tmp_path / "annotations", tmp_path / "images", tmp_path / "c", valid=0.4, on_error="skip")
    present = dict(zip(corpus.ids, zip(corpus.present("image"), corpus.present("regions"), strict=True), strict=True))
    assert present["train-2/answer"] == present["train-3/rationale"] == (False, False)
    assert present["val-0/answer"] == (True, False)
    assert present["train-0/answer"] == (True, True)
    noted = json.loads((tmp_path / "c" / "errors.json").read_text())
    assert [each["file"] for each in noted] == ["train_1@0.jpg", "val_0@0.json"]


@pytest.mark.parametrize("name", ["given", "rule-plural", "", "a/b"])
def test_a_changed_set_has_a_name_of_its_own(tmp_path, name):
    make_vcr(tmp_path, train=4, val=2, test=0)
    with pytest.raises(ValueError, match="give it another name"):
        import_vcr(tmp_path / "annotations", tmp_path / "images", tmp_path / "c", shifted={name: tmp_path / "x.jsonl"})


def test_a_changed_set_is_of_the_val_rows(tmp_path):
    make_vcr(tmp_path, train=4, val=2, test=0)
    lines(tmp_path / "adv.jsonl", [vcr_row("val", 3)])
    with pytest.raises(ValueError, match=r"adv.jsonl, line 1: annot_id 'val-3' is none of"):
        import_vcr(tmp_path / "annotations", tmp_path / "images", tmp_path / "c", shifted={"adv": tmp_path / "adv.jsonl"})


@pytest.mark.parametrize("key", ["Flickr30K_ID", "Flikr30kID"])
@pytest.mark.parametrize("packed", [False, True])
def test_snli_ve(tmp_path, key, packed):
    make_snli_ve(tmp_path, key=key)
    if packed:
        for path in list(tmp_path.glob("*.jsonl")):
            path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    corpus = import_snli_ve(tmp_path, tmp_path / "images", tmp_path / "c")
    given = corpus.split("given")
    assert (len(given.train), len(given.valid), len(given.test)) == (30, 9, 9)
    assert corpus.task.to_json()["classes"] == ["entailment", "neutral", "contradiction"]
    assert corpus.groups is not None
    assert corpus.groups[0] == "0000000100"
    assert corpus.cells("text", [1]).values == ["Hypothesis 100 1!"]
    assert corpus.target[:3].tolist() == [0, 1, 2]
    assert "caption" not in (tmp_path / "c" / "rows-0.arrow").read_bytes().decode("latin-1")
    assert corpus.schema.about["counts"].startswith("train: entailment 10, neutral 10, contradiction 10; dev: entailment 3")


def test_snli_ve_is_made_from_snli_and_the_lists(tmp_path):
    (tmp_path / "images").mkdir()
    train = [f"{image:010d}" for image in range(1003)]
    (tmp_path / "flickr30k_train_val.lst").write_text("\n".join(train))
    (tmp_path / "flickr30k_test.lst").write_text("0000002000")
    assert len(read_ids(tmp_path / "flickr30k_train_val.lst")) == 1003
    parts = flickr_parts(tmp_path / "flickr30k_train_val.lst", tmp_path / "flickr30k_test.lst")
    assert [parts[f"{image:010d}"] for image in (0, 2, 3, 1002, 2000)] == ["train", "train", "dev", "dev", "test"]
    # SNLI's own split says nothing of SNLI-VE's.
    rows = [snli_row(image, number, key=None) for image in (0, 3, 2000) for number in range(3)]
    dropped = [snli_row(1, 0, key=None) | {"gold_label": "-"}, snli_row(1, 1, key=None) | {"pairID": "vg_len3r5e"}]
    for part, some in (("train", rows[:5]), ("dev", rows[5:] + dropped), ("test", [snli_row(1002, 1, key=None)])):
        lines(tmp_path / f"snli_1.0_{part}.jsonl", some)
    for image in (0, 3, 1002, 2000):
        picture(tmp_path / "images" / f"{image:010d}.jpg", seed=image)
    corpus = import_snli_ve(tmp_path, tmp_path / "images", tmp_path / "c")
    given = corpus.split("given")
    assert {len(given.train), len(given.valid), len(given.test)} == {3, 4}
    assert ids(corpus, given.valid) == {row["pairID"] for row in rows[3:6]} | {"0000001002.jpg#1r1n"}
    lines(tmp_path / "snli_1.0_test.jsonl", [snli_row(5555, 1, key=None)])
    with pytest.raises(ValueError, match=r"snli_1.0_test.jsonl, line 1: picture '0000005555' .* is in neither list"):
        import_snli_ve(tmp_path, tmp_path / "images", tmp_path / "d")


SNLI = {
    "line 2: neither Flickr30K_ID nor Flikr30kID": lambda row: row.pop("Flickr30K_ID"),
    "line 2: 'Flickr30K_ID' is '100'": lambda row: row.update(Flickr30K_ID=100),
    "line 2: Flickr30K_ID '0000000101', but pairID": lambda row: row.update(Flickr30K_ID="0000000101"),
    "line 2: gold_label '-' is none of entailment": lambda row: row.update(gold_label="-"),
    "line 2: 'sentence2' is missing": lambda row: row.pop("sentence2"),
    "line 2: pairID .* stands in .*line 1 too": lambda row: row.update(pairID="0000000100.jpg#0r1e"),
    "no file .*0000000009.jpg": lambda row: row.update(Flickr30K_ID="0000000009", pairID="0000000009.jpg#1r1n"),
    "snli_ve_dev.jsonl, line 1: picture 0000000200 stands in train too": lambda row: row.update(
        Flickr30K_ID="0000000200", pairID="0000000200.jpg#9r1n"
    ),
}


@pytest.mark.parametrize("fault", SNLI)
def test_snli_ve_refuses(tmp_path, fault):
    make_snli_ve(tmp_path)
    edit(tmp_path / "snli_ve_train.jsonl", lambda rows: SNLI[fault](rows[1]))
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises((ValueError, FileNotFoundError), match=fault):
        import_snli_ve(tmp_path, tmp_path / "images", tmp_path / "c")
    assert {path.name for path in tmp_path.iterdir()} == before


def test_snli_ve_low_shot_list(tmp_path):
    make_snli_ve(tmp_path)
    (tmp_path / "ids.txt").write_text("0000000101\n0000000105")
    corpus = import_snli_ve(tmp_path, tmp_path / "images", tmp_path / "c", keep=tmp_path / "ids.txt")
    assert {name[:10] for name in ids(corpus, corpus.split("given").train)} == {"0000000101", "0000000105"}
    for content, fault in (
        ("1\n1\n", "'1' stands twice"),
        ("\n", "holds no ids"),
        ("0000000101\n7\n", "'7' is no picture of a train row"),
    ):
        (tmp_path / "ids.txt").write_text(content)
        with pytest.raises(ValueError, match=fault):
            import_snli_ve(tmp_path, tmp_path / "images", tmp_path / "d", keep=tmp_path / "ids.txt")


@pytest.mark.parametrize("flat", [False, True])
def test_vqa(tmp_path, flat):
    make_vqa(tmp_path, flat=flat)
    corpus = import_vqa(tmp_path, tmp_path / "images", tmp_path / "c", test=True, least=20)
    given = corpus.split("given")
    task = corpus.task.to_json()
    assert task["classes"] == ["2", "no", "red", "yes"]
    assert (
        corpus.schema.about["vocabulary"]
        == "4 main answers of 20 questions or more, of train and val, the rows that test among them"
    )
    assert ids(corpus, given.test) == {str((500 + image) * 1000 + each) for image in range(6) for each in range(4)}
    assert (len(given.train), len(given.valid)) == (76, 4)
    assert corpus.groups is not None
    assert len(set(corpus.groups[given.valid])) == 1
    assert (~corpus.has_target).sum() == 8
    # "no" seven times, "a Red.", "dont know", "Yes": the raw "no" is soft 1; "red" and "yes" earn .3 of the official accuracy.
    first = corpus.target[int(np.flatnonzero(corpus.ids == "1")[0])]
    np.testing.assert_allclose(first[first[:, 0] >= 0], [[1, 1, 1], [2, 0, 0.3], [3, 0, 0.3]], atol=1e-6)


def test_vqa_vocabulary_of_low_shot_rows(tmp_path):
    make_vqa(tmp_path)
    (tmp_path / "keep.txt").write_text("\n".join(str(image * 1000 + each) for image in range(10) for each in (0, 1)))
    options = {"keep": tmp_path / "keep.txt", "valid": 0.2}
    corpus = import_vqa(tmp_path, tmp_path / "images", tmp_path / "c", vocabulary="train", **options)
    assert corpus.task.to_json()["classes"] == ["no", "yes"]
    assert "the train and validation rows of this corpus" in corpus.schema.about["vocabulary"]
    assert len(corpus.split("given").train) == 16
    # A question whose answers are none of the vocabulary stays, with an all-zero target, and counts in the metric.
    target = corpus.target[int(np.flatnonzero(corpus.ids == "500002")[0])]
    assert corpus.has_target.all()
    np.testing.assert_allclose(target[target[:, 0] >= 0], [[1, 0, 0.3]], atol=1e-6)
    full = import_vqa(tmp_path, tmp_path / "images", tmp_path / "d", **options)
    assert "of train and val" in full.schema.about["vocabulary"]
    assert len(full.task.to_json()["classes"]) == 4
    (tmp_path / "keep.txt").write_text("500002")
    with pytest.raises(ValueError, match="'500002' is no id of a train question"):
        import_vqa(tmp_path, tmp_path / "images", tmp_path / "e", **options)


@pytest.mark.parametrize("envelope", [False, True])
def test_vqa_cp(tmp_path, envelope):
    make_vqa_cp(tmp_path, envelope=envelope)
    corpus = import_vqa(tmp_path, tmp_path / "images", tmp_path / "c", dataset="cp-v2")
    given = corpus.split("given")
    assert (len(given.train), len(given.valid), len(given.test)) == (76, 4, 28)
    # 20 train questions an answer, 27 with the test part's: a vocabulary of the latter would be of other rows.
    assert corpus.schema.about["vocabulary"] == "4 main answers of 9 questions or more, of the published train part"
    with pytest.raises(ValueError, match="no answer is the main answer of 21 of the 80 questions"):
        import_vqa(tmp_path, tmp_path / "images", tmp_path / "d", dataset="cp-v2", least=21)
    both = corpus.groups
    assert both is not None
    pictures = {part: {group.removeprefix(f"{part} ") for group in both[getattr(given, part)]} for part in ("train", "test")}
    assert pictures["train"] & pictures["test"] == {"19"}
    assert given.group
    (few,) = low_shot(corpus, given, sizes=(20,))
    assert Counter(both[few.train]).items() <= Counter(both[given.train]).items()


def change(name: str, key: str, what):
    return lambda folder: edit(folder / name, lambda document: what(document[key]))


TRAIN, ANSWERS = "v2_OpenEnded_mscoco_train2014_questions.json", "v2_mscoco_train2014_annotations.json"
VQA = {
    f"{ANSWERS}, entry 81: question 999 is unknown": change(
        ANSWERS, "annotations", lambda rows: rows.append(vqa_entry(999, 0)[1])
    ),
    f"{TRAIN}, entry 2: question 1 has no annotation": change(ANSWERS, "annotations", lambda rows: rows.pop(1)),
    f"{ANSWERS}, entry 2: question_id 0 stands in .*entry 1 too": change(
        ANSWERS, "annotations", lambda rows: rows[1].update(question_id=0)
    ),
    f"{TRAIN}, entry 2: question_id 0 stands in .*entry 1 too": change(
        TRAIN, "questions", lambda rows: rows[1].update(question_id=0)
    ),
    f"{ANSWERS}, entry 1: 9 answers to question 0; expected 10": change(
        ANSWERS, "annotations", lambda rows: rows[0]["answers"].pop()
    ),
    f"{ANSWERS}, entry 1: an answer to question 0 has no text": change(
        ANSWERS, "annotations", lambda rows: rows[0]["answers"][3].pop("answer")
    ),
    f"{ANSWERS}, entry 1: 'answer_type' is missing": change(ANSWERS, "annotations", lambda rows: rows[0].pop("answer_type")),
    f"{ANSWERS}, entry 1: image 7, but .*entry 1 has 0": change(ANSWERS, "annotations", lambda rows: rows[0].update(image_id=7)),
    f"{TRAIN}, entry 1: 'question' is missing": change(TRAIN, "questions", lambda rows: rows[0].pop("question")),
    f"{TRAIN}, entry 1: 'question_id' is '0'": change(TRAIN, "questions", lambda rows: rows[0].update(question_id="0")),
    f"{TRAIN}, entry 1: 'image_id' is -1; expected": change(TRAIN, "questions", lambda rows: rows[0].update(image_id=-1)),
    f"{TRAIN}, entry 1: str given": change(TRAIN, "questions", lambda rows: rows.__setitem__(0, "x")),
    f"{TRAIN}: expected a list, or an object with the list 'questions'": lambda folder: (folder / TRAIN).write_text("{}"),
    f"{TRAIN} is not JSON": lambda folder: (folder / TRAIN).write_text("{"),
    f"{TRAIN}, entry 9: no file .*COCO_train2014_000000000002.jpg": lambda folder: (
        folder / "images/train2014/COCO_train2014_000000000002.jpg"
    ).unlink(),
}


@pytest.mark.parametrize("fault", VQA)
def test_vqa_refuses(tmp_path, fault):
    make_vqa(tmp_path)
    VQA[fault](tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises((ValueError, FileNotFoundError), match=re.sub(r"\.(?=json|jpg)", r"\\.", fault)):
        import_vqa(tmp_path, tmp_path / "images", tmp_path / "c")
    assert {path.name for path in tmp_path.iterdir()} == before


def test_vqa_cp_says_where_its_pictures_are(tmp_path):
    make_vqa_cp(tmp_path)
    edit(tmp_path / "vqacp_v2_train_questions.json", lambda rows: rows[0].update(coco_split="test2015"))
    with pytest.raises(ValueError, match="entry 1: coco_split 'test2015'; expected train2014 or val2014"):
        import_vqa(tmp_path, tmp_path / "images", tmp_path / "c", dataset="cp-v2")
    with pytest.raises(ValueError, match=r"valid=1.0"):
        import_vqa(tmp_path, tmp_path / "images", tmp_path / "c", valid=1.0)


def test_pictures_are_read_once_and_within_limits(tmp_path, monkeypatch):
    from understudy.corpus.importers import pictures

    picture(tmp_path / "a.jpg", seed=0)
    (tmp_path / "b.jpg").write_text("broken")
    seen = []
    read = pictures.read_image
    monkeypatch.setattr(pictures, "read_image", lambda path, **limit: seen.append(path.name) or read(path, **limit))
    reader = MediaReader("skip", Limits(megapixels=0.0016))
    found = pictures.Pictures(tmp_path, side=24, reader=reader)
    for row, name in enumerate("aabba"):
        found.add(f"{name}.jpg", where=f"row {row}")
    cells = found.rows.cells("image")
    assert cells.present.tolist() == [True, True, False, False, True]
    assert [cells.values[row].shape[:2] for row in (0, 1, 4)] == [(16, 24)] * 3
    assert seen == ["a.jpg", "b.jpg"]
    assert found.whole("b.jpg", where="row 9") is None
    assert [each.where for each in reader.errors] == ["row 2"]
    picture(tmp_path / "c.jpg", seed=0, size=(60, 32))
    with pytest.raises(ValueError, match=r"row 1: .*c.jpg is not a readable picture: 60 x 32 pixels; at most 0.0016 megapixels"):
        pictures.Pictures(tmp_path, side=24, reader=MediaReader("fail", Limits(megapixels=0.0016))).add("c.jpg", where="row 1")
    with pytest.raises(FileNotFoundError, match="no folder"):
        pictures.Pictures(tmp_path / "nowhere", side=24, reader=reader)
    with pytest.raises(ValueError, match="side=0"):
        pictures.Pictures(tmp_path, side=0, reader=reader)
