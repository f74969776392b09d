"""Class prompts through a text tower, once: what a prompt head keeps of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from understudy.encoders.published import published_weights
from understudy.encoders.text import TextEncoder
from understudy.prepare.cells import Cells
from understudy.prepare.text import Text

CLIPS = ("clip", "xclip")
MAX_TOKENS = 64


@torch.no_grad()
def class_features(name: str, prompts: Sequence[str]) -> Float[Tensor, "C D"]:
    """What the text tower of a CLIP or X-CLIP, or any text encoder, says of each prompt; by transformers folder or hub id.

    Raises FileNotFoundError where there is none, ValueError for no prompts or an empty one.
    """
    from transformers import AutoConfig, AutoModel

    if not prompts or not all(prompt.strip() for prompt in prompts):
        raise ValueError(f"class prompts {list(prompts)} given; each class needs a text")
    view = Text.pretrained(name, max_tokens=MAX_TOKENS)
    fields = view.prepare(Cells("text", list(prompts), np.ones(len(prompts), dtype=bool)))
    given = {field: torch.from_numpy(values) for field, values in fields.items()}
    if AutoConfig.from_pretrained(name, trust_remote_code=False).model_type not in CLIPS:
        return TextEncoder.pretrained(name, view).eval()(given).pooled
    clip = AutoModel.from_pretrained(name, use_safetensors=True, trust_remote_code=False, dtype="float32").eval()
    return clip.get_text_features(input_ids=given["ids"], attention_mask=given["mask"].long()).pooler_output


def published_prompting(name: str) -> tuple[Mapping[str, Any], Mapping[str, Tensor]]:
    """What a published CLIP says of prompting: settings (`logit_scale`, and of X-CLIP `layers` and `heads`), and the weights of
    X-CLIP's prompt generator. Both are empty for any other text encoder."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(name, trust_remote_code=False)
    if config.model_type not in CLIPS:
        return {}, {}
    weights = published_weights(name)
    settings: dict[str, Any] = {"logit_scale": float(weights["logit_scale"])}
    if config.model_type == "xclip":
        settings |= {"layers": config.prompt_layers, "heads": config.prompt_num_attention_heads}
    start = "prompts_generator."
    return settings, {key.removeprefix(start): weight for key, weight in weights.items() if key.startswith(start)}
