"""Search: does a model's embedding of an unseen row find known rows of its class? The embedding is the one before the head."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.evaluate.predictions import Predictions
from understudy.evaluate.score import Batches, evaluating, joined
from understudy.models.model import Model
from understudy.tasks.ranking import CUTS, Divisor, rank

Array = NDArray[Any]


@torch.inference_mode()
def embedded(model: Model, loader: Batches) -> Predictions:
    """Every row's embedding as its `values` `[N D]`, in evaluation mode; the model reads its own modalities alone."""
    if model.branches:
        raise ValueError(f"{model.name} embeds its modalities each by itself and is scored as a search already")
    device, parts = next(model.parameters()).device, []
    with evaluating(model):
        for batch in loader.batches(0):
            output = model(batch.keep(*model.modalities).to(device))
            parts.append(
                Predictions(
                    id=np.array(batch.id, dtype=str),
                    values=output.need("embedding").float().cpu().numpy(),
                    target=batch.target.cpu().numpy(),
                    has_target=batch.labelled.cpu().numpy(),
                    seen=output.valid.cpu().numpy(),
                )
            )
    return joined(parts)


def search_metrics(
    queries: Array,
    gallery: Array,
    query_class: Array,
    gallery_class: Array,
    *,
    cut: int = 500,
    ap_divisor: Divisor = "hits_in_k",
) -> dict[str, float]:
    """`map@CUT`, `recall@1`, `@5`, `@10` (share of queries with *any* row of their class so high) and `mean_rank`, by cosine.

    left_out: queries whose class the gallery lacks, in no figure. missed: share of the others without a hit in the first `cut`
    places: their average precision is 0 here, where GeWu's scripts leave them out of the mean. zero_norm: vectors without length.
    """
    found = rank(queries, gallery, query_class, gallery_class, cut=cut, ap_divisor=ap_divisor)
    known = found.first[found.first > 0]
    return {
        f"map@{cut}": found.mean_ap,
        **{f"recall@{k}": found.recall(k) for k in CUTS},
        "mean_rank": found.mean_rank,
        "missed": float((known > cut).mean()) if len(known) else float("nan"),
        "left_out": float(found.left_out),
        "zero_norm": float(found.zero_norm),
    }
