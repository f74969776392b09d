"""OwnEncoder: a torch module that somebody brought, which says its width."""

import copy
from typing import Any

import torch
from torch import nn

from understudy.batches.batch import Fields
from understudy.encoders.encoder import Encoded, Encoder, keep_statistics
from understudy.prepare.view import View

ORDER = ("values", "ids", "numbers", "missing", "categories", "mask", "length")
"""In which a view's fields are handed over, those that it has."""


class OwnEncoder(Encoder):
    """`module(values)`, or `module(values, mask)` of what has steps and `module(ids, mask)` of a text, gives [B width].

    It trains where its parameters require a gradient, at the plan's `pretrained_rate` where it says `fine_tuned = True`; one
    without such parameters is frozen and stays in evaluation mode. Statistics of a BatchNorm stay as they are.
    """

    def __init__(self, view: View, module: nn.Module) -> None:
        super().__init__()
        self.view, self.width = view, int(getattr(module, "width"))  # noqa: B009
        self.module = copy.deepcopy(module)
        self.frozen = not any(each.requires_grad for each in module.parameters())
        self.fine_tuned = bool(getattr(module, "fine_tuned", False)) and not self.frozen
        self.config: dict[str, Any] = {"width": self.width}

    def forward(self, fields: Fields) -> Encoded:
        return Encoded(self.module(*handed(fields)))

    def train(self, mode: bool = True) -> "OwnEncoder":
        super().train(mode)
        if self.frozen:
            self.module.eval()
        keep_statistics(self)
        return self


def handed(fields: Fields) -> list[torch.Tensor]:
    """What a module is called with."""
    return [fields[name] for name in ORDER if name in fields]


def check_module(module: nn.Module, fields: Fields, name: str) -> None:
    """ValueError for a module that does not answer two rows with vectors of the width that it says. fields: of these rows."""
    width = getattr(module, "width", None)
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise ValueError(f"{name}: the module says no width; set module.width to how many numbers it gives a row")
    elsewhere = {each.device.type for each in (*module.parameters(), *module.buffers())} - {"cpu"}
    if elsewhere:
        raise ValueError(
            f"{name}: the module lies on {', '.join(elsewhere)}; hand it over on the CPU (module.cpu()), it is moved"
        )
    trial = copy.deepcopy(module).eval()
    try:
        with torch.no_grad():
            said = trial(*handed(fields))
            alone = trial(*(each[:1] for each in handed(fields)))
    except Exception as error:  # it is anybody's code
        shapes = ", ".join(f"{each.dtype} {list(each.shape)}".removeprefix("torch.") for each in handed(fields))
        reason = " ".join(str(error).split())[:200]
        hint = "; write it for the device of what it is called with, it is moved there" if "cuda" in reason.lower() else ""
        raise ValueError(f"{name}: called with {shapes} the module raises {type(error).__name__}: {reason}{hint}") from None
    if not isinstance(said, torch.Tensor):
        raise ValueError(f"{name}: the module returns a {type(said).__name__}; expected one tensor, a vector of {width} a row")
    if said.shape != (2, width):
        raise ValueError(f"{name}: the module says width {width}, and gives {list(said.shape)} for 2 rows; expected [2, {width}]")
    if not said.is_floating_point() or not torch.isfinite(said).all():
        raise ValueError(
            f"{name}: the module gives {said.dtype} with {int((~torch.isfinite(said)).sum())} that are no finite numbers"
        )
    if not torch.allclose(said[:1], alone, rtol=1e-3, atol=1e-4):
        raise ValueError(f"{name}: the module answers a row by the others beside it; take out what mixes rows")
