"""PromptHead: the card's equations by hand, its invariants, and that it answers through any encoder that gives tokens."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from understudy.batches.batch import Batch, Tokens
from understudy.encoders import SequenceGRU, TextTransformer
from understudy.encoders.encoder import Encoded
from understudy.models.model import Model
from understudy.models.prompts import PromptHead
from understudy.prepare import Sequence, Text
from understudy.prepare.cells import Cells
from understudy.tasks import Classification, Regression

POINTS = Regression(low=-3.0, high=3.0, mean=0.5, scale=1.5)
WIDTH, ROWS, STEPS = 16, 6, 5


def head_of(task=POINTS, *, seed=0, **options) -> PromptHead:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return PromptHead(task, tokens_of="video", width=WIDTH, **options)


def seen(seed=0, rows=ROWS) -> dict[str, Encoded]:
    draw = torch.Generator().manual_seed(seed)
    mask = torch.ones(rows, STEPS, dtype=torch.bool)
    mask[1, 3:] = False
    values = torch.randn(rows, STEPS, WIDTH, generator=draw)
    return {"video": Encoded(torch.randn(rows, WIDTH, generator=draw), Tokens(values, mask))}


def everywhere(rows=ROWS, **present):
    return {"video": torch.ones(rows, dtype=torch.bool)} | present


def asked(head: PromptHead, encoded=None):
    encoded = encoded or seen()
    return head.eval()(encoded["video"].pooled, encoded, everywhere(len(encoded["video"].pooled)))


def test_logits_and_expectation_by_hand():
    head, encoded = head_of(classes=7), seen()
    logits, features = asked(head, encoded)
    vector, prompts = encoded["video"].pooled, head.enhanced(ROWS, encoded)
    v, p = vector.detach().double().numpy(), prompts.detach().double().numpy()
    cosine = np.einsum("bd,bcd->bc", v, p) / np.linalg.norm(v, axis=1)[:, None] / np.linalg.norm(p, axis=2)
    z = np.exp(2.6592) * cosine
    np.testing.assert_allclose(features["classes"].detach(), z, rtol=0, atol=1e-5)
    share = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(features["expected"].detach(), (share @ np.arange(-3, 4) - 0.5) / 1.5, rtol=0, atol=1e-5)
    read = torch.from_numpy(v * np.einsum("bc,bcd->bd", share, p)).float()
    torch.testing.assert_close(logits, head.answer(read), rtol=0, atol=1e-5)


def test_expectation_stays_between_the_anchors():
    head = head_of(classes=7)
    points = lambda z: head.expected(z) * POINTS.scale + POINTS.mean  # noqa: E731
    drawn = points(torch.randn(500, 7, generator=torch.Generator().manual_seed(0)) * 30)
    assert (drawn.abs() <= 3 + 1e-5).all()
    assert abs(float(points(torch.zeros(1, 7)).detach())) < 1e-6
    torch.testing.assert_close(points(1000 * torch.eye(7)), torch.arange(-3.0, 4.0))
    two = head_of(classes=2)
    z = torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    expected = 3 * torch.tanh((z[:, 1] - z[:, 0]) / 2)
    torch.testing.assert_close(two.expected(z) * POINTS.scale + POINTS.mean, expected)


def test_a_margin_is_the_difference_of_its_classes():
    head = head_of(classes=2, anchors="margin")
    assert head.expected(torch.tensor([[0.0, 1.0], [2.0, 2.0], [3.0, 0.0]])).tolist() == [1.0, 0.0, -3.0]
    assert head.places == [-1.0, 1.0]


def test_a_label_finds_its_class_by_the_places_and_else_by_the_anchors():
    assert head_of(classes=2, anchors=[-1.25, 1.5]).places == [-1.25, 1.5]
    head = head_of(classes=2, anchors=[-1.25, 1.5], places=[-3.0, 3.0])
    assert head.places == [-3.0, 3.0]
    torch.testing.assert_close(head.expected(1000 * torch.eye(2)) * POINTS.scale + POINTS.mean, torch.tensor([-1.25, 1.5]))


def test_alpha_zero_gives_the_prompts_themselves_and_else_each_video_its_own():
    encoded = seen()
    plain = head_of(alpha=0.0)
    assert torch.equal(plain.enhanced(ROWS, encoded), plain.prompts.expand(ROWS, -1, -1))
    own = head_of().enhanced(ROWS, encoded)
    assert all(not torch.allclose(own[a], own[b]) for a, b in itertools.combinations(range(ROWS), 2))


def test_the_length_of_v_does_not_matter_to_z():
    head, encoded = head_of(), seen()
    scaled = {"video": encoded["video"]._replace(pooled=encoded["video"].pooled * 7)}
    torch.testing.assert_close(asked(head, scaled)[1]["classes"], asked(head, encoded)[1]["classes"], rtol=0, atol=1e-5)


def test_the_generator_is_that_of_transformers():
    transformers = pytest.importorskip("transformers")
    from transformers.models.x_clip.modeling_x_clip import XCLIPPromptGenerator

    config = transformers.XCLIPConfig(projection_dim=WIDTH, prompt_layers=2, prompt_num_attention_heads=4)
    config._attn_implementation = "eager"
    theirs, ours = XCLIPPromptGenerator(config).eval(), head_of(heads=4).generator.eval()
    ours.load_state_dict(theirs.state_dict())
    values, prompts = torch.randn(3, STEPS, WIDTH), torch.randn(3, 7, WIDTH)
    tokens = Tokens(values, torch.ones(3, STEPS, dtype=torch.bool))
    with torch.no_grad():
        torch.testing.assert_close(ours(prompts, tokens), theirs(prompts, values), rtol=0, atol=1e-6)


@pytest.mark.parametrize("regression", ["classes", "mlp", "prompt"])
@pytest.mark.parametrize("classes", [2, 7])
def test_every_weight_learns_from_logits_and_expectation(regression, classes):
    head = head_of(regression=regression, classes=classes, fused=9)
    logits, features = head(torch.randn(ROWS, 9), seen(), everywhere(video=torch.arange(ROWS) > 0))
    (logits.square().sum() + features["expected"].square().sum()).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    assert logits.shape == (ROWS, 1)


def test_no_gradient_through_a_detached_expectation_but_through_the_head():
    """The card's trap: with the default head the answer itself depends on z."""
    head, encoded = head_of(), seen()
    _, features = asked(head, encoded)
    assert not features["expected"].detach().requires_grad
    logits, _ = asked(head, encoded)
    (grad,) = torch.autograd.grad(logits.sum(), head.logit_scale)
    assert float(grad.abs()) > 0


