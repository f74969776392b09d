"""GraphEncoder: what is learnt on top of a frozen ONNX graph, whose answers its view prepares."""

import torch
from torch import nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.mlp import mlp
from understudy.prepare.graphed import Graphed


class GraphEncoder(Encoder):
    """The graph's vector through a perceptron, and its tokens, where it has them, through one layer."""

    def __init__(self, view: Graphed, *, width: int = 128, depth: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        # Nobody knows in what unit a graph answers.
        self.norm = nn.LayerNorm(view.width)
        self.vector = mlp(view.width, width=width, depth=depth, dropout=dropout)
        self.tokens = nn.Linear(view.width, width) if view.steps else None

    def forward(self, fields: Fields) -> Encoded:
        pooled = self.vector(self.norm(fields["vector"]))
        if self.tokens is None:
            return Encoded(pooled)
        values = self.tokens(self.norm(fields["tokens"]))
        return Encoded(pooled, Tokens(values, torch.ones_like(values[:, :, 0], dtype=torch.bool)))
