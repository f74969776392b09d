"""AudioConv: a small convolutional network over log-mel spectrograms."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from understudy.batches.batch import Fields
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
    """Convolution, normalisation and GELU; afterwards the padding behind a clip is 0 again, as it is beyond the longest clip.

    LayerNorm over the channels of each point: statistics over time would make a clip's answer depend on its padding. Channels
    come last in memory, where the normalisation wants them: nothing is copied between the two.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        convolve = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.convolve = convert_conv2d_weight_memory_format(convolve, torch.channels_last)
        self.norm = nn.LayerNorm(after)

    def forward(self, sound: Float[Tensor, "B _ T M"], mask: Bool[Tensor, "B T"]):
        normal, mask = self.norm(self.convolve(sound).permute(0, 2, 3, 1)), mask[:, ::2]
        return nn.functional.gelu(normal * mask[:, :, None, None].to(normal.dtype)).permute(0, 3, 1, 2), mask
