"""TextEncoder and TextTransformer: tokens through a published transformer or a small one of our own.

Either reads a text, or each of several choices: a Model shows it those as so many texts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.pooling import attended, masked_mean
from understudy.encoders.published import architecture, published_weights, without_origin
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


def longest_text(config: Any) -> int | None:
    """How many tokens a transformers configuration has places for; None where nothing limits them."""
    text = getattr(config, "text_config", config)
    longest = getattr(text, "max_position_embeddings", None)
    return longest if isinstance(longest, int) and longest > 0 else None


def places_lost(model: nn.Module) -> int:
    """Places that no token takes: RoBERTa and its kin count from behind the id of the padding."""
    kept = (getattr(each, "padding_idx", None) for name, each in model.named_modules() if name.endswith("position_embeddings"))
    return 1 + next((place for place in kept if place is not None), -1)


class TextEncoder(Encoder):
    """Any encoder of transformers, then the mean of its tokens. `TextEncoder.pretrained` fetches weights.

    config: a transformers configuration as JSON, with its `model_type`; `self.config` gives it back, so that a saved model is
    rebuilt from it and its own weights alone. Code that a folder or the hub may bring along is never executed.
    """

    def __init__(self, view: Text | Choices, *, config: Mapping[str, Any]) -> None:
        from transformers import AutoConfig

        super().__init__()
        known = AutoConfig.for_model(**config)
        if known.is_encoder_decoder:
            raise ValueError(f"a {known.model_type} is an encoder with a decoder; expected an encoder alone")
        self.model = architecture(known)
        try:
            self.view, self.width = view, known.hidden_size
            room = len(self.model.get_input_embeddings().weight)
        except (AttributeError, NotImplementedError):
            raise ValueError(f"a {known.model_type} gives no vector a token of an embedding; choose another encoder") from None
        # A pooler belongs to the first pretraining task; here it would only be weights without a gradient.
        if getattr(self.model, "pooler", None) is not None:
            self.model.pooler = nn.Identity()
        if view.tokens > room:
            raise ValueError(
                f"the text view has {view.tokens} tokens, but this {known.model_type} embeds {room}: take its tokenizer"
            )
        longest = longest_text(known)
        longest = longest and longest - places_lost(self.model)
        if longest and view.max_tokens > longest:
            raise ValueError(f"the text view has max_tokens={view.max_tokens}; this {known.model_type} reads at most {longest}")
        self._check(view)

    @torch.no_grad()
    def _check(self, view: Text | Choices) -> None:
        """ValueError unless it gives a state a token, which does not depend on the padding behind a text."""
        kind = self.model.config.model_type
        steps = min(8, view.max_tokens)
        ids = torch.full((2, steps), view.padding)
        ids[:, : steps // 2] = torch.arange(steps // 2) + max(0, min(9, view.tokens - steps))
        mask = torch.arange(steps) < steps // 2
        training = self.model.training
        try:
            with torch.random.fork_rng(devices=[]):
                self.model.eval()
                states = self._states(ids, mask.expand(2, -1))
                alone = self._states(ids[:, : steps // 2], mask[: steps // 2].expand(2, -1))
        except (ValueError, TypeError, AttributeError, RuntimeError, IndexError, NotImplementedError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"a {kind} does not read texts by ids and mask alone ({reason}); choose another encoder") from None
        finally:
            self.model.train(training)
        if states.shape != (2, steps, self.width):
            said = f"gives states of shape {list(states.shape)} to {steps} tokens of 2 texts, not [2, {steps}, {self.width}]"
            raise ValueError(f"a {kind} {said}; choose another encoder")
        if not torch.allclose(states[:, : steps // 2], alone, rtol=1e-3, atol=1e-4):
            raise ValueError(
                f"a {kind} reads the padding behind a text, too, so its rows depend on others; choose another encoder"
            )

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
        states = self._states(fields["ids"], attended(fields["mask"]))
        return Encoded(masked_mean(states, fields["mask"]), Tokens(states, fields["mask"], fields["spans"]))

    def _states(self, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        return self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
