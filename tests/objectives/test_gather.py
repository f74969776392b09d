"""Alone there is nothing to gather; over processes see contracts/test_objective_processes.py."""

import torch

from understudy.objectives.gather import gathered


def test_alone_the_rows_are_themselves():
    values = torch.randn(3, 2, requires_grad=True)
    assert gathered(values) is values
