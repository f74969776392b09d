"""ClipText: a text through the text tower of a published CLIP, in the space where its pictures are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.pooling import attended
from understudy.encoders.published import published_config, published_weights, without_origin
from understudy.prepare.cells import Cells
from understudy.prepare.choices import Choices
from understudy.prepare.text import Text

LEGACY = 2
"""`eos_token_id` of the first published CLIPs, with which transformers pools at the largest id instead."""


class ClipText(Encoder):
    """The projected vector of the whole text, and its tokens through the tower's last normalisation and the same projection.

    So tokens and the vectors of `ClipImage` can be held against each other, which CLIP's training never did with single tokens.
    config: a transformers configuration as JSON; `self.config` gives it back.
    """

    def __init__(self, view: Text | Choices, *, config: Mapping[str, Any]) -> None:
        from transformers import AutoConfig
        from transformers.models.clip.modeling_clip import CLIPTextModelWithProjection

        super().__init__()
        if config.get("model_type") != "clip":
            raise ValueError(f"a {config.get('model_type')} is given; expected a transformers configuration of type clip")
        known = AutoConfig.for_model(**config)
        text = known.text_config
        text.projection_dim = known.projection_dim
        self.view, self.width, self.config = view, known.projection_dim, without_origin(known)
        self.model = CLIPTextModelWithProjection._from_config(text, attn_implementation="sdpa", dtype="float32")
        if view.tokens > text.vocab_size:
            raise ValueError(f"the text view has {view.tokens} tokens, this clip embeds {text.vocab_size}: take its tokenizer")
        if view.max_tokens > text.max_position_embeddings:
            raise ValueError(f"the text view has max_tokens={view.max_tokens}; this clip reads {text.max_position_embeddings}")

    @classmethod
    def pretrained(cls, name: str | Path, view: Text | Choices) -> "ClipText":
        """From a transformers folder or hub id, in float32.

        Raises FileNotFoundError where there is no model with weights in safetensors, ValueError where it is of another kind, its
        weights are broken, or its tokenizer does not end a text with the token that its vector is read at.
        """
        encoder = cls(view, config=published_config(str(name)))
        encoder.fine_tuned = True
        check_end(view, encoder.model.config.eos_token_id, str(name))
        published = published_weights(str(name))
        encoder.load_state_dict({key: published[key.removeprefix("model.")] for key in encoder.state_dict()})
        return encoder

    def forward(self, fields: Fields) -> Encoded:
        said = self.model(input_ids=fields["ids"], attention_mask=attended(fields["mask"]).long())
        tokens = self.model.text_projection(said.last_hidden_state)
        return Encoded(said.text_embeds, Tokens(tokens, fields["mask"], fields["spans"]))


def check_end(view: Text | Choices, end: Any, name: str) -> None:
    """ValueError unless a text's vector is read at its last token."""
    text = view.text if isinstance(view, Choices) else view
    ids = text.prepare(Cells("text", ["a"], np.ones(1, dtype=bool)))["ids"][0]
    place = ids.argmax() if end == LEGACY else (ids == end).argmax()
    if place != len(ids) - 1:
        said = f"its configuration reads a text's vector at token {end}, but its tokenizer ends a text with token {ids[-1]}"
        raise ValueError(f"{name}: {said}; set eos_token_id")
