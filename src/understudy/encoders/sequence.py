"""SequenceGRU and SequenceTransformer: steps of numbers."""

from torch import nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.pooling import masked_mean
from understudy.encoders.transformer import Transformer
from understudy.prepare.sequence import Sequence


class SequenceGRU(Encoder):
    """One forward GRU over the padded steps, then the mean of its real ones.

    Padding stands behind a row and the GRU runs forward, so that it needs no packing, which does not export.
    """

    def __init__(self, view: Sequence, *, width: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        self.enter = nn.Sequential(nn.Linear(view.width, width), nn.GELU(), nn.Dropout(dropout))
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, fields: Fields) -> Encoded:
        states, _ = self.gru(self.enter(fields["values"]))
        return Encoded(masked_mean(states, fields["mask"]), Tokens(states, fields["mask"]))


class SequenceTransformer(Encoder):
    """A small transformer, then the mean of its real steps."""

    def __init__(self, view: Sequence, *, width: int = 128, depth: int = 2, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        self.enter = nn.Linear(view.width, width)
        self.transformer = Transformer(width=width, steps=view.max_steps, depth=depth, heads=heads, dropout=dropout)

    def forward(self, fields: Fields) -> Encoded:
        states = self.transformer(self.enter(fields["values"]), fields["mask"])
        return Encoded(masked_mean(states, fields["mask"]), Tokens(states, fields["mask"]))
