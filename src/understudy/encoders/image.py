"""ImageConv: a small convolutional network over pictures."""

from torch import nn

from understudy.batches.batch import Fields
from understudy.encoders.encoder import Encoded, Encoder
from understudy.prepare.image import Image

GROUPS = 8


class ImageConv(Encoder):
    """Convolutions that halve the picture, each with GroupNorm (which never mixes rows), then the mean over what is left.

    channels: width of each convolution, multiples of 8.
    """

    def __init__(self, view: Image, *, width: int = 128, channels: tuple[int, ...] = (32, 64, 128), dropout: float = 0.1) -> None:
        super().__init__()
        self.view, self.width = view, width
        layers: list[nn.Module] = []
        for before, after in zip((view.channels, *channels), channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.GroupNorm(GROUPS, after), nn.GELU()]
        self.convolve = nn.Sequential(*layers)
        self.leave = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels[-1], width), nn.GELU())

    def forward(self, fields: Fields) -> Encoded:
        return Encoded(self.leave(self.convolve(fields["values"]).mean(dim=(2, 3))))
