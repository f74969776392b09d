"""Tiny random encoders of each family in a folder or file, as their libraries save them, and a corpus that they can read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import BertConfig, BertModel, Dinov2Config, Dinov2Model, Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from made_clip import CLIP_TEXTS, make_tokenizer
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.prepare.cells import Cells, Kind, Modality
from understudy.tasks import Classification

RATE = 800
"""Samples a second of the corpus's sound."""


class Own(nn.Module):
    """Pictures, through two layers of which the second normalises by its statistics."""

    width = 6

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.BatchNorm2d(8), nn.GELU(), nn.AdaptiveAvgPool2d(2))
        self.leave = nn.Linear(32, 6)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.leave(self.layers(values).flatten(start_dim=1))


def make_own(*, frozen: bool = False) -> Own:
    """The same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return Own().requires_grad_(not frozen)


def make_bert_folder(folder: Path) -> Path:
    """A BERT of 16 with its tokenizer."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        config = BertConfig(vocab_size=make_tokenizer(folder), max_position_embeddings=32, pad_token_id=0, **sizes)
        BertModel(config).save_pretrained(folder)
    return folder


def make_sentence_folder(folder: Path, pooling: Any = "cls") -> Path:
    """A sentence-transformers model over that BERT: pooling, a layer into 12, normalisation."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    base = folder.with_name(f"{folder.name}-base")
    base.mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(4)
        modules = [Transformer(str(make_bert_folder(base))), Pooling(16, pooling_mode=pooling), Dense(16, 12), Normalize()]
        SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder


def make_dino_folder(folder: Path) -> Path:
    """A DINOv2 of pictures of 14, whose positions are those of 28."""
    with torch.random.fork_rng():
        torch.manual_seed(6)
        config = Dinov2Config(image_size=28, patch_size=7, hidden_size=16, num_hidden_layers=2, num_attention_heads=2)
        Dinov2Model(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 14, "width": 14}).save_pretrained(folder)
    return folder


def make_wav2vec_folder(folder: Path) -> Path:
    """A wav2vec 2.0 of 16 at 1,600 Hz that normalises over time, as the published ones do."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        sizes: dict[str, Any] = {"conv_dim": (8, 8), "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_feat_extract_layers": 2}
        sizes |= {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "intermediate_size": 32}
        Wav2Vec2Model(Wav2Vec2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, **sizes)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=1600, do_normalize=True).save_pretrained(folder)
    return folder


def make_onnx(path: Path, *, tokens: bool = True) -> Path:
    """A graph over pictures of 12 that gives a vector of 8 and 9 tokens, with its description beside it."""

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Conv2d(3, 8, 4, stride=4)

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            said = torch.tanh(self.layers(image)).flatten(start_dim=2).transpose(1, 2)
            return said.mean(dim=1), said

    with torch.random.fork_rng():
        torch.manual_seed(8)
        program = torch.onnx.export(
            Whole().eval(),
            (torch.zeros(2, 3, 12, 12),),
            dynamo=True,
            input_names=["image"],
            output_names=["embedding", "patches"],
            dynamic_shapes=({0: "batch"},),
            verbose=False,
        )
    assert program is not None
    program.save(path)
    told = {"size": 12, "mean": 127, "scale": 1 / 128, "vector": "embedding"} | ({"tokens": "patches"} if tokens else {})
    path.with_suffix(".json").write_text(json.dumps(told))
    return path


def make_media_corpus(folder: Path, *, rows: int = 48) -> Corpus:
    """A text, a picture and a sound a row, each of which says the class; some rows lack one."""
    draw = np.random.default_rng(1)
    truth = draw.integers(0, 2, rows)
    texts = [CLIP_TEXTS[y] for y in truth]
    pictures = [draw.integers(90 * y, 90 * y + 100, (16 + row % 3, 16, 3), np.uint8) for row, y in enumerate(truth)]
    times = [np.arange(200 + 10 * (row % 5)) / RATE for row in range(rows)]
    sounds = [np.sin(2 * np.pi * (60 + 80 * y) * t).astype(np.float32) * 0.5 for t, y in zip(times, truth, strict=True)]
    kinds: dict[Kind, Any] = {"text": (texts, 2), "image": (pictures, 3), "audio": (sounds, 5)}
    cells = {}
    for kind, (values, lacking) in kinds.items():
        here = np.arange(rows) % 7 != lacking
        cells[kind] = Cells(kind, [value if there else None for value, there in zip(values, here, strict=True)], here)
    modalities = {"text": Modality("text"), "image": Modality("image"), "audio": Modality("audio", rate=RATE)}
    corpus = write_corpus(
        folder,
        Schema(Classification(classes=("low", "high")), modalities),
        ids=[f"r{row}" for row in range(rows)],
        targets=truth,
        cells=cells,
    )
    corpus.save_split(make_split(corpus, name="main", valid=0.2, test=0.25))
    return corpus
