"""Processor files, as transformers writes them: every setting is heeded, or the file is refused."""

import json
from itertools import product

import numpy as np
import pytest
from transformers import AutoImageProcessor, AutoTokenizer, CLIPProcessor, ViTConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.efficientnet.image_processing_pil_efficientnet import EfficientNetImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

from made_clip import LAYER, make_clip_folder
from understudy.encoders.clip import published_frames
from understudy.encoders.processor import published_preparation
from understudy.encoders.vision import published_pictures
from understudy.prepare import Frames, Pictures
from understudy.prepare.cells import Cells

SIZE = 16
SQUARE = {"height": SIZE, "width": SIZE}
GEOMETRIES = (
    {"size": {"shortest_edge": SIZE}, "crop_size": SQUARE},
    {"size": {"shortest_edge": 21}, "crop_size": SQUARE},
    {"size": {"height": 20, "width": 20}, "crop_size": SQUARE},
    {"size": SQUARE, "do_center_crop": False},
)
SCALES = ({"do_rescale": False}, {"rescale_factor": 1 / 255}, {"rescale_factor": 1 / 127.5})
COLOURS = ({"do_normalize": False}, {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}, {"image_mean": [1, 2, 3]})


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """The configuration of a ViT alone: its processor is what is written beside it."""
    folder = tmp_path_factory.mktemp("vit")
    ViTConfig(image_size=SIZE, patch_size=8, **LAYER).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved_by_five(tmp_path_factory):
    """A CLIP as transformers 5 saves one with its processor: there is no preprocessor_config.json."""
    folder = make_clip_folder(tmp_path_factory.mktemp("five"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    (folder / "preprocessor_config.json").unlink()
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 23}, crop_size=SQUARE, image_mean=[0.1, 0.2, 0.3], resample=2)
    CLIPProcessor(pictures, tokenizer).save_pretrained(folder)
    assert not (folder / "preprocessor_config.json").exists()
    return folder


def noise(*shape):
    return np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3), dtype=np.uint8)


def theirs(folder, picture):
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return np.asarray(processor([picture], return_tensors="np")["pixel_values"]).reshape(3, SIZE, SIZE)


def ours(view, picture):
    return view.prepare(Cells("image", [picture], np.ones(1, dtype=bool)))["values"][0]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_every_combination_is_as_transformers_has_it(vit, geometry):
    for scale, colours, resample in product(SCALES, COLOURS, range(6)):
        CLIPImageProcessorPil(**geometry, **scale, **colours, resample=resample).save_pretrained(vit)
        view = published_pictures(str(vit))
        for picture in (noise(31, 50), noise(18, 17), noise(9, 12)):
            expected = theirs(vit, picture)
            np.testing.assert_allclose(ours(view, picture), expected, rtol=1e-5, atol=1e-5)
        assert Pictures.restore(json.loads(json.dumps(view.state())), {}) == view


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (DeiTImageProcessorPil, {"size": {"height": 20, "width": 20}, "crop_size": SQUARE}),
        (SiglipImageProcessorPil, {"size": SQUARE}),
        (VideoMAEImageProcessorPil, {"size": {"shortest_edge": 20}, "crop_size": SQUARE}),
    ],
)
def test_other_processors_by_their_own_defaults(vit, kind, sizes):
    sizes = {"size": {"height": 20, "width": 20}, "crop_size": SQUARE} if kind is DeiTImageProcessorPil else {"size": SQUARE}
    kind(
        **({"size": {"shortest_edge": 20}, "crop_size": SQUARE} if kind is VideoMAEImageProcessorPil else sizes)
    ).save_pretrained(vit)
    picture = noise(40, 33)
    np.testing.assert_allclose(ours(published_pictures(str(vit)), picture), theirs(vit, picture), atol=1e-5)


@pytest.mark.parametrize(
    ("processor", "said"),
    [
        (CLIPImageProcessorPil(do_resize=False, crop_size=SQUARE), "do_resize is false"),
        (CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": 8, "width": 8}), "in a way not known here"),
        (CLIPImageProcessorPil(size={"shortest_edge": 9}, crop_size=SQUARE), "a short side as large"),
        (CLIPImageProcessorPil(size=SQUARE, crop_size=SQUARE, rescale_factor=0.0), "rescale_factor is 0.0"),
        (ConvNextImageProcessorPil(size={"shortest_edge": SIZE}, crop_pct=0.7), "in a way not known here"),
        (EfficientNetImageProcessorPil(size=SQUARE, rescale_offset=True), "in a way not known here"),
    ],
)
def test_what_cannot_be_heeded_is_refused(vit, processor, said):
    processor.save_pretrained(vit)
    with pytest.raises(ValueError, match=f"{vit}/preprocessor_config.json: .*{said}"):
        published_pictures(str(vit))


def test_a_folder_of_transformers_5_is_read(saved_by_five):
    view = published_pictures(str(saved_by_five))
    assert (view.short, view.resample, view.mean) == (23, "bilinear", (0.1, 0.2, 0.3))
    picture = noise(30, 41)
    np.testing.assert_allclose(ours(view, picture), theirs(saved_by_five, picture), atol=1e-5)


def test_frames_are_cut_as_pictures_are(saved_by_five):
    frames = published_frames(str(saved_by_five), frames=2)
    assert frames == Frames(2, SIZE, short=23, resample="bilinear", mean=(0.1, 0.2, 0.3), std=frames.std)


def test_a_processor_of_texts_alone_says_nothing_of_pictures(tmp_path):
    (tmp_path / "processor_config.json").write_text('{"processor_class": "CLIPProcessor"}')
    assert published_preparation(str(tmp_path), size=SIZE, clip=True).short == SIZE
    (tmp_path / "processor_config.json").write_text("[")
    with pytest.raises(ValueError, match=r"processor_config\.json: .*; expected a JSON object"):
        published_preparation(str(tmp_path), size=SIZE, clip=True)
