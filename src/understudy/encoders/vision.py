"""ViT and ClipImage: pictures through a published vision transformer, its class token as the vector and its patches as tokens."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.clip import known_config
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.patches import grid
from understudy.encoders.processor import prepared_size, published_preparation
from understudy.encoders.published import published_config, published_weights, without_origin
from understudy.encoders.regions import corners
from understudy.prepare.pictures import Pictures

KNOWN = ("clip", "vit", "vilt")
"""Kinds of models that read pictures of the one size that their configuration says."""


class VisionEncoder(Encoder):
    """A vision transformer of transformers. `pretrained` fetches weights.

    config: a transformers configuration as JSON; `self.config` gives it back, so that a saved model is rebuilt from it and its
    own weights alone.
    """

    model_type: str
    located = True

    def __init__(self, view: Pictures, *, config: Mapping[str, Any]) -> None:
        super().__init__()
        known = known_config(config, self.model_type)
        size = getattr(known, "vision_config", known).image_size
        if view.size != size:
            raise ValueError(f"the view gives pictures of size {view.size}; this {self.model_type} reads {size}")
        self.view, self.config = view, without_origin(known)
        self.width = self.build(known)

    @abstractmethod
    def build(self, known: Any) -> int:
        """Sets the layers of a configuration; the width of what they say."""

    @abstractmethod
    def look(self, values: Float[Tensor, "B _ H W"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B P D"]]:
        """The picture's vector and its patches'."""

    def forward(self, fields: Fields) -> Encoded:
        pooled, patches = self.look(fields["values"])
        side = math.isqrt(patches.shape[1])
        where = corners(grid((side, side), 1)).to(patches.device).expand(patches.shape[0], -1, -1)
        return Encoded(pooled, Tokens(patches, torch.ones_like(patches[:, :, 0], dtype=torch.bool), where))

    @classmethod
    def pretrained(cls, name: str | Path, view: Pictures) -> "VisionEncoder":
        """From a transformers folder or hub id, in float32; `published_pictures` gives its view.

        Raises FileNotFoundError where there is no model with weights in safetensors, ValueError where it is of another kind or
        its weights are broken.
        """
        encoder = cls(view, config=published_config(str(name)))
        encoder.fine_tuned = True
        published = published_weights(str(name))
        encoder.load_state_dict({key: published[key.removeprefix("model.")] for key in encoder.state_dict()})
        return encoder


class ViT(VisionEncoder):
    """Dosovitskiy et al., "An Image is Worth 16x16 Words" (ICLR 2021, arXiv 2010.11929)."""

    model_type = "vit"

    def build(self, known: Any) -> int:
        from transformers import AutoModel

        self.model = AutoModel.from_config(known, attn_implementation="sdpa", dtype="float32", add_pooling_layer=False)
        return known.hidden_size

    def look(self, values: Float[Tensor, "B _ H W"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B P D"]]:
        states = self.model(pixel_values=values).last_hidden_state
        return states[:, 0], states[:, 1:]


class ClipImage(VisionEncoder):
    """The vision tower of a CLIP, in the space where its texts are: the picture's vector is projected, and so is each patch.

    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (ICML 2021, arXiv 2103.00020).
    """

    model_type = "clip"

    def build(self, known: Any) -> int:
        from transformers import AutoModel

        whole = AutoModel.from_config(known, attn_implementation="sdpa", dtype="float32")
        self.vision_model, self.visual_projection = whole.vision_model, whole.visual_projection
        return known.projection_dim

    def look(self, values: Float[Tensor, "B _ H W"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B P D"]]:
        seen = self.vision_model(pixel_values=values)
        # CLIP itself normalises and projects the class token alone.
        patches = self.vision_model.post_layernorm(seen.last_hidden_state[:, 1:])
        return self.visual_projection(seen.pooler_output), self.visual_projection(patches)


def published_pictures(name: str) -> Pictures:
    """The view that a published CLIP, ViT or other vision model was trained with; ValueError as of `published_preparation`."""
    config = published_config(name)
    clip = config["model_type"] == "clip"
    own = config["vision_config"] if clip else config
    size = own["image_size"] if config["model_type"] in KNOWN else prepared_size(name, config)
    return Pictures(**published_preparation(name, size=size, clip=clip)._asdict())
