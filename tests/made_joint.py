"""Tiny published vision-language models in a folder, as transformers saves them, each with a tokenizer."""

from pathlib import Path
from typing import Any

import torch
from transformers import LxmertConfig, LxmertModel, ViltConfig, ViltModel, VisualBertConfig, VisualBertModel

from made_clip import LAYER, make_tokenizer

FEATURES = 3
"""Of a region."""


def make_joint_folder(folder: Path, model_type: str) -> Path:
    """Texts of 16 tokens; regions of 3 features, or pictures of size 16."""
    told: dict[str, Any] = {"vocab_size": make_tokenizer(folder), "max_position_embeddings": 16} | LAYER
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if model_type == "visual_bert":
            model = VisualBertModel(VisualBertConfig(visual_embedding_dim=FEATURES, **told))
        elif model_type == "vilt":
            model = ViltModel(ViltConfig(image_size=16, patch_size=8, **told))
        else:
            model = LxmertModel(LxmertConfig(visual_feat_dim=FEATURES, l_layers=1, x_layers=2, r_layers=1, **told))
        # transformers starts places and biases at 0, where a swap would not show.
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(folder)
    return folder
