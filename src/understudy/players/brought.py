"""Torch modules that somebody brought as encoders: by a label in settings and on disk, and themselves in this process alone.

A module is code, which a run's folder cannot hold: whoever opens the run in another process hands it over again.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from understudy.corpus import Corpus
from understudy.encoders.own import OwnEncoder, check_module
from understudy.prepare.catalogue import view_for
from understudy.prepare.view import View

PREFIX = "module:"
BROUGHT: dict[str, nn.Module] = {}
"""Label -> module, of this process."""


def labelled(encoders: Mapping[str, Any]) -> dict[str, str]:
    """Encoders by name: a module is kept here and stands for its label, which is its class and a digest of its weights.

    TypeError for what is neither a name nor a module.
    """
    found = {}
    for modality, encoder in encoders.items():
        if isinstance(encoder, nn.Module):
            label = f"{PREFIX}{type(encoder).__name__}-{digest(encoder)}"
            BROUGHT[label] = encoder
            found[modality] = label
        elif isinstance(encoder, str):
            found[modality] = encoder
        else:
            said = f"{modality} has {type(encoder).__name__}"
            raise TypeError(f"encoders: {said}; expected a name, a folder, onnx:FILE or a torch.nn.Module")
    return found


def digest(module: nn.Module) -> str:
    """Of its weights, their names, and whether they train."""
    found = hashlib.sha256()
    for name, value in module.state_dict().items():
        found.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        found.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    found.update(str([each.requires_grad for each in module.parameters()]).encode())
    return found.hexdigest()[:12]


def module_of(label: str) -> nn.Module:
    """The module; ValueError where this process was not given it."""
    if label not in BROUGHT:
        raise ValueError(
            f"encoder {label} is a torch module that this process was not given: open the run in Python with the same module, "
            'us.load(RUN, encoders={"MODALITY": module}); what was exported needs it no more'
        )
    return BROUGHT[label]


def own_view(corpus: Corpus, modality: str, label: str) -> View:
    """The unfitted view that a module reads: its own `view`, or the usual one of the kind; ValueError for one of another kind."""
    view = getattr(module_of(label), "view", None) or view_for(corpus.modalities[modality])
    kind = corpus.modalities[modality].kind
    if not isinstance(view, View) or view.kind != kind:
        said = f"a view of {view.kind}" if isinstance(view, View) else f"a {type(view).__name__}"
        raise ValueError(
            f"encoder {label} reads {said}, and {modality} is a {kind}; set module.view to one of that kind, or to none"
        )
    return view


def own_module(view: View, label: str) -> OwnEncoder:
    """The encoder of a module, with the weights that it was given with."""
    return OwnEncoder(view, module_of(label))


def check_brought(corpus: Corpus, modality: str, label: str, view: View) -> None:
    """ValueError for a module that does not answer two rows of the corpus as it says; a view must be fitted by now."""
    rows = np.resize(corpus.present(modality).nonzero()[0], 2)  # different ones, where there are
    fields = {name: torch.from_numpy(values) for name, values in view.prepare(corpus.cells(modality, rows)).items()}
    check_module(module_of(label), fields, f"encoder {label} of {modality}")
