"""AudioConv: a small convolutional network over log-mel spectrograms."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batch import Fields
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.pooling import masked_mean
from understudy.prepare.audio import LogMel


class AudioConv(Encoder):
    """Convolutions over time and mels that halve both, then the mean over the steps that are left.

    channels: width of each convolution.
    """

    def __init__(
        self, view: LogMel, *, width: int = 128, channels: tuple[int, ...] = (32, 64, 128), dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.view, self.width = view, width
        self.layers = nn.ModuleList(Layer(b, a) for b, a in zip((1, *channels), channels, strict=False))
        mels = view.mels
        for _ in channels:
            mels = (mels + 1) // 2
        self.leave = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels[-1] * mels, width), nn.GELU())

    def forward(self, fields: Fields) -> Encoded:
        sound, mask = fields["values"][:, None], fields["mask"]
        for layer in self.layers:
            sound, mask = layer(sound, mask)
        steps = sound.permute(0, 2, 1, 3).flatten(start_dim=2)
        return Encoded(self.leave(masked_mean(steps, mask)))


class Layer(nn.Module):
    """Convolution, normalisation and GELU; padding behind a clip is 0 before and after, as beyond the end of the longest clip.

    The normalisation is GroupNorm over the real steps of a row only, so that a clip's answer does not depend on its company.
    """

    def __init__(self, before: int, after: int, groups: int = 8) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.groups = groups
        self.scale, self.shift = nn.Parameter(torch.ones(after)), nn.Parameter(torch.zeros(after))

    def forward(self, sound: Float[Tensor, "B C T M"], mask: Bool[Tensor, "B T"]):
        sound, mask = self.convolve(sound), mask[:, ::2]
        real = mask[:, None, :, None]
        grouped = sound.unflatten(1, (self.groups, -1))
        weight = real[:, None].to(sound.dtype)
        count = (weight.sum(dim=(2, 3, 4), keepdim=True) * grouped.shape[2] * grouped.shape[4]).clamp_min(1)
        centred = (grouped - (grouped * weight).sum(dim=(2, 3, 4), keepdim=True) / count) * weight
        spread = centred.square().sum(dim=(2, 3, 4), keepdim=True) / count
        normal = (centred * torch.rsqrt(spread + 1e-5)).flatten(1, 2)
        bent = nn.functional.gelu(normal * self.scale[:, None, None] + self.shift[:, None, None])
        return bent.where(real, 0.0), mask
