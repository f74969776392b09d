"""The perceptron that vector and table encoders share."""

from torch import nn


def mlp(inputs: int, *, width: int, depth: int, dropout: float) -> nn.Sequential:
    """`depth` layers of Linear and GELU with dropout between them."""
    if depth < 1:
        raise ValueError(f"depth={depth}: expected at least one layer")
    layers: list[nn.Module] = [nn.Linear(inputs, width), nn.GELU()]
    for _ in range(depth - 1):
        layers += [nn.Dropout(dropout), nn.Linear(width, width), nn.GELU()]
    return nn.Sequential(*layers)
