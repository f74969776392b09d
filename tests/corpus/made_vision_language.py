"""VCR, SNLI-VE, VQA v2 and VQA-CP v2 in their exact layouts, small."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

OBJECTS = ["person", "person", "bottle", "person"]
VQA_ANSWERS = ("yes", "no", "2", "red")


def picture(path: Path, seed: int, size: tuple[int, int] = (48, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)


def lines(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def vcr_row(part: str, number: int) -> dict:
    """Question 2n and 2n + 1 are of one picture."""
    image = f"movie_{part}/{part}_{number // 2}@0"
    row = {
        "movie": f"3015_{part}",
        "objects": OBJECTS,
        "img_fn": f"{image}.jpg",
        "metadata_fn": f"{image}.json",
        "question": ["Does", [number % 2], "feel", str(number), "?"],
        "answer_choices": [["Yes", ",", [0, 1], "do", "."], ["No", ",", "he", "does", "not"], ["She", "holds", [2]], ["Maybe"]],
        "rationale_choices": [[[1], "smiles"], ["Everyone", "stands"], ["She", "frowns"], [[0, 3], "wait"]],
        "question_orig": f"Does {number % 2 + 1} feel {number}?",
        "img_id": f"{part}-{number // 2}",
        "annot_id": f"{part}-{number}",
        "question_number": number,
    }
    return row if part == "test" else row | {"answer_label": number % 4, "rationale_label": (number + 1) % 4}


def make_vcr(folder: Path, *, train: int = 40, val: int = 8, test: int = 4) -> None:
    """`annotations` and `images`."""
    for part, count in (("train", train), ("val", val), ("test", test)):
        rows = [vcr_row(part, number) for number in range(count)]
        lines(folder / "annotations" / f"{part}.jsonl", rows)
        for number, row in enumerate(rows[::2]):
            picture(folder / "images" / row["img_fn"], seed=number + 100 * len(part))
            boxes = [[0, 0, 24, 32, 0.99], [4.5, 2, 40, 30, 0.9], [10, 10, 20, 20, 0.8], [1, 1, 48.5, 32, 0.7]]
            segments = [[[[0, 0], [1, 1]]] for _ in boxes]
            (folder / "images" / row["metadata_fn"]).write_text(json.dumps({"boxes": boxes, "segms": segments}))


def snli_row(image: int, number: int, *, key: str | None = "Flickr30K_ID") -> dict:
    label = ("entailment", "neutral", "contradiction")[number % 3]
    name = f"{image:010d}"
    row = {"gold_label": label, "pairID": f"{name}.jpg#{number}r1{label[0]}", "captionID": f"{name}.jpg#{number}"}
    row |= {
        "sentence1": f"A caption that gives {label} away.",
        "sentence2": f"Hypothesis {image} {number}" + (number + 60 * (image in (200, 300))) * "!",
    }
    return row if key is None else row | {key: name}


def make_snli_ve(folder: Path, *, key: str = "Flickr30K_ID") -> None:
    """`images` and the three made files; picture ids begin with zeros."""
    for part, images in (("train", range(100, 110)), ("dev", range(200, 203)), ("test", range(300, 303))):
        lines(folder / f"snli_ve_{part}.jsonl", [snli_row(image, number, key=key) for image in images for number in range(3)])
        for image in images:
            picture(folder / "images" / f"{image:010d}.jpg", seed=image)


def vqa_entry(number: int, image: int) -> tuple[dict, dict]:
    """A question and its annotation: seven people agree, three say otherwise."""
    main = VQA_ANSWERS[number % 4]
    question = {"question_id": number, "image_id": image, "question": f"What is it, {number}?"}
    answers = [main] * 7 + ["a Red.", "dont know", "Yes"]
    listed = [{"answer": each, "answer_confidence": "yes", "answer_id": place + 1} for place, each in enumerate(answers)]
    kinds = {"question_type": "what is", "answer_type": ("yes/no", "yes/no", "number", "other")[number % 4]}
    return question, {"question_id": number, "image_id": image, "multiple_choice_answer": main, "answers": listed} | kinds


def write_vqa(questions: Path, annotations: Path | None, entries: list[tuple[dict, dict]], *, envelope: bool = True) -> None:
    about = {"info": {}, "license": {}, "data_type": "mscoco", "data_subtype": "made"}
    for path, key, rows in (
        (questions, "questions", [q for q, _ in entries]),
        (annotations, "annotations", [a for _, a in entries]),
    ):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(about | {key: rows} if envelope else rows))


def make_vqa(folder: Path, *, flat: bool = False) -> None:
    """`images`, in folders of their split or all in one; four questions a picture."""
    for coco, first, images in (("train2014", 0, 20), ("val2014", 500, 6), ("test2015", 900, 2)):
        entries = [vqa_entry((first + image) * 1000 + each, first + image) for image in range(images) for each in range(4)]
        annotations = None if coco == "test2015" else folder / f"v2_mscoco_{coco}_annotations.json"
        write_vqa(folder / f"v2_OpenEnded_mscoco_{coco}_questions.json", annotations, entries)
        for image in range(first, first + images):
            picture(folder / "images" / ("" if flat else coco) / f"COCO_{coco}_{image:012d}.jpg", seed=image)


def make_vqa_cp(folder: Path, *, envelope: bool = False) -> None:
    """Bare lists; both parts mix both folders of COCO, and share a picture."""
    for part, pictures in (("train", range(20)), ("test", range(19, 26))):
        entries = []
        for image in pictures:
            coco = ("train2014", "val2014")[image % 2]
            picture(folder / "images" / coco / f"COCO_{coco}_{image:012d}.jpg", seed=image)
            for each in range(4):
                question, annotation = vqa_entry((image + 100 * (part == "test")) * 1000 + each, image)
                entries.append((question | {"coco_split": coco}, annotation | {"coco_split": coco}))
        files = (folder / f"vqacp_v2_{part}_{what}.json" for what in ("questions", "annotations"))
        write_vqa(*files, entries, envelope=envelope)
