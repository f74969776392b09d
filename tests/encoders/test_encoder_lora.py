"""LoRA: adapters train alone, and merged the encoder is a plain one that says the same."""

import numpy as np
import pytest
import torch

from made_clip import CLIP_TEXTS
from made_encoders import make_bert_folder
from understudy.encoders import TextEncoder, VectorMLP
from understudy.encoders.lora import merge, with_lora
from understudy.prepare import Text
from understudy.prepare.cells import Cells


def test_adapters_train_alone_and_merge(tmp_path):
    folder = make_bert_folder(tmp_path)
    view = Text.pretrained(folder, max_tokens=16)
    fields = view.prepare(Cells("text", list(CLIP_TEXTS), np.ones(len(CLIP_TEXTS), bool)))
    given = {name: torch.from_numpy(values) for name, values in fields.items()}
    plain = TextEncoder.pretrained(folder, view).eval()
    names = set(plain.state_dict())
    encoder = with_lora(TextEncoder.pretrained(folder, view), 2).eval()
    torch.testing.assert_close(encoder(given).pooled, plain(given).pooled)
    trained = [name for name, each in encoder.named_parameters() if each.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    assert not list(encoder.published())
    with torch.no_grad():
        for each in encoder.parameters():
            each.add_(0.1 * torch.randn_like(each) if each.requires_grad else 0.0)
    before = encoder(given).pooled
    assert (before - plain(given).pooled).abs().max() > 1e-3
    merge(encoder)
    torch.testing.assert_close(encoder(given).pooled, before, atol=1e-5, rtol=1e-4)
    assert set(encoder.state_dict()) == names


def test_an_encoder_without_linear_layers_is_refused():
    from understudy.prepare.vector import Vector

    view = Vector().fit(Cells("vector", np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32), np.ones(5, bool)))
    encoder = VectorMLP(view)
    encoder.layers = torch.nn.Sequential(torch.nn.Identity())
    with pytest.raises(ValueError, match="no linear layer to train beside"):
        with_lora(encoder, 2)
