"""The supervised objective against PyTorch's own losses."""

import torch
from torch.nn.functional import cross_entropy, l1_loss

from understudy.batches.batch import Batch, Output
from understudy.objectives import Supervised
from understudy.tasks import Classification, Regression


def test_is_cross_entropy_over_labelled_rows():
    logits, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    labelled = torch.tensor([True, False, True, True, False, False])
    batch = Batch({}, {}, target, labelled, tuple("abcdef"))
    term = Supervised(Classification(classes=("a", "b", "c")))(
        batch, Output(valid=torch.ones(6, dtype=torch.bool), logits=logits)
    )
    torch.testing.assert_close(term.total / term.count, cross_entropy(logits[labelled], target[labelled]))


def test_is_l1_in_standardised_units_for_a_number():
    logits, target, every = torch.randn(6, 1), torch.randn(6), torch.ones(6, dtype=torch.bool)
    term = Supervised(Regression(mean=1.0, scale=4.0))(
        Batch({}, {}, target, every, tuple("abcdef")), Output(valid=every, logits=logits)
    )
    torch.testing.assert_close(term.total / term.count, l1_loss(logits[:, 0], (target - 1) / 4))
