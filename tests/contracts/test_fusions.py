"""One suite over every fusion: what is absent says nothing, tokens keep their places, and K choices are K rows."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from made_cells import cells, drawn, joint, made_encoder, tensors
from test_encoders import PRESENT, made_batch

from understudy.batches.batch import Batch, Output, Tokens
from understudy.encoders import ImagePatches, TextTransformer, VectorMLP
from understudy.encoders.encoder import Encoded
from understudy.models.choices import folded_tokens, unfolded, unfolded_tokens
from understudy.models.experts import Experts
from understudy.models.fusion import Beside, Concat, Fusion, SingleStream
from understudy.models.head import Head
from understudy.models.model import Model
from understudy.models.published_fusion import MODELS
from understudy.models.slots import Branches, Slots
from understudy.prepare import Choices, Image, Text, Vector
from understudy.tasks import Choice, Classification, Task

TASK = Classification(classes=("a", "b", "c"))
NAMES = {"x": "TextTransformer", "y": "ImagePatches", "z": "RegionTokens", "u": "VectorMLP"}
PRESENT_ALL = PRESENT | {"z": [False, True, True, False, False, False, True], "u": [True, True, False, False, False, True, True]}
THREE = Choice(choices=3)
FUSIONS = ("concat", "beside", "slots", "single_stream", *MODELS)
READS_TOKENS, WITH_TOKENS = FUSIONS[2:], FUSIONS[3:]


def fusion_of(name: str, widths: dict[str, int]) -> Fusion:
    if name in MODELS:
        return MODELS[name](widths, texts=["x"], config=joint(name))
    if name == "single_stream":
        return SingleStream(widths, width=16, depth=1, heads=2)
    if name == "slots":
        return Slots(widths, width=16, slots=4, depth=1, heads=2)
    return Beside(widths) if name == "beside" else Concat(widths, width=16, dropout=0.1)


@pytest.fixture(params=FUSIONS)
def name(request):
    return request.param


def head_of(name: str, task: Task) -> Head | None:
    return Branches(task, 32, dropout=0.1) if name == "slots" else None


def made_model(name: str, modalities: str = "xyzu") -> Model:
    with drawn(5):
        built = {m: made_encoder(NAMES[m]) for m in modalities}
        fusion = fusion_of(name, {m: e.width for m, e in built.items()})
        return Model(TASK, built, fusion=fusion, head=head_of(name, TASK))


def said(model: Model, batch: Batch) -> Output:
    with torch.no_grad():
        return model.eval()(batch)


def learn(model: Model, batch: Batch):
    """What is said, and the gradients of a loss that reads logits and fused tokens."""
    model.train().zero_grad(set_to_none=True)
    with drawn(3):
        output = model(batch)
    loss = TASK.loss(output.need("logits")[output.valid], batch.target[output.valid]).sum()
    (loss + sum(each.values[each.mask].square().sum() for each in output.tokens.values())).backward()
    return output, {n: p.grad for n, p in model.named_parameters()}


def test_absent_filler_reaches_nothing(name):
    model = made_model(name)
    clean, grads = learn(model, made_batch(model, PRESENT_ALL))
    dirty, dirty_grads = learn(model, made_batch(model, PRESENT_ALL, filler=float("nan")))
    assert torch.equal(clean.need("logits"), dirty.need("logits"))
    assert clean.tokens.keys() == dirty.tokens.keys()
    for key, each in clean.tokens.items():
        assert torch.equal(each.mask, dirty.tokens[key].mask)
        assert torch.equal(each.values[each.mask], dirty.tokens[key].values[each.mask])
    for parameter, grad in grads.items():
        assert (grad is None) == (dirty_grads[parameter] is None)
        assert grad is None or (torch.equal(grad, dirty_grads[parameter]) and grad.isfinite().all()), parameter


def test_an_absent_modality_takes_no_gradient(name):
    """Where no row has it, nothing of its encoder moves."""
    model = made_model(name)
    _, grads = learn(model, made_batch(model, PRESENT_ALL | {"y": [False] * 7}))
    moved = [n for n, grad in grads.items() if n.startswith("encoders.y.") and grad is not None and grad.any()]
    assert not moved


def test_any_subset_of_modalities(name):
    model = made_model(name)
    batch = made_batch(model, PRESENT_ALL)
    for count in (1, 2, 3, 4):
        for kept in combinations("xyzu", count):
            left = said(model, batch.keep(*kept))
            hidden = said(model, made_batch(model, {m: p if m in kept else [False] * 7 for m, p in PRESENT_ALL.items()}))
            assert torch.equal(left.valid, batch.seen_by(kept))
            assert left.need("logits")[left.valid].isfinite().all()
            torch.testing.assert_close(left.need("logits")[left.valid], hidden.need("logits")[left.valid], rtol=0, atol=1e-5)


@pytest.mark.parametrize("alone", "xyu")
def test_one_modality_alone(name, alone):
    model = made_model(name, alone)
    output = said(model, made_batch(model, {alone: PRESENT_ALL[alone]}))
    assert output.need("embedding").shape == (7, model.width)
    assert output.need("logits")[output.valid].isfinite().all()
    assert not said(model, made_batch(model, {alone: PRESENT_ALL[alone]}).keep()).valid.any()


def test_every_weight_learns(name):
    model = made_model(name)
    batch = made_batch(model, dict.fromkeys("xyzu", [True] * 12))
    TASK.loss(model.train()(batch).need("logits"), batch.target).sum().backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None and p.requires_grad]


def test_rows_do_not_meet(name):
    model = made_model(name).eval()
    fields = {m: tensors(v, cells(v.kind, [True] * 6, seed=seed)) for seed, (m, v) in enumerate(model.views.items())}
    here, order = torch.ones(6, dtype=torch.bool), torch.tensor([3, 5, 0, 2, 1, 4])
    with torch.no_grad():
        straight = model.answer(fields, dict.fromkeys("xyzu", here))
        mixed = {m: {f: v[order] for f, v in each.items()} for m, each in fields.items()}
        shuffled = model.answer(mixed, dict.fromkeys("xyzu", here))
    torch.testing.assert_close(shuffled.logits, straight.logits[order], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", WITH_TOKENS)
def test_fused_tokens_keep_their_order_mask_and_spans(name):
    model = made_model(name).eval()
    batch = made_batch(model, dict.fromkeys("xyzu", [True] * 5))
    output = said(model, batch)
    views = model.views
    assert set(output.tokens) == {views[m].key for m in "xyz"}, "a vector is no token"
    text, fields = output.tokens[views["x"].key], batch.inputs["x"][views["x"].key]
    assert torch.equal(text.mask, fields["mask"])
    assert torch.equal(text.spans, fields["spans"])
    regions = batch.inputs["z"][views["z"].key]
    turned = {f: v[:, [1, 0, *range(2, v.shape[1])]] for f, v in regions.items()}
    again = said(model, replace(batch, inputs=batch.inputs | {"z": {views["z"].key: turned}}))
    # Where a region is, its box says, not its turn: only its own token moves.
    torch.testing.assert_close(again.need("embedding"), output.need("embedding"), rtol=0, atol=1e-5)
    one, other = output.tokens[views["z"].key].values, again.tokens[views["z"].key].values
    torch.testing.assert_close(other[:, :2], one[:, [1, 0]], rtol=0, atol=1e-5)
    assert not torch.allclose(one[:, 0], one[:, 1])


@pytest.mark.parametrize("name", READS_TOKENS)
def test_the_order_of_words_matters(name):
    model = made_model(name, "xy").eval()
    batch = made_batch(model, {"x": [True] * 4, "y": [True] * 4})
    key = model.views["x"].key
    ids = batch.inputs["x"][key]["ids"].clone()
    ids[:, [1, 2]] = ids[:, [2, 1]]
    turned = replace(batch, inputs=batch.inputs | {"x": {key: batch.inputs["x"][key] | {"ids": ids}}})
    assert not torch.allclose(said(model, batch).need("embedding"), said(model, turned).need("embedding"), atol=1e-4)


@pytest.mark.parametrize("name", READS_TOKENS)
def test_padding_changes_nothing(name):
    model = made_model(name, "xz").eval()
    rows, here = {m: cells(v.kind, [True] * 6, seed=3) for m, v in model.views.items()}, torch.ones(1, dtype=torch.bool)

    def logits(chosen: list[int]) -> torch.Tensor:
        fields = {m: tensors(v, rows[m].take(chosen)) for m, v in model.views.items()}
        with torch.no_grad():
            return model.answer(fields, {m: here.expand(len(chosen)) for m in "xz"}).logits

    torch.testing.assert_close(logits(list(range(6))), torch.cat([logits([row]) for row in range(6)]), rtol=0, atol=1e-5)


def test_presence_in_training_hides_tokens():
    """Modality dropout is decided by presence alone, in a single stream as elsewhere."""
    model = made_model("single_stream")
    batch = made_batch(model, PRESENT_ALL)
    model.modality_dropout = 1.0
    with drawn(0):
        output = model.train()(batch)
    seen = torch.stack([output.tokens[model.views[m].key].mask.any(dim=1) for m in "xyz"]).sum(dim=0)
    assert (seen <= 1).all()


def test_a_single_stream_of_impossible_width_is_refused():
    with pytest.raises(ValueError, match="width=10, heads=4"):
        SingleStream({"x": 3}, width=10)


# Choices


def chooser(name: str) -> Model:
    """Reads three texts, a picture and a vector; the fusion "experts" has a head of each modality's own."""
    text, picture = Text.bpe(vocabulary=300, max_tokens=8), Image((12, 10), 3)
    with drawn(2):
        views = [Choices(text).fit(cells("choices", [True] * 20)), picture.fit(cells("image", [True] * 20))]
        built = {
            "x": TextTransformer(views[0], width=16, depth=1),  # pyright: ignore
            "y": ImagePatches(views[1], width=16),  # pyright: ignore
            "u": VectorMLP(Vector().fit(cells("vector", [True] * 20)), width=16),  # pyright: ignore
        }
        widths = {m: e.width for m, e in built.items()}
        if name == "experts":
            return Model(THREE, built, fusion=Beside(widths), head=Experts(THREE, widths, text="x"))
        return Model(THREE, built, fusion=fusion_of(name, widths), head=head_of(name, THREE))


