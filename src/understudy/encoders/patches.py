"""ImagePatches: a picture as a grid of patches, each of them a token."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, pixel_unshuffle

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.regions import Placed, corners
from understudy.prepare.image import Image


class ImagePatches(Encoder):
    """A linear layer over the pixels of each patch and one over its geometry; then the mean of the patches.

    patch: side of a patch in pixels; the last ones of a row and a column are filled up with the train mean.
    """

    boxes: Tensor
    located = True

    def __init__(self, view: Image, *, width: int = 128, patch: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        if patch < 1:
            raise ValueError(f"patch={patch}: expected at least one pixel")
        height, across = view.size
        self.view, self.width, self.patch = view, width, patch
        self.fill = (0, -across % patch, 0, -height % patch)
        self.placed = Placed(view.channels * patch * patch, width, dropout)
        self.register_buffer("boxes", grid(view.size, patch), persistent=False)

    def forward(self, fields: Fields) -> Encoded:
        pixels = pixel_unshuffle(pad(fields["values"], self.fill), self.patch).flatten(start_dim=2).transpose(1, 2)
        states = self.placed(pixels, self.boxes)
        everywhere = torch.ones_like(states[:, :, 0], dtype=torch.bool)
        return Encoded(states.mean(dim=1), Tokens(states, everywhere, corners(self.boxes).expand(states.shape[0], -1, -1)))


def grid(size: tuple[int, int], patch: int) -> Float[Tensor, "P 4"]:
    """The box of each patch in shares of a picture of `size` (H, W), row by row."""
    height, width = size
    tops, lefts = (torch.arange(0, side, patch) for side in (height, width))
    top, left = (corner.flatten() for corner in torch.meshgrid(tops, lefts, indexing="ij"))
    right, bottom = (left + patch).clamp(max=width), (top + patch).clamp(max=height)
    return torch.stack([left / width, top / height, right / width, bottom / height], dim=1)
