"""Words, DetectedRegions and ViltPatches: what texts and pictures enter a published vision-language model through.

The model itself is a fusion (see `published_fusion`); apart from it, each of these is an encoder of its modality.
config: a transformers configuration as JSON, of type visual_bert, vilt or lxmert.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.pooling import masked_mean
from understudy.encoders.published import published_config, published_weights, without_origin
from understudy.encoders.regions import corners
from understudy.prepare.choices import Choices
from understudy.prepare.pictures import Pictures
from understudy.prepare.regions import Regions
from understudy.prepare.text import Text

JOINT = ("visual_bert", "vilt", "lxmert")
"""Published vision-language models, by transformers' `model_type`."""


def joint_config(config: Mapping[str, Any]) -> Any:
    """The configuration as transformers has it; ValueError for another kind of model."""
    from transformers import AutoConfig

    if config.get("model_type") not in JOINT:
        raise ValueError(f"a {config.get('model_type')} is given; a vision-language model is one of {', '.join(JOINT)}")
    return AutoConfig.for_model(**config)


class JointPart(Encoder):
    """The part of a published model that one modality enters through. `names`: own parameter -> its name in the whole model."""

    names: dict[str, str]
    config: Mapping[str, Any]

    @classmethod
    def pretrained(cls, name: str, view: Any) -> "JointPart":
        """From a transformers folder or hub id, in float32; errors as of every published encoder."""
        encoder = cls(view, config=published_config(name))
        encoder.fine_tuned = True
        published = published_weights(name)
        encoder.load_state_dict({own: published[theirs] for own, theirs in encoder.names.items()})
        return encoder

    def __init__(self, view: Any, *, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.view = view


class Words(JointPart):
    """The embedding of each token, without its place, which the model itself adds; then their mean."""

    def __init__(self, view: Text | Choices, *, config: Mapping[str, Any]) -> None:
        super().__init__(view, config=config)
        known = joint_config(config)
        self.config, self.width = without_origin(known), known.hidden_size
        if view.tokens > known.vocab_size or view.max_tokens > known.max_position_embeddings:
            raise ValueError(
                f"the text view has {view.tokens} tokens and rows of {view.max_tokens}; this {known.model_type} embeds "
                f"{known.vocab_size} and reads {known.max_position_embeddings}: take its tokenizer"
            )
        self.embedding = nn.Embedding(known.vocab_size, known.hidden_size)
        nn.init.normal_(self.embedding.weight, std=known.initializer_range)
        text = "text_embeddings." if known.model_type == "vilt" else ""
        self.names = {"embedding.weight": f"embeddings.{text}word_embeddings.weight"}

    def forward(self, fields: Fields) -> Encoded:
        tokens = self.embedding(fields["ids"])
        return Encoded(masked_mean(tokens, fields["mask"]), Tokens(tokens, fields["mask"], fields["spans"]))


class DetectedRegions(JointPart):
    """Regions as VisualBERT (features alone) or LXMERT (features and boxes) takes them from a detector; then their mean.

    Features are as the detector gave them: what the view standardised is undone.
    """

    mean: Tensor
    scale: Tensor
    located = True

    def __init__(self, view: Regions, *, config: Mapping[str, Any]) -> None:
        from transformers.models.lxmert.modeling_lxmert import LxmertVisualFeatureEncoder

        super().__init__(view, config=config)
        known = joint_config(config)
        if known.model_type == "vilt":
            raise ValueError("a vilt reads pictures, not regions; choose another encoder for regions")
        self.config, self.width, self.boxes = without_origin(known), known.hidden_size, known.model_type == "lxmert"
        width = known.visual_feat_dim if self.boxes else known.visual_embedding_dim
        if view.width != width:
            raise ValueError(f"regions have {view.width} features; this {known.model_type} reads {width}: take encoder 'regions'")
        self.enter = LxmertVisualFeatureEncoder(known) if self.boxes else nn.Linear(width, known.hidden_size)
        self.register_buffer("mean", torch.tensor(view.standard.mean, dtype=torch.float32), persistent=False)
        self.register_buffer("scale", torch.tensor(view.standard.scale, dtype=torch.float32), persistent=False)
        start = "encoder.visn_fc." if self.boxes else "embeddings.visual_projection."
        self.names = {f"enter.{name}": start + name for name in self.enter.state_dict()}

    def forward(self, fields: Fields) -> Encoded:
        features = fields["values"] * self.scale + self.mean
        tokens = self.enter(features, fields["boxes"]) if self.boxes else self.enter(features)
        return Encoded(masked_mean(tokens, fields["mask"]), Tokens(tokens, fields["mask"], corners(fields["boxes"])))


class ViltPatches(JointPart):
    """A picture as ViLT takes it: a token for the whole and one for each patch, with their places; the first is the vector.

    Pictures are squeezed into one square, while ViLT's own keep their shape.
    """

    def __init__(self, view: Pictures, *, config: Mapping[str, Any]) -> None:
        super().__init__(view, config=config)
        known = joint_config(config)
        if known.model_type != "vilt" or view.size != known.image_size:
            given = f"pictures of size {view.size} and a {known.model_type} are given"
            raise ValueError(f"{given}; expected a vilt and the size that it reads")
        self.config, self.width = without_origin(known), known.hidden_size
        patches = "embeddings.patch_embeddings.projection."
        self.names = {f"patches.{name}": patches + name for name in ("weight", "bias")}
        self.names |= {"cls_token": "embeddings.cls_token", "places": "embeddings.position_embeddings"}
        count = (known.image_size // known.patch_size) ** 2
        self.patches = nn.Conv2d(3, self.width, known.patch_size, stride=known.patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, self.width))
        self.places = nn.Parameter(torch.randn(1, 1 + count, self.width) * known.initializer_range)

    def forward(self, fields: Fields) -> Encoded:
        seen = self.patches(fields["values"]).flatten(start_dim=2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(seen.shape[0], -1, -1), seen], dim=1) + self.places
        return Encoded(tokens[:, 0], Tokens(tokens, torch.ones_like(tokens[:, :, 0], dtype=torch.bool)))
