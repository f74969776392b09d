"""VectorMLP: a vector through a perceptron."""

from understudy.batches.batch import Fields
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.mlp import mlp
from understudy.prepare.vector import Vector


class VectorMLP(Encoder):
    """`depth` layers of `width`."""

    def __init__(self, view: Vector, *, width: int = 128, depth: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        self.layers = mlp(view.width, width=width, depth=depth, dropout=dropout)

    def forward(self, fields: Fields) -> Encoded:
        return Encoded(self.layers(fields["values"]))
