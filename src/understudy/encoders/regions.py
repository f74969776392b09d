"""RegionTokens: the regions of a picture as tokens, and the geometry that tells where each of them is."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.pooling import masked_mean
from understudy.prepare.regions import Regions

GEOMETRY = 7
"""Numbers that say where a box is."""
PARTS = 65_536
"""Of a picture's side, to say where a token lies in it."""


def geometry(boxes: Float[Tensor, "*R 4"]) -> Float[Tensor, "*R 7"]:
    """Corners x1 y1 x2 y2 in [0, 1], then width, height and area: what UNITER tells of a region."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return torch.cat([boxes, sides, sides.prod(dim=-1, keepdim=True)], dim=-1)


def corners(boxes: Float[Tensor, "*R 4"]) -> Int[Tensor, "*R 4"]:
    """Boxes in [0, 1] as `Tokens.spans` has them."""
    return (boxes * PARTS).round().long()


class Placed(nn.Module):
    """What is seen in a box, and where the box is, as one normalised vector."""

    def __init__(self, features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.seen, self.place = nn.Linear(features, width), nn.Linear(GEOMETRY, width)
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Dropout(dropout))

    def forward(self, features: Float[Tensor, "B R _"], boxes: Float[Tensor, "*B R 4"]) -> Float[Tensor, "B R D"]:
        return self.leave(self.seen(features) + self.place(geometry(boxes)))


class RegionTokens(Encoder):
    """A linear layer over each region's features and one over its geometry; then the mean of the regions."""

    located = True

    def __init__(self, view: Regions, *, width: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        self.placed = Placed(view.width, width, dropout)

    def forward(self, fields: Fields) -> Encoded:
        states = self.placed(fields["values"], fields["boxes"])
        return Encoded(masked_mean(states, fields["mask"]), Tokens(states, fields["mask"], corners(fields["boxes"])))