def test_classes_are_answered_by_z_itself():
    task = Classification(classes=("a", "b", "c"))
    logits, features = asked(head_of(task, classes=3))
    assert torch.equal(logits, features["classes"])
    assert set(features) == {"classes"}


def test_class_features_are_kept_and_need_no_tower():
    told = torch.randn(7, 11)
    head = head_of(class_features=told)
    assert "prompts" in dict(head.named_buffers())
    other = head_of(class_features=torch.ones(7, 11), seed=3)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other.prompts, told)
    assert torch.equal(asked(head)[0], asked(other)[0])


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        (Classification(classes=("a", "b", "c")), {"classes": 7}, "7 class prompts for a task of 3 classes"),
        (POINTS, {"class_features": torch.zeros(3, 4)}, "3 class prompts for 7 classes"),
        (POINTS, {"classes": 1}, "at least two"),
        (POINTS, {"anchors": [-1.0, 1.0]}, "2 anchors for 7 classes"),
        (POINTS, {"anchors": "margin"}, "two classes against each other"),
        (Regression(), {}, "give anchors"),
        (POINTS, {"heads": 3}, "heads=3"),
        (POINTS, {"heads": 0}, "at least 1 head"),
        (POINTS, {"heads": -1}, "at least 1 head"),
        (POINTS, {"layers": -1}, "no negative number of layers"),
        (POINTS, {"alpha": float("nan")}, "must be finite"),
        (POINTS, {"logit_scale": float("inf")}, "must be finite"),
        (POINTS, {"logit_scale": 5.0}, "at most ln 100"),
        (POINTS, {"classes": 10_001}, "at most 10,000"),
        (POINTS, {"classes": 2, "anchors": [3.0, -3.0]}, "finite and ascend"),
        (POINTS, {"classes": 2, "anchors": [1.0, 1.0]}, "finite and ascend"),
        (POINTS, {"classes": 2, "anchors": [0.0, float("inf")]}, "finite and ascend"),
        (POINTS, {"classes": 2, "anchors": [float("nan"), 1.0]}, "finite and ascend"),
        (Classification(classes=("a", "b")), {"classes": 2, "anchors": [0.0, 1.0]}, "for a classification task"),
        (POINTS, {"class_features": torch.full((7, 4), float("nan"))}, "all zero or not finite"),
        (POINTS, {"class_features": torch.zeros(7, 4)}, "all zero or not finite"),
    ],
)
def test_impossible_settings_are_refused(task, options, message):
    with pytest.raises(ValueError, match=message):
        head_of(task, **options)


