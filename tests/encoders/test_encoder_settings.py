"""What encoders learn from their views, and settings that cannot be."""

import numpy as np
import pytest
import torch

from understudy.encoders import SequenceGRU, SequenceTransformer, TableMLP, VectorMLP
from understudy.encoders.pooling import attended, masked_mean
from understudy.prepare import Sequence, Table, Vector
from understudy.prepare.cells import Cells

STEPS = Cells("sequence", [np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)], np.ones(1, dtype=bool))


def test_masked_mean_by_hand():
    values = torch.tensor([[[1.0], [3.0], [float("nan")]], [[9.0], [9.0], [9.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(values, mask).tolist() == [[2.0], [0.0]]
    assert attended(mask).tolist() == [[True, True, False], [True, True, True]]


def test_a_missing_category_starts_neutral():
    column = np.array(["a", "b", "c", "d"], dtype=object)
    view = Table().fit(Cells("table", {"town": column}, np.ones(4, dtype=bool)))
    encoder = TableMLP(view, depth=1)
    fields = {"categories": torch.zeros(1, 1, dtype=torch.int64)}
    bias = encoder.state_dict()["layers.0.bias"]
    torch.testing.assert_close(encoder(fields).pooled[0], torch.nn.functional.gelu(bias))


def test_gru_is_that_of_each_row_alone():
    view = Sequence().fit(STEPS)
    encoder = SequenceGRU(view, width=8).eval()
    values = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    with torch.no_grad():
        states, _ = encoder.gru(encoder.enter(values[1:, :2]))
        torch.testing.assert_close(encoder({"values": values, "mask": mask}).pooled[1], states[0].mean(dim=0))


def test_impossible_settings_are_refused():
    view = Vector().fit(Cells("vector", np.eye(3, dtype=np.float32), np.ones(3, dtype=bool)))
    with pytest.raises(ValueError, match="depth=0"):
        VectorMLP(view, depth=0)
    with pytest.raises(ValueError, match="width=10, heads=4"):
        SequenceTransformer(Sequence().fit(STEPS), width=10)
