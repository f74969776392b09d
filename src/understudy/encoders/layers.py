"""Layers: what the inside of an encoder says, as one vector a row."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from understudy.encoders.pooling import masked_mean

ACTIVATIONS = (nn.GELU, nn.ReLU, nn.SiLU, nn.Tanh)
CELLS = 4
"""Of a map, at most so many by so many, each the mean of what lies in it."""


def layers_of(encoder: nn.Module) -> Sequence[nn.Module]:
    """The modules inside an encoder whose outputs are its layers, in order of depth, without the last, which makes its vector.

    The blocks of its outermost list of blocks; where it has none, its activations.
    """
    for module in encoder.modules():
        if isinstance(module, nn.ModuleList) and len(module) and all(any(True for _ in block.children()) for block in module):
            return list(module)[:-1]
    return [module for module in encoder.modules() if isinstance(module, ACTIVATIONS)][:-1]


def note(heard: dict[str, Any], name: str, module: nn.Module, given: Any, said: Any) -> None:
    """A forward hook: writes down what the module said. It returns nothing, so that torch changes nothing."""
    heard[name] = said


@contextmanager
def overheard(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Any]]:
    """What each of these modules says meanwhile, by name."""
    heard: dict[str, Any] = {}
    handles = [module.register_forward_hook(partial(note, heard, name)) for name, module in modules.items()]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def layer_vector(said: Any, rows: int, mask: Bool[Tensor, "R T"] | None) -> Float[Tensor, "B D"]:
    """One vector a row: of a map [R C H W] the means of its cells, of tokens [R T D] their mean (by `mask`, where it is theirs).

    Of a module that says several things, the first. Where a row of the batch is several (choices, frames), theirs one after the
    other.
    """
    while isinstance(said, tuple | list):
        said = said[0]
    if said.ndim == 4:
        said = adaptive_avg_pool2d(said, (min(CELLS, said.shape[2]), min(CELLS, said.shape[3])))
    elif said.ndim == 3:
        said = said.mean(dim=1) if mask is None or mask.shape != said.shape[:2] else masked_mean(said, mask)
    return said.reshape(rows, -1) if rows else said.flatten(start_dim=1)
