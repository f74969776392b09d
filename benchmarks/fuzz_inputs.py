"""What fuzz damages: small valid inputs of every kind that enters, and the command that reads each."""

import gzip
import json
import struct
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tests.corpus import made_action, made_emotion, made_retrieval, made_sentiment, made_vision_language

from understudy.cli import main

ROWS = 40
SENSES = ("v=vector:a_*", "t=table:job,age", "note=text:note")
QUICKLY = ("--seeds", "1", "--plan", "epochs=1", "--valid", "0", "--sizes", "width=8", "--encoder", "note=small")


@dataclass(frozen=True)
class Subject:
    """An input folder, files of it (globs) that are damaged, and the words of a command. share: cases in proportion to it."""

    name: str
    make: Callable[[Path], object]
    files: tuple[str, ...]
    words: str
    share: float = 1.0
    more: tuple[str, ...] = field(default=())

    @property
    def command(self) -> list[str]:
        """It stands beside `in`, the input, and writes `out`."""
        return [*self.words.split(), *self.more, "--json"]


def rows_of(count: int = ROWS) -> list[dict[str, Any]]:
    """The same few facts for every table."""
    random = np.random.default_rng(0)
    found = []
    for row in range(count):
        a = random.normal(size=3).round(3).tolist()
        found.append(
            {"id": f"n{row}", "who": f"g{row // 4}", "part": ("train", "train", "valid", "test")[row // 4 % 4]}
            | {f"a_{place}": number for place, number in enumerate(a)}
            | {
                "job": f"job {row % 3}",
                "age": None if row % 7 == 3 else row + 20,
                "note": f"said {row}, twice" if row % 5 else None,
            }
            | {"y": "yes" if a[0] > 0 else "no"}
        )
    return found


def make_tables(folder: Path) -> None:
    """The rows as every kind of table, and a mapping."""
    rows = rows_of()
    table = pa.Table.from_pylist(rows)
    for ending, between in (("csv", ","), ("tsv", "\t")):
        lines = [between.join(table.column_names)]
        lines += [between.join("" if v is None else f'"{v}"' if "," in str(v) else str(v) for v in row.values()) for row in rows]
        (folder / f"table.{ending}").write_text("\n".join(lines) + "\n")
    (folder / "table.csv.gz").write_bytes(gzip.compress((folder / "table.csv").read_bytes()))
    random = np.random.default_rng(1)
    lists = [row | {"e": random.normal(size=3).tolist(), "s": random.normal(size=(2, 2)).tolist()} for row in rows]
    (folder / "table.jsonl").write_text("\n".join(json.dumps(row) for row in lists) + "\n")
    pq.write_table(pa.Table.from_pylist(lists), folder / "table.parquet")
    plain: dict[str, Any] = {
        name: np.array([row[name] for row in rows]) for name in ("id", "who", "part", "job", "y", "a_0", "a_1", "a_2")
    }
    np.savez(folder / "table.npz", e=random.normal(size=(ROWS, 3)), s=random.normal(size=(ROWS, 2, 2)), **plain)
    kinds = {"v": ("vector", ["a_0", "a_1"]), "note": ("text", ["note"])}
    said = {name: {"kind": kind, "columns": columns} for name, (kind, columns) in kinds.items()}
    (folder / "mapping.json").write_text(
        json.dumps({"target": "y", "id": "id", "group": "who", "split": "part", "modalities": said})
    )


def make_arrays(folder: Path) -> None:
    """A table that names .npy files."""
    random = np.random.default_rng(2)
    lines = ["vec,steps,look,sound,y"]
    for row in range(6):
        np.save(folder / f"vec{row}.npy", random.normal(size=3).astype(np.float32))
        np.save(folder / f"steps{row}.npy", random.normal(size=(2 + row % 2, 3)))
        np.save(folder / f"look{row}.npy", random.integers(0, 255, (8, 6, 3), np.uint8))
        np.save(folder / f"sound{row}.npy", np.sin(np.arange(900) * 0.1).astype(np.float32) * 0.3)
        lines.append(f"vec{row}.npy,steps{row}.npy,look{row}.npy,sound{row}.npy,{row % 2}")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")


def make_media(folder: Path) -> None:
    """A table that names pictures, sounds and films of several formats."""
    random = np.random.default_rng(3)
    lines = ["look,sound,film,y"]
    for row, (picture, sound, film) in enumerate((("png", "wav", "mp4"), ("jpg", "ogg", "avi"), ("gif", "wav", "mkv"))):
        Image.fromarray(random.integers(0, 255, (12, 16, 3), np.uint8)).save(folder / f"look{row}.{picture}")
        if sound == "ogg":
            made_retrieval.ogg(folder / f"sound{row}.ogg", pitch=220)
        else:
            with wave.open(str(folder / f"sound{row}.wav"), "wb") as file:
                file.setparams((1 + row, 2, 8000, 0, "NONE", ""))
                file.writeframes((np.sin(np.arange(1600) * 0.1) * 9000).astype("<i2").tobytes())
        made_sentiment.write_clip(folder / f"film{row}.{film}", colour=row)
    (folder / "sound2.wav").write_bytes(float_wav(np.sin(np.arange(1600) * 0.1) * 0.3))
    for row in range(3):
        lines.append(",".join([*(next(folder.glob(f"{kind}{row}.*")).name for kind in ("look", "sound", "film")), str(row % 2)]))
    (folder / "table.csv").write_text("\n".join(lines) + "\n")


def typed(*words: str) -> None:
    """A command that must succeed."""
    if main(words):
        raise RuntimeError(f"understudy {' '.join(words)} failed")


def make_corpus(folder: Path) -> None:
    """A corpus with a split, of the same rows."""
    make_tables(folder)
    ways = ("--target", "y", "--id", "id", "--group", "who", "--modalities", *SENSES, "--split", "part")
    typed("import", "table", str(folder / "table.csv"), "--out", str(folder / "corpus"), *ways)
    typed("split", str(folder / "corpus"), "--name", "main", "--valid", "0", "--test", "0.3")


def make_run(folder: Path) -> None:
    """A corpus, a run of it, its teacher's store and its student's artifact."""
    make_corpus(folder)
    run = folder / "run"
    typed("distill", str(folder / "corpus"), "--student", *("v", "t", "note"), "--split", "main", "--out", str(run), *QUICKLY)
    typed("store", str(run), "--out", str(folder / "store"))
    typed("export", str(run), "--out", str(folder / "artifact"))


def make_mosi(folder: Path) -> None:
    """Our own layout of MOSI's features."""
    random = np.random.default_rng(0)
    lines = ["id,video,segment,split,split_bclstm,sentiment,transcript"]
    for row in range(12):
        part = ("train", "train", "valid", "test")[row // 2 % 4]
        lines.append(
            f"v{row // 2}_{row % 2},v{row // 2},{row % 2},{part},{'test' if part == 'test' else 'train'},{row / 4 - 1},SAID {row}"
        )
    (folder / "utterances.csv").write_text("\n".join(lines) + "\n")
    ids = np.array([f"v{row // 2}_{row % 2}" for row in range(12)])
    values: dict[str, Any] = {
        name: random.normal(size=(12, width)).astype(np.float32) for name, width in (("audio", 73), ("text", 100), ("video", 100))
    }
    np.savez(folder / "features.npz", id=ids, **values)


def make_submissions(folder: Path) -> None:
    """A results file for each official scorer."""
    made_vision_language.make_vqa(folder)
    known = json.loads((folder / "v2_mscoco_val2014_annotations.json").read_text())["annotations"]
    (folder / "results.json").write_text(json.dumps([{"question_id": each["question_id"], "answer": "yes"} for each in known]))
    made_vision_language.make_vcr(folder / "vcr", train=1, val=4, test=1)
    rows = [json.loads(line) for line in (folder / "vcr" / "annotations" / "val.jsonl").read_text().splitlines()]
    names = [f"answer_{i}" for i in range(4)] + [f"rationale_conditioned_on_a{a}_{i}" for a in range(4) for i in range(4)]
    lines = [",".join(["annot_id", *names])] + [",".join([row["annot_id"], *["0.25"] * 20]) for row in rows]
    (folder / "vcr.csv").write_text("\n".join(lines) + "\n")


def layout(write: Callable[..., object], name: str) -> Callable[[Path], object]:
    """A layout that is one file."""
    return lambda folder: write(folder / name)


TABLE = " --target y --id id --group who --split part"
SUBJECTS = (
    *(
        Subject(
            f"table.{ending}", make_tables, (f"table.{ending}",), f"import table in/table.{ending} --out out{TABLE}", share, more
        )
        for ending, share in (("csv", 6), ("tsv", 2), ("csv.gz", 1), ("jsonl", 4), ("parquet", 5), ("npz", 3))
        for more in (
            ("--modalities", *(SENSES if ending != "npz" else ("v=vector:a_*", "e=vector:e", "s=sequence:s"))),
            ("--guess", "--on-error", "skip"),
        )
    ),
    Subject("mapping", make_tables, ("mapping.json",), "import table in/table.csv --out out --mapping in/mapping.json", 4),
    *(
        Subject("arrays", make_arrays, ("*.npy", "table.csv"), f"import table in/table.csv --out out --target y {more}", 5)
        for more in (
            "--modalities vec=vector:vec steps=sequence:steps look=image:look sound=audio@8000:sound",
            "--on-error skip --modalities vec=vector:vec steps=sequence:steps look=image:look sound=audio@8000:sound",
        )
    ),
    *(
        Subject("media", make_media, ("look*", "sound*", "film*"), f"import table in/table.csv --out out --target y {more}", 6)
        for more in (
            "--modalities look=image:look sound=audio@8000:sound film=video:film",
            "--on-error skip --modalities look=image:look sound=audio@8000:sound film=video:film heard=audio@8000:film",
        )
    ),
    Subject("corpus check", make_corpus, ("corpus/**/*",), "check in/corpus", 10),
    Subject("corpus split", make_corpus, ("corpus/*",), "split in/corpus --name again", 6),
    Subject("corpus folds", make_corpus, ("corpus/*",), "split in/corpus --folds 3", 1),
    Subject(
        "corpus distill", make_corpus, ("corpus/**/*",), "distill in/corpus --split main --out out --student v note", 0.6, QUICKLY
    ),
    Subject("run evaluate", make_run, ("run/**/*", "corpus/**/*"), "evaluate in/run --corpus in/corpus", 6),
    Subject("run report", make_run, ("run/**/*",), "report in/run", 6),
    Subject("run compare", make_run, ("run/**/*",), "compare in/run", 3),
    Subject("run export", make_run, ("run/**/*",), "export in/run --out out --corpus in/corpus", 0.4),
    Subject("run store", make_run, ("store/*", "run/**/*"), "store in/run --out in/store --corpus in/corpus", 6),
    Subject("run goes on", make_run, ("run/**/*",), "distill in/corpus --split main --out in/run --student v t note", 3, QUICKLY),
    Subject("artifact", make_run, ("artifact/*",), "predict in/artifact in/table.csv --out out.csv", 16),
    *(
        Subject(
            f"predict {ending}", make_run, (f"table.{ending}",), f"predict in/artifact in/table.{ending} --out out.csv {more}", 4
        )
        for ending in ("csv", "jsonl", "parquet")
        for more in ("", "--on-error skip --id id")
    ),
    Subject("mosi", make_mosi, ("*",), "import mosi in --out out", 2),
    Subject("mmsa", layout(made_sentiment.write_mmsa, "a.pkl"), ("a.pkl",), "import mmsa in/a.pkl --dataset mosi --out out", 5),
    Subject("csd", made_sentiment.make_csd, ("*.csd", "split.csv"), "import csd in --out out --split in/split.csv", 5),
    Subject("raw", made_sentiment.make_raw, ("label.csv", "Raw/*/*.mp4"), "import raw in --out out", 3),
    Subject("raw skip", made_sentiment.make_raw, ("label.csv", "Raw/*/*.mp4"), "import raw in --out out --on-error skip", 2),
    Subject("wikipedia", made_retrieval.make_wikipedia, ("*",), "import wikipedia in --out out", 4),
    Subject("stamps", made_retrieval.make_stamps, ("**/*.*",), "import stamps in --out out --least 5", 3),
    Subject(
        "av-hdf5",
        lambda folder: made_retrieval.write_layout_a(folder / "v.h5", made_retrieval.clips()),
        ("v.h5",),
        "import av-hdf5 in/v.h5 --out out",
        4,
    ),
    Subject("iemocap", partial(made_emotion.make_iemocap, each=1), ("**/*.*",), "import iemocap in --out out", 3),
    Subject("mult", layout(made_emotion.write_mult, "m.pkl"), ("m.pkl",), "import mult in/m.pkl --emotion sad --out out", 4),
    Subject(
        "ucf",
        partial(made_action.make_ucf, splits=1),
        ("lists/*", "audio/*/*", "visual/*"),
        "import ucf in/lists --out out --classes-of audio --modalities audio=in/audio visual=in/visual",
        3,
    ),
    Subject(
        "activitynet",
        made_action.make_activitynet,
        ("annotation.json", "video/*", "audio/*"),
        "import activitynet in/annotation.json --out out --modalities audio=in/audio video=in/video",
        4,
    ),
    Subject(
        "vcr",
        partial(made_vision_language.make_vcr, train=6, val=3, test=1),
        ("annotations/*", "images/**/*.*"),
        "import vcr in/annotations in/images --out out",
        3,
    ),
    Subject("snli-ve", made_vision_language.make_snli_ve, ("*.jsonl", "images/*"), "import snli-ve in in/images --out out", 3),
    Subject("vqa", made_vision_language.make_vqa, ("*.json", "images/*/*"), "import vqa in in/images --out out --least 1", 3),
    Subject(
        "score-vqa", make_submissions, ("*.json",), "protocol score-vqa in/results.json in/v2_mscoco_val2014_annotations.json", 2
    ),
    Subject(
        "score-vcr",
        make_submissions,
        ("vcr.csv", "vcr/annotations/val.jsonl"),
        "protocol score-vcr in/vcr.csv in/vcr/annotations/val.jsonl",
        2,
    ),
)
"""Training is a small share, since it takes seconds."""


def float_wav(samples: np.ndarray) -> bytes:
    """A WAV of 32-bit floats, which `wave` cannot write."""
    loud = samples.astype("<f4").tobytes()
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, 8000, 32_000, 4, 32) + b"data" + struct.pack("<I", len(loud))
    return b"RIFF" + struct.pack("<I", 4 + len(head) + len(loud)) + head + loud
