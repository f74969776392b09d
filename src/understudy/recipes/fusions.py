"""How the modalities of a run's models join, by name: what there is to choose from, and the fusion and head of a blueprint."""

from collections.abc import Mapping

from understudy.fusion import Beside, Concat, Fusion, SingleStream
from understudy.task import Retrieval, Task

FUSIONS = ("concat", "single_stream", "experts")
"""Vectors beside each other; one transformer over all tokens; a head of each modality's own, for a teacher."""
DEPTH = 2
"""Blocks of a single stream where `sizes` says nothing else."""


def check_fusion(player: str, name: str, task: Task, *, prompts: bool = False) -> None:
    """ValueError for a name that there is not, and for a fusion that does not go with the player, its task or its head.

    prompts: whether the player answers through class prompts.
    """
    if name not in FUSIONS:
        raise ValueError(f"{player}'s fusion {name!r}: choose from {', '.join(FUSIONS)}")
    if name == "experts" and player != "teacher":
        raise ValueError(f"{player}'s fusion 'experts' never trains an encoder, so it is for a teacher; choose another")
    if name == "experts" and isinstance(task, Retrieval):
        raise ValueError("teacher's fusion 'experts' has no common embedding to search in; choose another for retrieval")
    if prompts and name != "concat":
        raise ValueError(f"{player}'s fusion {name!r} does not go with class prompts; choose 'concat'")


def fusion_of(name: str, widths: Mapping[str, int], *, width: int, depth: int, dropout: float) -> Fusion:
    """The fusion of that name over vectors and tokens of these widths."""
    if name == "single_stream":
        return SingleStream(widths, width=width, depth=depth, dropout=dropout)
    if name == "experts":
        return Beside(widths)
    return Concat(widths, width=width, dropout=dropout)
