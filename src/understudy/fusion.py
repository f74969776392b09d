"""How present modalities join into one embedding."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Concat(nn.Module):
    """Concatenates the modalities (0 where absent) with their presence bits, then a hidden layer; a single one passes through."""

    def __init__(self, widths: dict[str, int], *, width: int, dropout: float) -> None:
        super().__init__()
        self.modalities = tuple(widths)
        alone = len(widths) == 1
        self.width = next(iter(widths.values())) if alone else width
        self.join: nn.Module = nn.Identity()
        if not alone:
            self.join = nn.Sequential(nn.Linear(sum(widths.values()) + len(widths), width), nn.GELU(), nn.Dropout(dropout))

    def forward(self, pooled: dict[str, Float[Tensor, "B _"]], present: dict[str, Bool[Tensor, " B"]]) -> Float[Tensor, "B D"]:
        zeroed = [pooled[m].where(present[m][:, None], 0.0) for m in self.modalities]
        if len(zeroed) == 1:
            return zeroed[0]
        bits = torch.stack([present[m] for m in self.modalities], dim=1).to(zeroed[0].dtype)
        return self.join(torch.cat([*zeroed, bits], dim=1))
