"""SoundEncoder: sound through any speech model of transformers: wav2vec 2.0, HuBERT, WavLM, Whisper's encoder and their kin."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.pooling import masked_mean
from understudy.encoders.published import FAULTS, architecture, published_config, published_weights, still, without_origin
from understudy.prepare.waveform import Waveform
from understudy.prepare.whisper import WhisperMel

Heard = Waveform | WhisperMel
"""The views of published speech models: every clip fills the same time, so that no neighbour decides about its padding."""


class SoundEncoder(Encoder):
    """The mean of the states while the clip lasts; the states are the tokens.

    Of a model that also speaks, such as Whisper, the encoder alone. config: a transformers configuration as JSON, with its
    `model_type`; `self.config` gives it back. No time, feature or layer is left out in training.
    """

    def __init__(self, view: Heard, *, config: Mapping[str, Any]) -> None:
        from transformers import AutoConfig

        super().__init__()
        known = AutoConfig.for_model(**config)
        self.view, self.config = view, without_origin(known)
        self.model, self.start = listener_of(known)
        self.longest, self.width = view.longest, self._check(view.shape)

    @torch.no_grad()
    def _check(self, shape: tuple[int, ...]) -> int:
        """The width of the states; ValueError for a model that does not listen to sound alone."""
        kind, training = self.config["model_type"], self.model.training
        try:
            self.model.eval()
            states = self.model(torch.zeros(2, *shape)).last_hidden_state
        except FAULTS as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"a {kind} does not listen to sound alone ({reason}); choose another encoder") from None
        finally:
            self.model.train(training)
        if states.ndim != 3 or len(states) != 2:
            raise ValueError(f"a {kind} gives states of shape {list(states.shape)} to 2 clips, not [2, T, D]; choose another")
        return states.shape[2]

    def forward(self, fields: Fields) -> Encoded:
        states: Float[Tensor, "B T D"] = self.model(fields["values"]).last_hidden_state
        # A state stands for as large a share of the time as any other.
        lasting = -(-fields["length"] * states.shape[1] // self.longest)
        mask = torch.arange(states.shape[1], device=states.device) < lasting[:, None]
        return Encoded(masked_mean(states, mask), Tokens(states, mask))

    @classmethod
    def pretrained(cls, name: str | Path, view: Heard) -> "SoundEncoder":
        """From a transformers folder or hub id, in float32; `published_sound` gives its view.

        Raises FileNotFoundError where there is no model with weights in safetensors, ValueError where they lack a part of it.
        """
        encoder = cls(view, config=published_config(str(name)))
        encoder.fine_tuned = True
        published = published_weights(str(name), spare=("masked_spec_embed",))
        own = encoder.model.state_dict()
        encoder.model.load_state_dict({key: published.get(f"{encoder.start}{key}", own[key]) for key in own})
        return encoder


def listener_of(known: Any) -> tuple[nn.Module, str]:
    """What listens, and where its weights stand in the whole model; ValueError for a configuration of no model."""
    known.apply_spec_augment, known.layerdrop, known.encoder_layerdrop = False, 0.0, 0.0
    whole = architecture(known)
    found, start = (whole.get_encoder(), "encoder.") if known.is_encoder_decoder else (whole, "")
    still(found)
    return found, start
