"""The small pre-norm transformer that sequence and text encoders share."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, linear, scaled_dot_product_attention

from understudy.encoders.pooling import attended


class Transformer(nn.Module):
    """`depth` blocks over at most `steps` steps, whose positions are learnt; the last block is normalised.

    steps: None where the values say themselves where they stand.
    """

    def __init__(self, *, width: int, steps: int | None, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width={width}, heads={heads}: expected a width that the heads divide")
        self.positions = None if steps is None else nn.Embedding(steps, width)
        if self.positions is not None:
            nn.init.normal_(self.positions.weight, std=0.02)
        block = Block(width, heads, 2 * width, batch_first=True, norm_first=True)
        block.dropout1, block.dropout2 = SharedDropout(dropout), SharedDropout(dropout)
        self.blocks = nn.TransformerEncoder(block, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.dropout = SharedDropout(dropout)

    def forward(self, values: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        if self.positions is not None:
            values = values + self.positions(torch.arange(values.shape[1], device=values.device))
        return self.blocks(self.dropout(values), src_key_padding_mask=~attended(mask))


class Block(nn.TransformerEncoderLayer):
    """PyTorch's pre-norm layer, its weights and their names, in a forward pass of its own.

    Steps stay behind rows all the way, which spares copies, and only the two branches have dropout. A training step of a small
    encoder takes about three quarters of the time.
    """

    def forward(
        self,
        src: Float[Tensor, "B T D"],
        src_mask: Tensor | None = None,
        src_key_padding_mask: Float[Tensor, "B T"] | None = None,
        is_causal: bool = False,
    ) -> Float[Tensor, "B T D"]:
        """As nn.TransformerEncoder calls it. src_key_padding_mask: what is added to the attention of a step, 0 or -inf."""
        assert src_key_padding_mask is not None
        attention = self.self_attn
        joined = linear(self.norm1(src), attention.in_proj_weight, attention.in_proj_bias)
        heads = joined.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(*heads.unbind(), attn_mask=src_key_padding_mask[:, None, None])
        attended_to = src + self.dropout1(attention.out_proj(mixed.transpose(1, 2).flatten(2)))
        return attended_to + self.dropout2(self.linear2(gelu(self.linear1(self.norm2(attended_to)))))


class SharedDropout(nn.Dropout):
    """Dropout with one mask for all steps of a row, as Gal and Ghahramani (2016, arXiv 1512.05287) have it for recurrent nets.

    Drawing a mask for every step would take an eighth of a small encoder's training step.
    """

    def forward(self, input: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        return input * dropout(torch.ones_like(input[:, :1]), self.p) if self.training else input