def chosen_batch(model: Model, present: dict[str, list[bool]], **options) -> Batch:
    return made_batch(model, present, **options)


CHOICE_PRESENT = {m: PRESENT_ALL[m] for m in "xyu"}


@pytest.mark.parametrize("name", ["concat", "slots", "single_stream", "experts", "visual_bert"])
def test_choices_together_are_each_choice_alone(name):
    model = chooser(name).eval()
    batch = made_batch(model, CHOICE_PRESENT)
    output = said(model, batch)
    key = model.views["x"].key
    assert output.need("logits").shape == (7, 3)
    assert output.need("embedding").shape == (7, model.width) == (7, 3 * model.fusion.width)
    apart = unfolded(output, 3)
    for place in range(3):
        fields = {f: v[:, :, [place]] for f, v in batch.inputs["x"][key].items()}
        one = chooser(name).eval()
        one.load_state_dict(model.state_dict())
        one.choices = 1
        if isinstance(one.head, Experts | Branches):
            one.head.choices = 1
        alone = said(one, replace(batch, inputs=batch.inputs | {"x": {key: fields}}))
        rows = torch.arange(7) * 3 + place
        torch.testing.assert_close(apart.need("embedding")[rows], alone.need("embedding"), rtol=0, atol=1e-5)
        if name not in ("experts", "slots"):  # whose logits are shares among the choices
            torch.testing.assert_close(output.need("logits")[:, place], alone.need("logits")[:, 0], rtol=0, atol=1e-5)
        for feature, values in alone.features.items():
            torch.testing.assert_close(apart.need(feature)[rows], values[:, 0], rtol=0, atol=1e-5)
        for view, tokens in alone.tokens.items():
            torch.testing.assert_close(apart.tokens[view].values[rows], tokens.values, rtol=0, atol=1e-5)
            assert torch.equal(apart.tokens[view].mask[rows], tokens.mask)


