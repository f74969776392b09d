"""Video encoders: ours against transformers' whole X-CLIP, what is frozen, stored features, and refusals."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from tiny_clips import FRAMES, HEADS, SIZE, WIDTH, WORDS, make_clip
from understudy.encoders import PlainClip, VideoConv, XClip
from understudy.encoders.class_text import class_features, published_prompting
from understudy.encoders.clip import published_frames, small_config, small_xclip
from understudy.methods import Supervised
from understudy.models.model import Model
from understudy.models.prompts import PromptHead
from understudy.prepare import Frames, Text
from understudy.prepare.cells import Cells
from understudy.prepare.stored import StoredFrames
from understudy.tasks import Classification
from understudy.training.optimise import parts_of
from understudy.training.plan import Plan

VIEW = Frames(FRAMES, size=SIZE)
TASK = Classification(classes=("negative", "positive", "neutral"))


@pytest.fixture(scope="module")
def xclip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("xclip"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip"), "clip")


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def frames(rows=2):
    return drawn(rows, FRAMES, 3, SIZE, SIZE)


@torch.no_grad()
def test_our_pieces_are_the_whole_xclip(xclip):
    whole = AutoModel.from_pretrained(xclip).eval()
    encoder = XClip.pretrained(xclip, VIEW).eval()
    settings, generator = published_prompting(str(xclip))
    features = class_features(str(xclip), WORDS)
    head = PromptHead(TASK, tokens_of="video", width=WIDTH, classes=3, class_features=features, **settings).eval()
    head.generator.load_state_dict(generator)
    fields = Text.pretrained(xclip, max_tokens=64).prepare(Cells("text", WORDS, np.ones(3, dtype=bool)))
    ids, mask = torch.from_numpy(fields["ids"]), torch.from_numpy(fields["mask"]).long()
    expected = whole(input_ids=ids, attention_mask=mask, pixel_values=frames())
    encoded = encoder({"values": frames()})
    torch.testing.assert_close(torch.nn.functional.normalize(encoded.pooled), expected.video_embeds, rtol=0, atol=1e-5)
    logits, _ = head(encoded.pooled, {"video": encoded}, {"video": torch.ones(2, dtype=torch.bool)})
    torch.testing.assert_close(logits, expected.logits_per_video, rtol=0, atol=1e-5)
    # Invariant 8: what is cached is what would be computed.
    torch.testing.assert_close(features, whole.get_text_features(input_ids=ids, attention_mask=mask).pooler_output)


@torch.no_grad()
def test_plain_clip_sees_each_frame_as_clip_does(clip):
    whole = AutoModel.from_pretrained(clip).eval()
    encoder = PlainClip.pretrained(clip, VIEW).eval()
    each, patches = encoder.tower(frames())
    for frame in range(FRAMES):
        expected = whole.get_image_features(pixel_values=frames()[:, frame]).pooler_output
        torch.testing.assert_close(each[:, frame], expected, rtol=0, atol=1e-5)
    assert patches.shape == (2, 4, WIDTH)


@torch.no_grad()
def test_frames_exchange_messages_and_the_message_leaves_again(xclip):
    encoder = XClip.pretrained(xclip, VIEW).eval()
    lengths = []
    for layer in encoder.tower.vision_model.encoder.layers:
        layer.register_forward_hook(lambda module, given, answer: lengths.append((given[0].shape[1], answer.shape[1])))
    one, _ = encoder.tower(frames())
    assert lengths == [(5, 5), (5, 5)]
    changed = frames()
    changed[:, 2] = 0
    other, _ = encoder.tower(changed)
    assert not torch.allclose(one[:, 0], other[:, 0])


@torch.no_grad()
def test_without_temporal_positions_the_order_of_frames_does_not_matter():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = small_xclip(VIEW, width=16).eval()
    given, order = frames(), torch.tensor([2, 0, 1])
    assert not torch.allclose(encoder({"values": given}).pooled, encoder({"values": given[:, order]}).pooled, atol=1e-4)
    encoder.mit.position_embedding.zero_()
    torch.testing.assert_close(encoder({"values": given}).pooled, encoder({"values": given[:, order]}).pooled, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("freeze", "moves"), [("tower", "mit."), ("clip", "message_"), ("nothing", "patch_embedding")])
def test_what_is_frozen_has_no_gradient_and_no_optimiser_state(xclip, freeze, moves):
    model = Model(TASK, {"video": XClip.pretrained(xclip, VIEW, freeze=freeze)})
    encoder = model.encoders["video"].train()
    assert encoder.tower.training == (freeze != "tower")
    encoder({"values": frames()}).pooled.sum().backward()
    still = {name for name, p in encoder.named_parameters() if not p.requires_grad}
    assert {name for name, p in encoder.named_parameters() if p.grad is not None} & still == set()
    assert not any(moves in name for name in still)
    (part,) = parts_of(Supervised(model), plan=Plan(epochs=1, batch_size=1, rate=1e-3, pretrained_rate=1e-4))
    rates = {id(p): group["lr"] for group in part.optimizer.param_groups for p in group["params"]}
    assert not any(id(p) in rates for p in encoder.parameters() if not p.requires_grad)
    new = ("message_", "mit.", "prompts_")
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            assert rates[id(parameter)] == (1e-3 if any(word in name for word in new) else 1e-4), name


@pytest.mark.parametrize(("kind", "make"), [("xclip", XClip), ("clip", PlainClip)])
def test_a_saved_encoder_comes_back_without_its_source(kind, make, tmp_path):
    encoder = make.pretrained(make_clip(tmp_path / kind, kind), VIEW).eval()
    again = make(VIEW, config=encoder.config).eval()
    again.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        assert torch.equal(again({"values": frames()}).pooled, encoder({"values": frames()}).pooled)


@pytest.mark.parametrize("make", [XClip, PlainClip])
def test_stored_features_need_no_tower_and_say_the_same(make, xclip, clip):
    folder = xclip if make is XClip else clip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = make.pretrained(folder, VIEW).eval()
    view = StoredFrames(frames=FRAMES, patches=encoder.tower.patches, width=WIDTH, views=2)
    with torch.no_grad():
        centre, other = (torch.cat(encoder.tower(frames(1) * scale), dim=1)[0].numpy() for scale in (1.0, 2.0))
    rows = Cells("sequence", [np.concatenate([centre, other]), None], np.array([True, False]))
    light = make(view, config=encoder.config).eval()
    light.load_state_dict({name: weight for name, weight in encoder.state_dict().items() if not name.startswith("tower.")})
    assert sum(p.numel() for p in light.parameters()) < sum(p.numel() for p in encoder.parameters()) / 2
    fields = {name: torch.from_numpy(values) for name, values in view.prepare(rows).items()}
    with torch.no_grad():
        said, expected = light(fields), encoder({"values": frames(1)})
    torch.testing.assert_close(said.pooled[:1], expected.pooled, rtol=0, atol=1e-6)
    torch.testing.assert_close(said.tokens.values[:1], expected.tokens.values, rtol=0, atol=1e-6)


def test_stored_views_are_drawn_in_training_and_the_first_is_seen_otherwise():
    view = StoredFrames(frames=1, patches=1, width=2, views=3)
    steps = np.repeat(np.arange(3, dtype=np.float32), 2)[:, None].repeat(2, axis=1)
    rows = Cells("sequence", [steps] * 40 + [None], np.array([True] * 40 + [False]))
    assert view.random
    assert not view.prepare(rows)["frames"].any()
    seen = view.draw(rows, list(range(41)))["frames"][:, 0, 0]
    assert set(seen[:40].tolist()) == {0.0, 1.0, 2.0}
    assert seen[40] == 0
    np.testing.assert_array_equal(view.draw(rows, list(range(41)))["frames"][:, 0, 0], seen)
    with pytest.raises(ValueError, match="cell 0: 4 steps of width 2; expected 3 x 2 of width 2"):
        view.prepare(Cells("sequence", [steps[:4]], np.ones(1, dtype=bool)))


def test_video_conv_sees_motion():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = VideoConv(VIEW, width=16, channels=(8, 16)).eval()
    given = frames()
    with torch.no_grad():
        assert not torch.allclose(encoder({"values": given}).pooled, encoder({"values": given.flip(1)}).pooled, atol=1e-4)


def test_what_does_not_fit_is_refused(xclip, clip, minilm):
    with pytest.raises(ValueError, match="gives 8 frames of size 16; this encoder reads 3 of size 16"):
        XClip.pretrained(xclip, Frames(8, size=SIZE))
    with pytest.raises(ValueError, match=r"a clip is given; expected .* xclip"):
        XClip.pretrained(clip, VIEW)
    with pytest.raises(FileNotFoundError, match="no published encoder nowhere"):
        XClip.pretrained("nowhere", VIEW)
    with pytest.raises(ValueError, match="each class needs a text"):
        class_features(str(xclip), ["good", " "])
    assert published_frames(str(xclip)) == Frames(FRAMES, size=SIZE)
    assert published_prompting(str(minilm)) == ({}, {})
    assert class_features(str(minilm), WORDS).shape == (3, 384)
    assert small_config(VIEW, model_type="clip", width=HEADS)["projection_dim"] == HEADS


def test_a_preprocessor_file_says_how_pictures_were_standardised(tmp_path):
    folder = make_clip(tmp_path / "clip", "clip")
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1], "resample": 2}')
    assert published_frames(str(folder), frames=5) == Frames(
        5, SIZE, resample="bilinear", mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0)
    )


def test_pickled_weights_are_refused(xclip, tmp_path):
    folder = make_clip(tmp_path / "pickled", "clip")
    state = AutoModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="safetensors"):
        PlainClip.pretrained(folder, VIEW)


def truncated(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:2000])


def of_another_shape(folder):
    weights = load_file(folder / "model.safetensors")
    weights["visual_projection.weight"] = weights["visual_projection.weight"][:-1].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("harm", [truncated, of_another_shape])
@pytest.mark.parametrize(("kind", "make"), [("xclip", XClip), ("clip", PlainClip)])
def test_weights_that_are_broken_are_refused_with_their_folder(kind, make, harm, tmp_path):
    folder = make_clip(tmp_path / kind, kind)
    harm(folder)
    with pytest.raises(ValueError, match=f"{folder}: its weights are broken or do not fit") as caught:
        make.pretrained(folder, VIEW)
    assert caught.type is ValueError


@pytest.mark.parametrize(
    "said", ["{", "[]", '{"image_mean": [0.1, 0.2]}', '{"image_std": null}', '{"image_std": ["a", "b", "c"]}']
)
def test_a_broken_preprocessor_file_is_named(said, tmp_path):
    folder = make_clip(tmp_path / "clip", "clip")
    (folder / "preprocessor_config.json").write_text(said)
    with pytest.raises(ValueError, match=r"preprocessor_config\.json: .*; expected a JSON object") as caught:
        published_frames(str(folder))
    assert caught.type is ValueError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VideoConv(VIEW, channels=()), r"channels=\(\): expected one or more multiples of 8"),
        (lambda: VideoConv(VIEW, channels=(8, 12)), r"channels=\(8, 12\): expected one or more"),
        (lambda: small_xclip(VIEW, width=10), "width=10, heads=4: expected a width"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_unknown_freeze_is_refused_where_annotations_are_not_checked():
    code = "from understudy.encoders import XClip; from understudy.prepare import Frames; "
    code += "XClip(Frames(3), config={}, freeze='all')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ValueError: freeze='all'; choose from tower, clip, nothing" in ran.stderr
