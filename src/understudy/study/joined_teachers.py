"""Teachers that are put together here: a torch module with what makes its inputs, and several teachers with weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

AT_ONCE = 64
"""Rows of one pass."""


@dataclass(frozen=True, eq=False)
class TorchTeacher:
    """A torch module that answers rows: a teacher of `us.distill`.

    inputs: from a pandas frame of some rows, as functions get it, to the module's argument, or several in a tuple. classes: names
    of its outputs in their order, for a module that gives logits `[B C]`; left out for one that gives a number `[B]` or `[B 1]`.

    >>> import torch, understudy as us
    >>> net = torch.nn.Linear(2, 1)
    >>> us.TorchTeacher(net, lambda frame: torch.tensor(frame[["x", "y"]].to_numpy(), dtype=torch.float32)).classes
    ()
    """

    module: nn.Module
    inputs: Callable[[Any], Any]
    classes: Sequence[str] = ()

    def __call__(self, frame: Any) -> Any:
        """What it says of the rows of a frame: probabilities by class name, or numbers; ValueError for another shape."""
        parts = [self._ask(frame.iloc[start : start + AT_ONCE]) for start in range(0, len(frame), AT_ONCE)]
        said = np.concatenate(parts)
        return dict(zip(self.classes, said.T, strict=True)) if self.classes else said

    @torch.no_grad()
    def _ask(self, some: Any) -> NDArray[np.float64]:
        module, given = self.module.eval(), self.inputs(some)
        on = next((each.device for each in module.parameters()), torch.device("cpu"))
        given = given if isinstance(given, tuple) else (given,)
        said = module(*(each.to(on) if isinstance(each, Tensor) else each for each in given))
        expected = [len(some), len(self.classes)] if self.classes else [len(some)]
        if isinstance(said, Tensor) and not self.classes and list(said.shape) == [len(some), 1]:
            said = said[:, 0]
        if not isinstance(said, Tensor) or list(said.shape) != expected:
            found = list(said.shape) if isinstance(said, Tensor) else f"a {type(said).__name__}"
            raise ValueError(f"{type(module).__name__} answers {len(some)} rows with {found}; expected a tensor {expected}")
        said = said.double().cpu()
        return (said.softmax(dim=1) if self.classes else said).numpy()

    @property
    def __name__(self) -> str:  # as functions say who they are
        return type(self.module).__name__


@dataclass(frozen=True, eq=False)
class Weighted:
    """Several teachers as one: the weighted mean of their probabilities, or numbers, of the rows that all of them answer.

    members: teachers of any kind that `us.distill` takes, each with a weight above 0.

    >>> import understudy as us
    >>> us.Weighted([("answers.csv", 2.0), (lambda frame: frame["x"], 1.0)]).shares
    (0.6666666666666666, 0.3333333333333333)
    """

    members: Sequence[tuple[Any, float | int]]

    def __post_init__(self) -> None:
        wrong = [weight for _, weight in self.members if not (isinstance(weight, int | float) and 0 < weight < float("inf"))]
        if not self.members or wrong:
            said = f"weight {wrong[0]!r}" if wrong else "no teacher"
            raise ValueError(f"{said} given to us.Weighted; expected pairs of a teacher and a weight above 0")

    @property
    def shares(self) -> tuple[float, ...]:
        """The weights, adding up to 1."""
        total = sum(weight for _, weight in self.members)
        return tuple(weight / total for _, weight in self.members)
