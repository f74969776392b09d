"""TableMLP: numbers, what is missing among them, and embedded categories through a perceptron."""

import torch
from torch import Tensor, nn

from understudy.batches.batch import Fields
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.mlp import mlp
from understudy.prepare.table import Table

WIDEST = 16


class TableMLP(Encoder):
    """Each category column has an embedding of about the root of its size, at most 16 wide."""

    def __init__(self, view: Table, *, width: int = 128, depth: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        sizes = [1 + len(known) for known in view.categories.values()]
        self.embeddings = nn.ModuleList(nn.Embedding(size, min(WIDEST, 1 + round(size**0.5))) for size in sizes)
        for embedding in self.embeddings:
            # Id 0, missing or unseen, may never occur in training: it starts and then stays neutral.
            nn.init.zeros_(embedding.weight[0])  # pyright: ignore
        embedded = sum(min(WIDEST, 1 + round(size**0.5)) for size in sizes)
        self.layers = mlp(2 * len(view.numbers) + embedded, width=width, depth=depth, dropout=dropout)

    def forward(self, fields: Fields) -> Encoded:
        parts: list[Tensor] = []
        if "numbers" in fields:
            parts = [fields["numbers"], fields["missing"].to(fields["numbers"].dtype)]
        for column, embedding in enumerate(self.embeddings):
            parts.append(embedding(fields["categories"][:, column]))
        return Encoded(self.layers(torch.cat(parts, dim=1)))
