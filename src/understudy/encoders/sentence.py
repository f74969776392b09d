"""SentenceEncoder: a sentence-transformers folder, with its pooling, layers and normalisation as they were saved."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from safetensors.torch import load_file
from torch import Tensor, nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded
from understudy.encoders.pooling import attended, masked_mean
from understudy.encoders.published import published_config
from understudy.encoders.text import TextEncoder
from understudy.prepare.choices import Choices
from understudy.prepare.text import Text

KEY = "sentence_transformers"
"""Of a configuration: `pooling`, `layers` (in, out, bias and activation of each) and `normalised`."""
POOLINGS = ("cls", "mean", "max", "lasttoken")
ACTIVATIONS: dict[str, type[nn.Module]] = {"Tanh": nn.Tanh, "Identity": nn.Identity, "ReLU": nn.ReLU, "GELU": nn.GELU}


class SentenceEncoder(TextEncoder):
    """A transformer, then what its `modules.json` lists. The tokens go through the same layers as the vector.

    config: a transformers configuration as JSON with what `sentence_settings` found under `KEY`.
    """

    def __init__(self, view: Text | Choices, *, config: Mapping[str, Any]) -> None:
        super().__init__(view, config={key: value for key, value in config.items() if key != KEY})
        self.told: Mapping[str, Any] = config[KEY]
        layers: list[nn.Module] = []
        for before, after, bias, activation in self.told["layers"]:
            layers += [nn.Linear(before, after, bias=bias), ACTIVATIONS[activation]()]
            self.width = after
        self.layers = nn.Sequential(*layers)

    @classmethod
    def pretrained(cls, name: str | Path, view: Text | Choices, *, weights: bool = True) -> "SentenceEncoder":
        """From a folder or hub id, in float32; ValueError and FileNotFoundError as of `TextEncoder`."""
        told = sentence_settings(str(name))
        if told is None:
            raise ValueError(f"{name} has no modules.json; expected a model of sentence-transformers")
        plain = TextEncoder.pretrained(name, view, weights=weights)
        encoder = cls(view, config=published_config(str(name)) | {KEY: told})
        encoder.model, encoder.fine_tuned = plain.model, True
        dense = [layer for layer in encoder.layers if isinstance(layer, nn.Linear)]
        for layer, path in zip(dense, dense_weights(str(name)), strict=True):
            layer.load_state_dict({key.removeprefix("linear."): value for key, value in load_file(path).items()})
        return encoder

    @property
    def config(self) -> dict[str, Any]:
        """The transformers configuration as JSON, and how its states become a vector."""
        return super().config | {KEY: dict(self.told)}

    def forward(self, fields: Fields) -> Encoded:
        states = self._states(fields["ids"], attended(fields["mask"]))
        pooled = self.layers(pooled_as(self.told["pooling"], states, fields["mask"]))
        if self.told["normalised"]:
            pooled = nn.functional.normalize(pooled, dim=1)
        return Encoded(pooled, Tokens(self.layers(states), fields["mask"], fields["spans"]))


def pooled_as(pooling: str, states: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B D"]:
    """One of POOLINGS; 0, or for "cls" the first state, where the mask is empty."""
    if pooling == "cls":
        return states[:, 0]
    if pooling == "mean":
        return masked_mean(states, mask)
    if pooling == "max":
        highest = states.where(mask[:, :, None], torch.finfo(states.dtype).min).amax(dim=1)
        return highest.where(mask.any(dim=1, keepdim=True), 0.0)
    steps = torch.arange(mask.shape[1], device=mask.device)
    last = mask & (steps == mask.sum(dim=1, keepdim=True) - 1)
    return states.where(last[:, :, None], 0.0).sum(dim=1)


def sentence_settings(name: str) -> dict[str, Any] | None:
    """What a model of sentence-transformers does with states, by folder or hub id; None for any other.

    ValueError where that is unknown here.
    """
    listed = file_of(name, "modules.json")
    if listed is None:
        return None
    found: dict[str, Any] = {"pooling": "mean", "layers": [], "normalised": False}
    for place, module in enumerate(document_of(listed)):
        kind = str(module.get("type", "")).rpartition(".")[2]
        told = document_of(path) if (path := file_of(name, f"{module['path']}/config.json")) and place else {}
        if place == 0 and kind == "Transformer" and not module["path"]:
            continue
        activation = str(told.get("activation_function", "")).rpartition(".")[2]
        if kind == "Pooling" and not found["layers"] and pooling_of(told) in POOLINGS:
            found["pooling"] = pooling_of(told)
        elif kind == "Dense" and activation in ACTIVATIONS:
            found["layers"].append([told["in_features"], told["out_features"], told.get("bias", True), activation])
        elif kind == "Normalize":
            found["normalised"] = True
        else:
            raise ValueError(
                f"{listed}: module {place}, a {kind} ({json.dumps(told)[:200]}), is not known here; known are a Transformer "
                f"at the root, Pooling by one of {', '.join(POOLINGS)}, Dense with {', '.join(ACTIVATIONS)}, and Normalize"
            )
    return found


def pooling_of(told: Mapping[str, Any]) -> str:
    """The one way of pooling that a module's configuration says, as earlier versions of the library or today's write it."""
    if isinstance(told.get("pooling_mode"), str):
        return told["pooling_mode"]
    chosen = [
        key.removeprefix("pooling_mode_") for key, value in told.items() if key.startswith("pooling_mode_") and value is True
    ]
    names = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    return names.get(chosen[0], chosen[0]) if len(chosen) == 1 else "+".join(chosen)


def dense_weights(name: str) -> list[str]:
    """The weights of each layer behind the pooling, in safetensors; FileNotFoundError where they lack."""
    listed = file_of(name, "modules.json")
    assert listed is not None
    found = []
    for module in document_of(listed):
        if str(module["type"]).endswith(".Dense"):
            path = file_of(name, f"{module['path']}/model.safetensors")
            if path is None:
                raise FileNotFoundError(f"{name}/{module['path']} has no model.safetensors")
            found.append(path)
    return found


def file_of(name: str, file: str) -> str | None:
    """A file of a folder or hub id on this disk; None where there is none."""
    from transformers.utils.hub import cached_file

    return cached_file(name, file, _raise_exceptions_for_missing_entries=False)


def document_of(path: str) -> Any:
    """A JSON file; ValueError for a broken one."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; expected JSON as sentence-transformers writes it") from None
