"""Tiny CLIPs of every make as transformers folders, with random weights and a tokenizer of their own; and tiny films."""

from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from transformers import AutoModel, CLIPConfig, PreTrainedTokenizerFast, XCLIPConfig

from understudy.prepare.text import train_bpe

FRAMES, SIZE, WIDTH, HEADS = 3, 16, 24, 4
WORDS = ["a clip of a negative face", "a clip of a positive face", "neutral"]
LAYER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": HEADS}
TEXT = LAYER | {"vocab_size": 300, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 299, "pad_token_id": 0}
PICTURE = LAYER | {"image_size": SIZE, "patch_size": 8}
MIT = {"mit_hidden_size": WIDTH, "mit_intermediate_size": 48, "mit_num_attention_heads": HEADS, "num_frames": FRAMES}


def make_clip(folder: Path, kind: str = "xclip") -> Path:
    """A saved XCLIPModel or CLIPModel."""
    if kind == "xclip":
        config: Any = XCLIPConfig(
            text_config=TEXT, vision_config=PICTURE | MIT, projection_dim=WIDTH, prompt_num_attention_heads=HEADS
        )
    else:
        config = CLIPConfig(text_config=TEXT, vision_config=PICTURE, projection_dim=WIDTH)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    tokenizer = train_bpe(WORDS, 290)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", model_max_length=64).save_pretrained(folder)
    return folder


def film(brightness: int) -> bytes:
    """Six grey pictures as a video file; its bytes depend on nothing else."""
    sink = BytesIO()
    with av.open(sink, "w", format="avi") as file:
        stream = file.add_stream("mpeg4", rate=6, options={"threads": "1"})
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(6):
            picture = np.full((32, 32, 3), brightness, dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    return sink.getvalue()
