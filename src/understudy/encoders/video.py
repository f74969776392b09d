"""The abstract VideoEncoder, a tower over frames and what joins them; and VideoConv, a small one of our own."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from understudy.batches.batch import Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.transformer import Transformer
from understudy.prepare.stored import StoredFrames
from understudy.prepare.video import Frames

GROUPS = 8


class Tower(nn.Module):
    """From frames to one vector a frame, and to the patches' vectors averaged over the frames."""

    width: int
    """D of both."""
    frames: int
    """T."""
    patches: int
    """P."""

    @abstractmethod
    def forward(self, values: Float[Tensor, "B T _ H W"]) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B P D"]]: ...


class VideoEncoder(Encoder):
    """A tower, then `integrate` over its frames. The vector is the clip's, the tokens are the patches of its mean frame.

    tower: None where the view holds already what a tower said (`StoredFrames` in place of `Frames`). A frozen module is in
    evaluation mode, whatever `train` says, and its weights take no gradient.
    """

    tower: Tower | None

    @abstractmethod
    def integrate(self, frames: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        """One vector a clip."""

    def frozen(self) -> Sequence[nn.Module]:
        """Modules that never train, as wholes."""
        return ()

    def forward(self, fields: Fields) -> Encoded:
        if self.tower is None:
            frames, patches = fields["frames"], fields["patches"]
        else:
            frames, patches = self.tower(fields["values"])
        everywhere = torch.ones_like(patches[:, :, 0], dtype=torch.bool)
        return Encoded(self.integrate(frames), Tokens(patches, everywhere))

    def train(self, mode: bool = True) -> "VideoEncoder":
        super().train(mode)
        for module in self.frozen():
            module.eval()
        return self


def check_view(view: Frames | StoredFrames, *, frames: int, size: int) -> None:
    """ValueError unless the view gives as many frames, of the size, that the encoder reads."""
    given = view.size if isinstance(view, Frames) else size
    if (view.frames, given) != (frames, size):
        raise ValueError(f"the view gives {view.frames} frames of size {given}; this encoder reads {frames} of size {size}")


class VideoConv(VideoEncoder):
    """Convolutions over each frame beside its difference to the one before, then a small transformer over the frames.

    channels: width of each convolution, multiples of 8; each halves the picture.
    """

    def __init__(self, view: Frames, *, width: int = 128, channels: tuple[int, ...] = (16, 32, 64), dropout: float = 0.1) -> None:
        super().__init__()
        if not channels or any(each < 1 or each % GROUPS for each in channels):
            raise ValueError(f"channels={channels}: expected one or more multiples of {GROUPS}")
        self.view, self.width = view, width
        self.tower = ConvTower(view, width, channels)
        self.transformer = Transformer(width=width, steps=view.frames, depth=1, heads=4, dropout=dropout)

    def integrate(self, frames: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        return over_time(frames, self.transformer)


class ConvTower(Tower):
    """GroupNorm after each convolution, which never mixes rows."""

    def __init__(self, view: Frames, width: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.width, self.frames = width, view.frames
        layers: list[nn.Module] = []
        side = view.size
        for before, after in zip((6, *channels), channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.GroupNorm(GROUPS, after), nn.GELU()]
            side = (side + 1) // 2
        self.patches = side * side
        self.convolve = nn.Sequential(*layers)
        self.leave = nn.Linear(channels[-1], width)

    def forward(self, values: Float[Tensor, "B T _ H W"]) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B P D"]]:
        change = values - torch.cat([values[:, :1], values[:, :-1]], dim=1)
        points = self.convolve(torch.cat([values, change], dim=2).flatten(0, 1)).flatten(start_dim=2).transpose(1, 2)
        each = self.leave(points).unflatten(0, (-1, self.frames))
        return each.mean(dim=2), each.mean(dim=1)


def over_time(frames: Float[Tensor, "B T D"], transformer: Transformer) -> Float[Tensor, "B D"]:
    """The mean of the frames and of what a transformer makes of their order."""
    return (frames + transformer(frames, torch.ones_like(frames[:, :, 0], dtype=torch.bool))).mean(dim=1)
