"""TextBag: a text as the words and pairs that it holds, each with an embedding, weighted and added up."""

from torch import nn

from understudy.batches.batch import Fields
from understudy.encoders.encoder import Encoded, Encoder
from understudy.prepare.terms import Terms

EMBEDDED = 32
SCALE = 4.0
"""Of the sum, so that it moves fast enough at the rate of the rest of the network."""


class TextBag(Encoder):
    """The weighted sum of the terms' embeddings, and a layer of `width`: linear, so that an unusual text is read by its words."""

    def __init__(self, view: Terms, *, width: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        self.embedding = nn.Embedding(view.terms, EMBEDDED)
        # Nearly nothing, so that a term that few rows hold adds no noise before anything is known of it.
        nn.init.normal_(self.embedding.weight, std=0.01)
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(EMBEDDED, width))

    def forward(self, fields: Fields) -> Encoded:
        """Padding has no weight."""
        summed = (self.embedding(fields["ids"]) * fields["weights"][:, :, None]).sum(dim=1)
        return Encoded(self.layers(SCALE * summed))
