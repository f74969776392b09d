"""Cells of every kind and one view and encoder of each name, for the contract suites."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any

import av
import numpy as np
import torch

from understudy import encoders
from understudy.batches.batch import Fields
from understudy.encoders.clip import small_config
from understudy.encoders.encoder import Encoder
from understudy.encoders.sentence import KEY
from understudy.prepare import Choices, Frames, Image, Knots, LogMel, Pictures, Regions, Sequence, Table, Terms, Text, Vector
from understudy.prepare.cells import Cells, Kind
from understudy.prepare.graphed import GraphedPictures, GraphedSound
from understudy.prepare.view import View
from understudy.prepare.waveform import Waveform
from understudy.prepare.whisper import WhisperMel

VIEWS: dict[str, Callable[[], View]] = {
    "Vector": Vector,
    "Knots": Knots,
    "Table": Table,
    "Sequence": lambda: Sequence(max_steps=9),
    "Text": lambda: Text.bpe(vocabulary=300, max_tokens=8),
    "Terms": lambda: Terms(max_tokens=8),
    "Choices": lambda: Choices.bpe(vocabulary=300, max_tokens=8),
    "Image": lambda: Image((12, 10), 3),
    "Pictures": lambda: Pictures(8, 10),
    "Regions": lambda: Regions(max_regions=5),
    "LogMel": lambda: LogMel(1000, mels=8, max_seconds=0.2),
    "Frames": lambda: Frames(3, size=16),
    "Waveform": lambda: Waveform(1000, 500),
    "WhisperMel": lambda: WhisperMel(1000, 500, 20, 10, 100, np.ones((11, 4), np.float32)),
    "GraphedPictures": lambda: GraphedPictures(Pictures(8, 10), graph((3, 8, 8)), "x", "y", "", 6, 0),
    "GraphedSound": lambda: GraphedSound(Waveform(1000, 500, seconds=0.1), graph((50,)), "x", "y", "", 6, 0),
}


def graph(shape: tuple[int, ...]) -> bytes:
    """An ONNX file that makes 6 numbers of each row of this shape."""
    from onnx import TensorProto, helper, numpy_helper

    many = int(np.prod(shape))
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(many, 6)).astype(np.float32), "weights")
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], ["y"])]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])
    said = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 6])
    made = helper.make_graph(nodes, "made", [given], [said], initializer=[weights])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()


ANOTHER: dict[str, Callable[[Any], View]] = {
    "Frames": lambda view: Frames(),
    "Pictures": lambda view: Pictures(),
    "WhisperMel": lambda view: replace(view, rate=2000),
    "GraphedPictures": lambda view: replace(view, inner=Pictures()),
    "GraphedSound": lambda view: replace(view, inner=Waveform(1000, 400)),
}
"""Of views that have nothing to fit: one with other settings."""
BERT = {
    "model_type": "bert",
    "vocab_size": 400,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
LAYER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
CLIP = {
    "model_type": "clip",
    "projection_dim": 12,
    "text_config": LAYER | {"vocab_size": 400, "max_position_embeddings": 32, "eos_token_id": 399, "bos_token_id": 1},
    "vision_config": LAYER | {"image_size": 8, "patch_size": 4},
}
SENTENCE = BERT | {KEY: {"pooling": "mean", "layers": [[16, 12, True, "Tanh"]], "normalised": True}}
DINO = {"model_type": "dinov2", "image_size": 8, "patch_size": 4, "mlp_ratio": 2} | LAYER
SPEECH = {"model_type": "wav2vec2", "conv_dim": [8], "conv_kernel": [10], "conv_stride": [5], "num_feat_extract_layers": 1}
SPEECH |= {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2} | LAYER
VIT = {"model_type": "vit", "image_size": 8, "patch_size": 4} | LAYER


def joint(model_type: str) -> dict[str, Any]:
    """The configuration of a tiny vision-language model."""
    layers = {"l_layers": 1, "x_layers": 1, "r_layers": 1, "visual_feat_dim": 3} if model_type == "lxmert" else {}
    seen = {"visual_embedding_dim": 3} if model_type == "visual_bert" else {}
    size = {"image_size": 8, "patch_size": 4} if model_type == "vilt" else {}
    return {"model_type": model_type, "vocab_size": 400, "max_position_embeddings": 32} | LAYER | layers | seen | size


ENCODERS: dict[str, tuple[str, Callable[[Any], Encoder]]] = {
    "VectorMLP": ("Vector", encoders.VectorMLP),
    "VectorPiecewise": ("Knots", encoders.VectorPiecewise),
    "TableMLP": ("Table", encoders.TableMLP),
    "SequenceGRU": ("Sequence", encoders.SequenceGRU),
    "SequenceTransformer": ("Sequence", lambda view: encoders.SequenceTransformer(view, width=16, depth=1)),
    "TextTransformer": ("Text", lambda view: encoders.TextTransformer(view, width=16, depth=1)),
    "TextBag": ("Terms", lambda view: encoders.TextBag(view, width=16)),
    "TextEncoder": ("Text", lambda view: encoders.TextEncoder(view, config=BERT)),
    "SentenceEncoder": ("Text", lambda view: encoders.SentenceEncoder(view, config=SENTENCE)),
    "GraphEncoder": ("GraphedPictures", encoders.GraphEncoder),
    "PictureEncoder": ("Pictures", lambda view: encoders.PictureEncoder(view, config=DINO)),
    "SoundEncoder": ("Waveform", lambda view: encoders.SoundEncoder(view, config=SPEECH)),
    "ImageConv": ("Image", encoders.ImageConv),
    "ClipImage": ("Pictures", lambda view: encoders.ClipImage(view, config=CLIP)),
    "ViT": ("Pictures", lambda view: encoders.ViT(view, config=VIT)),
    "ClipText": ("Text", lambda view: encoders.ClipText(view, config=CLIP)),
    "Words": ("Text", lambda view: encoders.Words(view, config=joint("visual_bert"))),
    "DetectedRegions": ("Regions", lambda view: encoders.DetectedRegions(view, config=joint("lxmert"))),
    "ViltPatches": ("Pictures", lambda view: encoders.ViltPatches(view, config=joint("vilt"))),
    "ImagePatches": ("Image", lambda view: encoders.ImagePatches(view, width=16)),
    "RegionTokens": ("Regions", lambda view: encoders.RegionTokens(view, width=16)),
    "VideoConv": ("Frames", lambda view: encoders.VideoConv(view, width=16, channels=(8, 16))),
    "XClip": ("Frames", lambda view: encoders.XClip(view, config=small_config(view, model_type="xclip", width=16))),
    "PlainClip": ("Frames", lambda view: encoders.PlainClip(view, config=small_config(view, model_type="clip", width=16))),
    "AudioConv": ("LogMel", lambda view: encoders.AudioConv(view, channels=(8, 16))),
}
WORDS = ["fine", "film", "bad", "plot", "good", "scene", "dull", "actor"]


def cells(kind: Kind, present: list[bool], *, seed: int = 0, filler: float = np.nan) -> Cells:
    """Random rows, ragged where the kind is; what stands in absent rows is `filler` where there can be any."""
    draw, here = np.random.default_rng(seed), np.array(present, dtype=bool)
    rows = len(here)

    def each(make: Callable[[], Any]) -> list[Any]:
        made = [make() for _ in range(rows)]
        return [value if there else None for value, there in zip(made, here, strict=True)]

    if kind == "vector":
        return Cells(kind, np.where(here[:, None], draw.normal(3, 5, (rows, 4)), filler).astype(np.float32), here)
    if kind == "table":
        towns = draw.choice(np.array(["Ulm", "Rom", None], dtype=object), rows)
        towns[~here] = "filler"
        return Cells(kind, {"age": np.where(here, draw.normal(40, 9, rows), filler), "town": towns.astype(object)}, here)
    made = {
        "sequence": lambda: draw.normal(1, 2, (draw.integers(1, 14), 3)).astype(np.float32),
        "text": lambda: " ".join(draw.choice(WORDS, draw.integers(1, 12))),
        "choices": lambda: tuple(" ".join(draw.choice(WORDS, draw.integers(1, 12))) for _ in range(3)),
        "image": lambda: draw.integers(0, 256, (9, 7, 3), dtype=np.uint8),
        "regions": lambda: regions(draw, int(draw.integers(1, 7))),
        "audio": lambda: draw.uniform(-1, 1, draw.integers(20, 300)).astype(np.float32),
        "video": lambda: clip(draw.integers(0, 256, (draw.integers(1, 9), 24, 32, 3), dtype=np.uint8)),
    }
    return Cells(kind, each(made[kind]), here)


def regions(draw: np.random.Generator, count: int) -> Any:
    """Boxes [R 4] inside of a picture, and three features of each."""
    low, high = draw.uniform(0, 0.4, (count, 2)), draw.uniform(0.5, 1, (count, 2))
    return np.concatenate([low, high, draw.normal(1, 2, (count, 3))], axis=1).astype(np.float32)


def clip(pictures: Any, *, container: str = "mp4", codec: str = "mpeg4", rate: int = 10, **options: str) -> bytes:
    """A video file of pictures [T H W 3] with even sides. Not x264, whose bytes differ from call to call unless ultrafast."""
    sink = BytesIO()
    with av.open(sink, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, options={"threads": "1"} | options)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    return sink.getvalue()


def fitted(view: str) -> View:
    """The view of that name, fitted on twenty rows."""
    unfitted = VIEWS[view]()
    return unfitted.fit(cells(unfitted.kind, [True] * 20, seed=7))


def made_encoder(name: str, *, seed: int = 0) -> Encoder:
    """The encoder of that name, on its fitted view."""
    view, make = ENCODERS[name]
    with drawn(seed):
        return make(fitted(view))


@contextmanager
def drawn(seed: int) -> Iterator[None]:
    """torch's random numbers from a seed, inside only."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def tensors(view: View, these: Cells) -> Fields:
    """What the loader would hand over."""
    return {name: torch.from_numpy(values) for name, values in view.prepare(these).items()}