@pytest.mark.parametrize("name", ["concat", "single_stream", "experts"])
def test_absent_choices_reach_nothing(name):
    model = chooser(name)
    found = []
    for filler in (0.0, float("nan")):
        model.train().zero_grad(set_to_none=True)
        batch = made_batch(model, CHOICE_PRESENT, filler=filler)
        with drawn(3):
            output = model(batch)
        THREE.loss(output.need("logits")[output.valid], batch.target[output.valid]).sum().backward()
        found.append((output.need("logits"), [p.grad for p in model.parameters() if p.grad is not None]))
    (clean, grads), (dirty, dirty_grads) = found
    assert torch.equal(clean, dirty)
    assert len(grads) == len(dirty_grads)
    assert all(torch.equal(a, b) and a.isfinite().all() for a, b in zip(grads, dirty_grads, strict=True))


def test_unfolding_is_the_inverse_of_folding():
    values, mask = torch.randn(6, 4, 5), torch.rand(6, 4) < 0.5
    tokens = Tokens(values, mask, torch.randint(0, 9, (6, 4, 2)))
    folded = folded_tokens(tokens, 3)
    assert folded.values.shape == (2, 12, 5)
    again = unfolded_tokens(folded, 3)
    assert again.spans is not None
    assert all(torch.equal(a, b) for a, b in ((again.values, values), (again.mask, mask), (again.spans, tokens.spans)))
    with pytest.raises(ValueError, match="12 tokens a row are given for 5 choices"):
        unfolded_tokens(folded, 5)
    output = Output(valid=torch.tensor([True, False]), logits=torch.arange(6.0).view(2, 3))
    assert unfolded(output, 3).need("logits")[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert unfolded(output, 3).valid.tolist() == [True] * 3 + [False] * 3


def test_choices_need_a_task_that_chooses():
    view = Choices.bpe(vocabulary=300, max_tokens=8).fit(cells("choices", [True] * 20))
    with pytest.raises(ValueError, match="student: x holds choices, but the task is a classification"):
        Model(TASK, {"x": TextTransformer(view, width=16)}, name="student")


def test_a_modality_that_is_a_vector_enters_a_stream_as_one_token():
    with drawn(0):
        fusion = SingleStream({"u": 4}, width=8, depth=1, heads=2).eval()
    there = {"u": torch.tensor([True, False])}
    with torch.no_grad():
        fused = fusion({"u": Encoded(torch.randn(2, 4))}, there)
        other = fusion({"u": Encoded(torch.randn(2, 4))}, there)
    assert fused.tokens == {}
    assert not torch.equal(fused.embedding[0], other.embedding[0])
    assert torch.equal(fused.embedding[1], other.embedding[1])
