"""PictureEncoder: pictures through any vision model of transformers: DINOv2, SigLIP, Swin, ConvNeXt, ResNet and their kin."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.clip import known_config
from understudy.encoders.encoder import Encoded, Encoder, keep_statistics
from understudy.encoders.published import FAULTS, architecture, published_config, published_weights, still, without_origin
from understudy.prepare.pictures import Pictures

TOWER = "vision_model"
"""Where a model of pictures and texts keeps what looks; its texts are left out."""


class PictureEncoder(Encoder):
    """The model's own vector of a picture where it makes one, else the mean of its states, which are the tokens.

    config: a transformers configuration as JSON, with its `model_type`; `self.config` gives it back. Statistics of a BatchNorm
    stay as they were published, since no layer may mix rows.
    """

    def __init__(self, view: Pictures, *, config: Mapping[str, Any]) -> None:
        super().__init__()
        known = known_config(config, config["model_type"])
        self.view, self.config = view, without_origin(known)
        self.model = tower_of(known)
        self.width = self._check(view.size)

    @torch.no_grad()
    def _check(self, size: int) -> int:
        """The width of the vectors; ValueError for a model that does not read a picture by its pixels, or mixes rows."""
        kind, training = self.config["model_type"], self.model.training
        two = torch.linspace(-1, 1, 6 * size**2).reshape(2, 3, size, size)
        try:
            self.model.eval()
            pooled, states = self._look(two)
            alone, _ = self._look(two[1:])
        except FAULTS as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"a {kind} does not read pictures of size {size} alone ({reason}); choose another encoder") from None
        finally:
            self.model.train(training)
        if pooled.ndim != 2 or states.ndim != 3 or pooled.shape[1] != states.shape[2]:
            said = f"a vector of shape {list(pooled.shape)} and states of {list(states.shape)}"
            raise ValueError(f"a {kind} gives {said} for 2 pictures, not [2, D] and [2, T, D]; choose another encoder")
        if not torch.allclose(pooled[1:], alone, rtol=1e-3, atol=1e-4):
            raise ValueError(f"a {kind} answers a picture by the others beside it; choose another encoder")
        return pooled.shape[1]

    def _look(self, values: Float[Tensor, "B _ H W"]) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B T D"]]:
        said = self.model(pixel_values=values)
        states = said.last_hidden_state
        if states.ndim == 4:
            states = states.flatten(start_dim=2).transpose(1, 2)
        pooled = getattr(said, "pooler_output", None)
        return states.mean(dim=1) if pooled is None else pooled.flatten(start_dim=1), states

    def forward(self, fields: Fields) -> Encoded:
        pooled, states = self._look(fields["values"])
        return Encoded(pooled, Tokens(states, torch.ones_like(states[:, :, 0], dtype=torch.bool)))

    def train(self, mode: bool = True) -> "PictureEncoder":
        super().train(mode)
        keep_statistics(self)
        return self

    @classmethod
    def pretrained(cls, name: str | Path, view: Pictures) -> "PictureEncoder":
        """From a transformers folder or hub id, in float32; `published_pictures` gives its view.

        Raises FileNotFoundError where there is no model with weights in safetensors, ValueError where they lack a part of it.
        """
        encoder = cls(view, config=published_config(str(name)))
        encoder.fine_tuned = True
        published = published_weights(str(name), spare=())
        start = "" if all(key in published for key in encoder.model.state_dict()) else f"{TOWER}."
        encoder.model.load_state_dict({key: published[f"{start}{key}"] for key in encoder.model.state_dict()})
        return encoder


def tower_of(known: Any) -> nn.Module:
    """What looks at pictures, of a whole model; ValueError for a configuration of no model."""
    whole = architecture(known)
    found: nn.Module = getattr(whole, TOWER, whole)
    still(found)
    return found
