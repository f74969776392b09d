"""The ONNX operator says what torch's GRU says, for any depth, direction and length."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from understudy.artifact.graph import quiet
from understudy.artifact.gru import with_onnx_grus


@pytest.mark.parametrize(("layers", "both", "bias", "first"), [(1, False, False, False), (2, True, True, True)])
def test_against_torch(tmp_path, layers, both, bias, first):
    torch.manual_seed(0)
    gru = nn.GRU(3, 4, num_layers=layers, bidirectional=both, bias=bias, batch_first=first).eval()

    class States(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = gru

        def forward(self, values):
            return self.gru(values)[0]

    model = with_onnx_grus(States())
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            model, (torch.zeros(5, 6, 3),), dynamo=True, input_names=["x"], dynamic_shapes=(({0: "a", 1: "b"}),), verbose=False
        )
    program.save(tmp_path / "gru.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "gru.onnx")
    for shape in ((1, 1, 3), (30, 2, 3), (2, 30, 3)):
        values = torch.randn(shape)
        with torch.no_grad():
            expected = gru(values)[0].numpy()
        np.testing.assert_allclose(session.run(None, {"x": values.numpy()})[0], expected, atol=1e-6)
