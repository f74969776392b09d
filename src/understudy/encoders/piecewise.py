"""VectorPiecewise: each number through a piecewise linear embedding of its own, then all of them through a perceptron."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from understudy.batches.batch import Fields
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.mlp import mlp
from understudy.prepare.knots import Knots

EMBEDDED = 8
"""Width of one number's embedding."""


class VectorPiecewise(Encoder):
    """The numbers and their embeddings through `depth` layers of `width`.

    A number is told how far it came through each interval between its train quantiles (Gorishniy, Rubachev, Babenko,
    "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022, arXiv 2203.05556, section 3.2), which a
    layer of its own reads beside the number itself. So steps and skewed columns cost the perceptron nothing.
    """

    low: Float[Tensor, "D K"]
    span: Float[Tensor, "D K"]

    def __init__(self, view: Knots, *, width: int = 128, depth: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        knots = torch.from_numpy(view.knots).float()
        # Not saved with the weights: they are the view's, which is saved beside them.
        self.register_buffer("low", knots[:, :-1].contiguous(), persistent=False)
        self.register_buffer("span", knots.diff(dim=1), persistent=False)
        numbers, intervals = self.low.shape
        self.through = nn.Parameter(torch.randn(numbers, intervals, EMBEDDED) / intervals**0.5)
        self.along = nn.Parameter(0.5 * torch.randn(numbers, EMBEDDED))
        self.offset = nn.Parameter(torch.zeros(numbers, EMBEDDED))
        self.layers = mlp(numbers * (1 + EMBEDDED), width=width, depth=depth, dropout=dropout)

    def forward(self, fields: Fields) -> Encoded:
        values = fields["values"][:, :, None]
        # An interval without width lies between equal quantiles; nothing is told of it.
        share = ((values - self.low) / self.span.clamp_min(1e-6)).clamp(0.0, 1.0) * (self.span > 0)
        embedded = torch.einsum("ndk,dke->nde", share, self.through) + values * self.along + self.offset
        return Encoded(self.layers(torch.cat([fields["values"], embedded.relu().flatten(1)], dim=1)))
