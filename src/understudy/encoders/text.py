"""TextEncoder and TextTransformer: tokens through a published transformer or a small one of our own.

Either reads a text, or each of several choices: a Model shows it those as so many texts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.pooling import attended, masked_mean
from understudy.encoders.published import published_weights, without_origin
from understudy.encoders.transformer import Transformer
from understudy.prepare.choices import Choices
from understudy.prepare.text import Text


class TextTransformer(Encoder):
    """Learnt embeddings, a small transformer, then the mean of the tokens; under 1 M parameters with 4,000 tokens."""

    def __init__(self, view: Text | Choices, *, width: int = 128, depth: int = 1, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        self.embedding = nn.Embedding(view.tokens, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.transformer = Transformer(width=width, steps=view.max_tokens, depth=depth, heads=heads, dropout=dropout)

    def forward(self, fields: Fields) -> Encoded:
        states = self.transformer(self.embedding(fields["ids"]), fields["mask"])
        return Encoded(masked_mean(states, fields["mask"]), Tokens(states, fields["mask"], fields["spans"]))


class TextEncoder(Encoder):
    """Any encoder of transformers, then the mean of its tokens. `TextEncoder.pretrained` fetches weights.

    config: a transformers configuration as JSON, with its `model_type`; `self.config` gives it back, so that a saved model is
    rebuilt from it and its own weights alone. Code that a folder or the hub may bring along is never executed.
    """

    def __init__(self, view: Text | Choices, *, config: Mapping[str, Any]) -> None:
        from transformers import AutoConfig, AutoModel

        super().__init__()
        known = AutoConfig.for_model(**config)
        if known.is_encoder_decoder:
            raise ValueError(f"a {known.model_type} is an encoder with a decoder; expected an encoder alone")
        self.view, self.width = view, known.hidden_size
        self.model = AutoModel.from_config(known, attn_implementation="sdpa", dtype="float32")
        # A pooler belongs to the first pretraining task; here it would only be weights without a gradient.
        self.model.pooler = None
        room = self.model.get_input_embeddings().num_embeddings
        if view.tokens > room:
            raise ValueError(
                f"the text view has {view.tokens} tokens, but this {known.model_type} embeds {room}: take its tokenizer"
            )
        longest = getattr(known, "max_position_embeddings", None)
        if isinstance(longest, int) and view.max_tokens > longest:
            raise ValueError(f"the text view has max_tokens={view.max_tokens}; this {known.model_type} reads at most {longest}")

    @classmethod
    def pretrained(cls, name: str | Path, view: Text | Choices, *, weights: bool = True) -> "TextEncoder":
        """From a transformers folder or hub id, in float32.

        weights: False builds the architecture only, for a state that is loaded next. Raises FileNotFoundError where there is no
        model with weights in safetensors, ValueError where they lack a part of it.
        """
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(str(name), trust_remote_code=False)
        except OSError as error:
            raise FileNotFoundError(f"no text encoder {name}: {error}") from None
        encoder = cls(view, config=config.to_dict())
        encoder.fine_tuned = True
        if weights:
            encoder.model.load_state_dict(published_weights(str(name)))
        return encoder

    @property
    def config(self) -> dict[str, Any]:
        """The transformers configuration as JSON, without the place it came from."""
        return without_origin(self.model.config)

    def forward(self, fields: Fields) -> Encoded:
        states = self.model(input_ids=fields["ids"], attention_mask=attended(fields["mask"]).long()).last_hidden_state
        return Encoded(masked_mean(states, fields["mask"]), Tokens(states, fields["mask"], fields["spans"]))
