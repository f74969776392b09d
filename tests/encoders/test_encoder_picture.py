"""Any vision model of transformers: held to the library's own answers, tiny and random, or refused in a sentence."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from made_encoders import make_dino_folder
from understudy.encoders import PictureEncoder
from understudy.encoders.vision import published_pictures
from understudy.prepare import Pictures
from understudy.prepare.cells import Cells

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 16}
FAMILIES = {
    "beit": SMALL | {"patch_size": 8},
    "deit": SMALL | {"patch_size": 8},
    "dinov2": SMALL | {"patch_size": 8},
    "dinov2_with_registers": SMALL | {"patch_size": 8},
    "vit_msn": SMALL | {"patch_size": 8},
    "siglip": {"vision_config": SMALL | {"patch_size": 8}},
    "swin": {"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    "convnext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_give_a_vector_and_tokens_of_one_width(family):
    config = AutoConfig.for_model(family, **FAMILIES[family])
    encoder = PictureEncoder(Pictures(16, 16), config=config.to_dict()).train()
    values = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    encoder.eval()
    pooled, tokens = encoder({"values": values})
    assert pooled.shape == (3, encoder.width)
    assert tokens is not None
    assert tokens.values.shape[2] == encoder.width
    again = PictureEncoder(encoder.view, config=encoder.config).eval()  # pyright: ignore
    again.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(again({"values": values}).pooled, pooled)


def test_statistics_stay_in_training():
    encoder = PictureEncoder(Pictures(16, 16), config=AutoConfig.for_model("resnet", **FAMILIES["resnet"]).to_dict()).train()
    values = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(encoder({"values": values}).pooled[:1], encoder({"values": values[:1]}).pooled)


def test_a_folder_is_read_as_transformers_reads_it(tmp_path):
    folder = make_dino_folder(tmp_path)
    view = published_pictures(str(folder))
    assert (view.size, view.short) == (14, 0)
    encoder, whole = PictureEncoder.pretrained(folder, view).eval(), AutoModel.from_pretrained(folder).eval()
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    values = torch.from_numpy(view.prepare(Cells("image", [picture], np.ones(1, bool)))["values"])
    with torch.no_grad():
        expected, pooled = whole(pixel_values=values), encoder({"values": values}).pooled
    torch.testing.assert_close(pooled, expected.pooler_output)
    assert len(list(encoder.published())) == len(list(encoder.parameters()))


def test_a_model_of_texts_is_refused():
    config = AutoConfig.for_model("bert", hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    with pytest.raises(ValueError, match=r"a bert does not read pictures of size 16 alone .*; choose another encoder"):
        PictureEncoder(Pictures(16, 16), config=config.to_dict())
