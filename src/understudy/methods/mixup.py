"""Mixup with a teacher's answers: rows between rows, and the answers between theirs.

Paper: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, arXiv 1710.09412. Our form: no labels are mixed,
but the answers of a teacher; these may come from a store, since nobody is asked about a mixture.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from understudy.batches.batch import Batch, Output

MIXED = ("vector", "image")
"""Kinds of modalities whose rows have something between them."""


def with_mixtures(
    batch: Batch,
    answer: Output,
    modalities: Sequence[str],
    *,
    concentration: float,
    temperature: float | None,
    seed: Sequence[int],
) -> tuple[Batch, Output]:
    """The rows of `batch` as `modalities` give them, then as many unlabelled mixtures of two; and the answers to all of them.

    concentration: above 0; a mixture's share of its first row is drawn from Beta(concentration, concentration). temperature: at
    which class probabilities are mixed; None = the logits themselves are, which is right for a number. A modality of a mixture is
    present where both rows have it. seed: the same, the same mixtures.
    """
    random = np.random.default_rng(seed)
    device = batch.labelled.device
    other = torch.from_numpy(random.permutation(len(batch))).to(device)
    share = torch.from_numpy(random.beta(concentration, concentration, len(batch)).astype(np.float32)).to(device)

    def between(values: Tensor) -> Tensor:
        first = share.view(-1, *[1] * (values.ndim - 1)).to(values.dtype)
        return torch.cat([values, first * values + (1 - first) * values[other]])

    def in_both(here: Tensor) -> Tensor:
        return torch.cat([here, here & here[other]])

    def answered(logits: Tensor) -> Tensor:
        if temperature is None:
            return between(logits)
        said = (logits / temperature).log_softmax(dim=-1)
        mixed = torch.logaddexp(share.log()[:, None] + said, (1 - share).log()[:, None] + said[other])
        return torch.cat([said, mixed]) * temperature

    seen = batch.keep(*modalities)
    rows = Batch(
        inputs={
            m: {k: {f: between(x) for f, x in fields.items()} for k, fields in views.items()} for m, views in seen.inputs.items()
        },
        present={m: in_both(here) for m, here in seen.present.items()},
        target=torch.cat([batch.target, batch.target]),
        labelled=torch.cat([batch.labelled, torch.zeros_like(batch.labelled)]),
        id=batch.id + batch.id,
        weight=None if batch.weight is None else between(batch.weight),
    )
    embedding = None if answer.embedding is None else between(answer.embedding)
    logits = answered(answer.need("logits").float())
    return rows, replace(answer, valid=in_both(answer.valid), logits=logits, embedding=embedding, tokens={}, features={})
