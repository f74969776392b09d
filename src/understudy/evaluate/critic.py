"""Critic: two small networks that learn which rows of two representations belong together, for `information.infonce`."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

AT_ONCE, RATE, DECAY, LOOK, PATIENCE = 256, 3e-3, 1e-2, 10, 10
"""Rows of a step, learning rate, weight decay, after how many steps the validation rows are asked, and how often in vain."""


def pair_nats(scores: Array) -> Array:
    """What each row `[N]` of scores `[N N]` says of its pair, the mean of both directions; at most log N."""
    from scipy.special import logsumexp

    true, many = np.diag(scores), np.log(len(scores))
    return true + many - (logsumexp(scores, axis=0) + logsumexp(scores, axis=1)) / 2


def trained_critic(
    x: Array, y: Array, train: Array, valid: Array, *, width: int, steps: int, seed: int
) -> Callable[[Array], Array]:
    """Scores `[N N]` of rows: the product of two networks, kept from the step that was best on `valid`."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    left, right = (torch.from_numpy(np.ascontiguousarray(side, np.float32)) for side in (x, y))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        own, other = (
            nn.Sequential(nn.Linear(side.shape[1], 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for side in (left, right)
        )
        both = nn.ModuleList([own, other])
        # The product is 0 at first: the bound then is 0, whatever the rows.
        for parameter in other[2].parameters():
            nn.init.zeros_(parameter)

        def scores(rows: Array) -> torch.Tensor:
            return own(left[rows]) @ other(right[rows]).T

        optimizer = torch.optim.AdamW(both.parameters(), lr=RATE, weight_decay=DECAY)
        random, best, vain = np.random.default_rng(seed), 0.0, 0
        kept = {name: value.clone() for name, value in both.state_dict().items()}
        for step in range(1, steps + 1):
            rows = random.choice(train, min(len(train), AT_ONCE), replace=False)
            found, pair = scores(rows), torch.arange(len(rows))
            optimizer.zero_grad()
            (cross_entropy(found, pair) + cross_entropy(found.T, pair)).backward()
            optimizer.step()
            if step % LOOK == 0:
                with torch.inference_mode():
                    bound = float(pair_nats(scores(valid).double().numpy()).mean())
                vain += 1
                if bound > best:
                    best, vain, kept = bound, 0, {name: value.clone() for name, value in both.state_dict().items()}
                if vain == PATIENCE:
                    break
        both.load_state_dict(kept)

    def answered(rows: Array) -> Array:
        with torch.inference_mode():
            return scores(rows).double().numpy()

    return answered
