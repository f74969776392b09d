"""The small pre-norm transformer that sequence and text encoders share."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.encoders.pooling import attended


class Transformer(nn.Module):
    """`depth` blocks over at most `steps` steps, whose positions are learnt; the last block is normalised."""

    def __init__(self, *, width: int, steps: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width={width}, heads={heads}: expected a width that the heads divide")
        self.positions = nn.Embedding(steps, width)
        nn.init.normal_(self.positions.weight, std=0.02)
        block = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout, "gelu", batch_first=True, norm_first=True)
        # Masks for every attention weight and hidden unit cost a third of a small encoder's step; the branches keep theirs.
        block.self_attn.dropout, block.dropout.p = 0.0, 0.0
        self.blocks = nn.TransformerEncoder(block, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        placed = values + self.positions(torch.arange(values.shape[1], device=values.device))
        return self.blocks(self.dropout(placed), src_key_padding_mask=~attended(mask))