@pytest.mark.parametrize(
    ("what", "message"),
    [("regression='foo'", "choose from classes, mlp, prompt"), ("class_features=torch.zeros(7)", r"shape \[7\]")],
)
def test_impossible_settings_are_refused_where_annotations_are_not_checked(what, message):
    code = "import torch; from understudy.models.prompts import PromptHead; from understudy.tasks import Regression; "
    code += f"PromptHead(Regression(low=-3.0, high=3.0), tokens_of='video', width=16, {what})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.search(f"ValueError: .*{message}", ran.stderr)


WORDS = Cells("text", ["a fine film", "dull", "good good plot", "bad", "an actor", "fine"], np.ones(6, dtype=bool))
NUMBERS = Cells(
    "sequence", [np.random.default_rng(r).normal(size=(r + 2, 3)).astype(np.float32) for r in range(6)], np.ones(6, dtype=bool)
)


def text_teacher(*, regression="prompt", task=POINTS, classes=7) -> tuple[Model, Batch]:
    """Tokens of a text play the part of a video's patches; a sequence stands beside it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        text = TextTransformer(Text.bpe(vocabulary=300, max_tokens=8).fit(WORDS), width=16, depth=1)
        steps = SequenceGRU(Sequence().fit(NUMBERS), width=12)
        head = PromptHead(task, tokens_of="text", width=16, classes=classes, fused=10, regression=regression)
        model = Model(task, {"text": text, "steps": steps}, head=head, width=10)
    inputs = {
        m: {v.key: {n: torch.from_numpy(x) for n, x in v.prepare(cells).items()}}
        for (m, v), cells in zip(model.views.items(), (WORDS, NUMBERS), strict=True)
    }
    here = {
        "text": torch.tensor([True, True, False, True, False, True]),
        "steps": torch.tensor([True, False, True, True, False, True]),
    }
    target, labelled = torch.linspace(-2, 2, 6), torch.ones(6, dtype=torch.bool)
    return model, Batch(inputs=inputs, present=here, target=target, labelled=labelled, id=tuple("abcdef"))


def test_in_a_model_any_subset_works_and_absent_rows_say_nothing():
    model, batch = text_teacher()
    output = model.eval()(batch)
    assert output.need("classes").shape == (6, 7)
    assert output.need("expected").shape == (6,)
    for kept in (("text",), ("steps",), ("text", "steps")):
        nowhere = {m: p & (m in kept) for m, p in batch.present.items()}
        left = model(batch.keep(*kept))
        hidden = model(Batch(batch.inputs, nowhere, batch.target, batch.labelled, batch.id))
        assert left.need("logits").isfinite().all()
        torch.testing.assert_close(left.need("logits"), hidden.need("logits"), rtol=0, atol=1e-6)
    # A row that lacks the text is answered by the plain prompts.
    assert torch.equal(model.head.enhanced(6, model.encode({}, batch.present))[2], model.head.prompts)


def test_it_can_learn():
    model, batch = text_teacher()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        losses = []
        for _ in range(60):
            output = model(batch)
            loss = POINTS.loss(output.need("logits"), batch.target)[output.valid].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
