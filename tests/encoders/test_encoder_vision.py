"""Published pictures and CLIP's texts: held to transformers' own models and processors, from safetensors only."""

import json
import shutil

import numpy as np
import pytest
import torch

from made_clip import CLIP_TEXTS, make_clip_folder, make_vit_folder
from understudy.encoders import ClipImage, ClipText, ViT
from understudy.encoders.published import published_config, published_weights
from understudy.encoders.vision import published_pictures
from understudy.prepare import Choices, Pictures, Text
from understudy.prepare.cells import Cells


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip_folder(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return make_vit_folder(tmp_path_factory.mktemp("vit"))


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def fields(view, cells):
    return {name: torch.from_numpy(values) for name, values in view.prepare(cells).items()}


def image_cells(*pictures):
    return Cells("image", list(pictures), np.ones(len(pictures), dtype=bool))


@pytest.mark.parametrize("shape", [(40, 30), (24, 65), (16, 16), (9, 50)])
def test_pictures_are_those_of_the_processors(shape):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    given = picture(*shape)
    cut = CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 16, "width": 16})
    whole = ViTImageProcessorPil(size={"height": 16, "width": 16})
    half = (0.5, 0.5, 0.5)
    for processor, view in ((cut, Pictures(16, 20)), (whole, Pictures(16, 0, "bilinear", half, half))):
        theirs = np.asarray(processor(given, return_tensors="np")["pixel_values"][0])
        np.testing.assert_allclose(view.prepare(image_cells(given))["values"][0], theirs, atol=1e-5)


def test_a_grey_picture_is_read_in_colour():
    grey = picture(20, 20)[:, :, :1]
    values = Pictures(8, 8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)).prepare(image_cells(grey))["values"][0]
    assert (values[0] == values[1]).all()


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 16, "short": 8}, {"std": (0.1, 0.0, 0.1)}])
def test_impossible_pictures_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected at least one pixel|above 0"):
        Pictures(**wrong)


def test_clip_looks_as_transformers_has_it(clip):
    from transformers import AutoModel

    view = published_pictures(str(clip))
    assert view == Pictures(16, 18, "bicubic", mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))
    encoder, whole = ClipImage.pretrained(clip, view).eval(), AutoModel.from_pretrained(clip).eval()
    values = torch.from_numpy(view.prepare(image_cells(picture(30, 20), picture(17, 40)))["values"])
    with torch.no_grad():
        pooled, tokens = encoder({"values": values})
        expected = whole.get_image_features(pixel_values=values).pooler_output
        states = whole.vision_model(pixel_values=values).last_hidden_state[:, 1:]
        patches = whole.visual_projection(whole.vision_model.post_layernorm(states))
    torch.testing.assert_close(pooled, expected)
    assert tokens is not None
    torch.testing.assert_close(tokens.values, patches)
    assert tokens.values.shape == (2, 4, encoder.width)
    assert len(list(encoder.published())) == len(list(encoder.parameters()))


@pytest.mark.parametrize("kind", ["text", "choices"])
def test_clip_reads_as_transformers_has_it(clip, kind):
    from transformers import AutoModel

    view = Text.pretrained(clip, max_tokens=16)
    read = view if kind == "text" else Choices(view, 2)
    encoder, whole = ClipText.pretrained(clip, read).eval(), AutoModel.from_pretrained(clip).eval()
    given = fields(view, Cells("text", list(CLIP_TEXTS), np.ones(len(CLIP_TEXTS), dtype=bool)))
    with torch.no_grad():
        pooled, tokens = encoder(given)
        expected = whole.get_text_features(input_ids=given["ids"], attention_mask=given["mask"].long()).pooler_output
    torch.testing.assert_close(pooled, expected)
    assert tokens is not None
    last = given["mask"].sum(dim=1) - 1
    torch.testing.assert_close(tokens.values[torch.arange(len(last)), last], expected)
    assert torch.equal(tokens.spans, given["spans"])


def test_vit_looks_as_transformers_has_it(vit):
    from transformers import AutoModel

    view = published_pictures(str(vit))
    assert view == Pictures(16, 0, "bilinear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    encoder, whole = ViT.pretrained(vit, view).eval(), AutoModel.from_pretrained(vit).eval()
    values = torch.from_numpy(view.prepare(image_cells(picture(30, 20)))["values"])
    with torch.no_grad():
        pooled, tokens = encoder({"values": values})
        states = whole(pixel_values=values).last_hidden_state
    assert tokens is not None
    torch.testing.assert_close(torch.cat([pooled[:, None], tokens.values], dim=1), states)


def test_a_config_rebuilds_the_encoder_without_its_folder(clip, vit):
    view = Text.pretrained(clip, max_tokens=16)
    for make, folder, read in ((ClipImage, clip, None), (ViT, vit, None), (ClipText, clip, view)):
        first = make.pretrained(folder, read or published_pictures(str(folder)))
        again = make(first.view, config=json.loads(json.dumps(first.config)))
        again.load_state_dict(first.state_dict())
        assert "_name_or_path" not in first.config


def test_a_tokenizer_that_ends_a_text_otherwise_is_refused(clip, tmp_path):
    folder = shutil.copytree(clip, tmp_path / "clip")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 5
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="reads a text's vector at token 5, but its tokenizer ends a text with token"):
        ClipText.pretrained(folder, Text.pretrained(folder, max_tokens=16))


def test_what_does_not_fit_is_refused(clip, vit, minilm):
    with pytest.raises(ValueError, match="gives pictures of size 8; this clip reads 16"):
        ClipImage.pretrained(clip, Pictures(8, 8))
    with pytest.raises(ValueError, match=r"a vit is given; expected .* clip"):
        ClipImage.pretrained(vit, Pictures(16, 0))
    with pytest.raises(ValueError, match=r"a vit is given; expected .* clip"):
        ClipText.pretrained(vit, Text.pretrained(clip, max_tokens=16))
    with pytest.raises(ValueError, match=r"30522 tokens, this clip embeds"):
        ClipText.pretrained(clip, Text.pretrained(minilm, max_tokens=16))
    with pytest.raises(FileNotFoundError, match="no published encoder nowhere"):
        published_config("nowhere")


@pytest.mark.parametrize("make", [ClipImage, ClipText])
def test_pickled_weights_are_refused(clip, tmp_path, make):
    folder = shutil.copytree(clip, tmp_path / "pickled")
    torch.save(published_weights(str(folder)), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    view = Text.pretrained(folder, max_tokens=16) if make is ClipText else published_pictures(str(folder))
    with pytest.raises(FileNotFoundError, match="safetensors"):
        make.pretrained(folder, view)
