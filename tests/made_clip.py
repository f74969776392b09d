"""Tiny published models in a folder, as transformers saves them: a CLIP with its tokenizer, and a ViT."""

from pathlib import Path
from typing import Any

import torch
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast, ViTConfig, ViTModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

CLIP_TEXTS = ("a red circle", "two blue squares over a small green one", "red", "a", "circle circle circle blue")
LAYER: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def make_tokenizer(folder: Path) -> int:
    """A BPE of the texts that ends each with a token of its own; how many tokens it has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel()  # pyright: ignore
    special = ["<pad>", "<start>", "<end>", "[MASK]"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CLIP_TEXTS, trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    made.add_special_tokens(["<stop>"])
    count = made.get_vocab_size()
    ends = [("<start>", 1), ("<stop>", count - 1)]
    made.post_processor = processors.TemplateProcessing(single="<start> $A <stop>", special_tokens=ends)  # pyright: ignore
    told = {"pad_token": "<pad>", "bos_token": "<start>", "eos_token": "<stop>", "model_max_length": 16}
    PreTrainedTokenizerFast(tokenizer_object=made, **told).save_pretrained(folder)
    return count


def make_clip_folder(folder: Path) -> Path:
    """Pictures of size 16 from a short side of 18; texts of 16 tokens; a common space of 12."""
    tokens = make_tokenizer(folder)
    text = LAYER | {"vocab_size": tokens, "max_position_embeddings": 16, "eos_token_id": tokens - 1, "bos_token_id": 1}
    vision = LAYER | {"image_size": 16, "patch_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = CLIPConfig(text_config=text | {"pad_token_id": 0}, vision_config=vision, projection_dim=12)
        CLIPModel(config).save_pretrained(folder)
    colours = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}
    CLIPImageProcessorPil(size={"shortest_edge": 18}, crop_size={"height": 16, "width": 16}, **colours).save_pretrained(folder)
    return folder


def make_vit_folder(folder: Path) -> Path:
    """Pictures of size 16, squeezed into it."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        ViTModel(ViTConfig(image_size=16, patch_size=8, **LAYER)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder
