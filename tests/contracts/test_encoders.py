"""One suite over every encoder, alone and in a Model. A new one is tested once it stands in made_cells.ENCODERS."""

from itertools import combinations

import numpy as np
import onnxruntime
import pytest
import torch
from made_cells import ENCODERS, cells, drawn, made_encoder, tensors
from torch.nn.modules.batchnorm import _BatchNorm

from understudy import encoders
from understudy.artifact.graph import example_inputs, write_graph
from understudy.batches.batch import Batch
from understudy.models.model import Model
from understudy.prepare.view import trim
from understudy.tasks import Classification

TASK = Classification(classes=("a", "b", "c"))
PRESENT = {"x": [True, False, True, True, False, True, False], "y": [True, True, False, True, False, True, False]}
SHIPPED_IN_TESTS_OF_ARTIFACT = (
    "AudioConv",
    "ImageConv",
    "ImagePatches",
    "RegionTokens",
    "SequenceGRU",
    "TableMLP",
    "TextEncoder",
    "TextTransformer",
    "VectorMLP",
)
EXPORTS_LIKE_ANOTHER = ("DetectedRegions", "PlainClip", "VideoConv", "ViT", "ViltPatches", "Words")
RAGGED = [name for name, (view, _) in ENCODERS.items() if view in ("Sequence", "Text", "LogMel", "Regions")]


@pytest.fixture(params=encoders.__all__)
def name(request):
    return request.param


def made_model(*names: str) -> Model:
    """A model that reads modality x through the first encoder, y through the second, and so on."""
    with drawn(5):
        return Model(TASK, {m: made_encoder(n) for m, n in zip("xyzuvwstabcd"[: len(names)], names, strict=True)}, width=16)


def made_batch(model: Model, present: dict[str, list[bool]], *, filler: float = 0.0) -> Batch:
    """Rows of every modality of the model; absent rows of float fields hold `filler`, of others a value out of any range."""
    inputs = {}
    for seed, (modality, view) in enumerate(model.views.items()):
        here = torch.tensor(present[modality])
        fields = tensors(view, cells(view.kind, present[modality], seed=seed))
        for field, values in fields.items():
            wrong = filler if values.is_floating_point() else (1 if values.dtype == torch.bool else 10**9) if filler else 0
            fields[field] = values.where(here.view(-1, *[1] * (values.ndim - 1)), torch.tensor(wrong, dtype=values.dtype))
        inputs[modality] = {view.key: fields}
    rows = len(next(iter(present.values())))
    return Batch(
        inputs=inputs,
        present={m: torch.tensor(p) for m, p in present.items()},
        target=torch.arange(rows) % 3,
        labelled=torch.ones(rows, dtype=torch.bool),
        id=tuple(map(str, range(rows))),
    )


def learn(model: Model, batch: Batch):
    """Logits and gradients of one training step's loss over the rows that the model sees."""
    model.train().zero_grad(set_to_none=True)
    with drawn(3):
        output = model(batch)
    loss = TASK.loss(output.need("logits")[output.valid], batch.target[output.valid]).sum()
    loss.backward()
    return output, {n: p.grad for n, p in model.named_parameters()}


def test_declared_shapes(name):
    encoder = made_encoder(name).eval()
    fields = tensors(encoder.view, cells(encoder.view.kind, [True] * 5))
    pooled, tokens = encoder(fields)
    assert pooled.shape == (5, encoder.width)
    if tokens is not None:
        mask = fields.get("mask", torch.ones_like(tokens.mask))
        assert tokens.values.shape == (*mask.shape, encoder.width)
        assert torch.equal(tokens.mask, mask) or "length" in fields
        assert "spans" not in fields or torch.equal(tokens.spans, fields["spans"])


def test_finite_on_nothing(name):
    encoder = made_encoder(name)
    fields = {f: torch.zeros_like(v) for f, v in tensors(encoder.view, cells(encoder.view.kind, [True] * 3)).items()}
    pooled, _ = encoder(fields)
    pooled.square().sum().backward()
    assert pooled.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_finite_in_half_precision(name):
    encoder = made_encoder(name)
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder(tensors(encoder.view, cells(encoder.view.kind, [True, False, True]))).pooled.isfinite().all()


def test_absent_filler_reaches_nothing(name):
    model = made_model(name, "VectorMLP")
    clean, grads = learn(model, made_batch(model, PRESENT))
    dirty, dirty_grads = learn(model, made_batch(model, PRESENT, filler=float("nan")))
    assert torch.equal(clean.valid, torch.tensor([True, True, True, True, False, True, False]))
    assert torch.equal(clean.need("logits"), dirty.need("logits"))
    for parameter, grad in grads.items():
        assert (grad is None) == (dirty_grads[parameter] is None)
        other = dirty_grads[parameter]
        assert grad is None or other is None or (torch.equal(grad, other) and grad.isfinite().all()), parameter


def test_every_weight_learns(name):
    """A weight without a gradient would only be shipped, and is an error under distributed training."""
    model = made_model(name)
    _, grads = learn(model, made_batch(model, {"x": [True] * 12}))
    frozen = {parameter for parameter, p in model.named_parameters() if not p.requires_grad}
    assert {parameter for parameter, grad in grads.items() if grad is None} == frozen


def test_any_subset_of_modalities(name):
    model = made_model(name, "VectorMLP", "ImageConv").eval()
    present = PRESENT | {"z": [False, True, True, False, False, False, True]}
    batch = made_batch(model, present)
    for count in (1, 2, 3):
        for kept in combinations("xyz", count):
            with torch.no_grad():
                left = model(batch.keep(*kept))
                hidden = model(made_batch(model, {m: p if m in kept else [False] * 7 for m, p in present.items()}))
            assert left.need("logits").isfinite().all()
            assert torch.equal(left.valid, batch.seen_by(kept))
            torch.testing.assert_close(left.need("logits"), hidden.need("logits"), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", RAGGED)
def test_padding_changes_nothing(name):
    encoder = made_encoder(name).eval()
    rows = cells(encoder.view.kind, [True] * 8)
    with torch.no_grad():
        together = encoder(tensors(encoder.view, rows)).pooled
        alone = [encoder(tensors(encoder.view, rows.take([row]))).pooled for row in range(8)]
    assert len({len(np.asarray(trim(encoder.view.prepare(rows.take([row])))["mask"])[0]) for row in range(8)}) > 2
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def test_rows_do_not_meet(name):
    """Neither their order nor their neighbours change an answer."""
    encoder = made_encoder(name).eval()
    assert not any(isinstance(module, _BatchNorm) for module in encoder.modules())
    rows = cells(encoder.view.kind, [True] * 6)
    fields = tensors(encoder.view, rows)
    order = torch.tensor([3, 5, 0, 2, 1, 4])
    with torch.no_grad():
        shuffled = encoder({f: v[order] for f, v in fields.items()}).pooled
        torch.testing.assert_close(shuffled, encoder(fields).pooled[order], rtol=0, atol=1e-5)


def test_state_dict_round_trip(name):
    one, other = made_encoder(name, seed=1).eval(), made_encoder(name, seed=2).eval()
    fields = tensors(one.view, cells(one.view.kind, [True] * 4))
    with torch.no_grad():
        assert not torch.equal(one(fields).pooled, other(fields).pooled)
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(fields).pooled, other(fields).pooled)


def test_export_agrees_with_torch_at_any_batch_and_length(tmp_path):
    """In one graph, since each export costs seconds."""
    elsewhere = (*SHIPPED_IN_TESTS_OF_ARTIFACT, *EXPORTS_LIKE_ANOTHER)
    model = made_model(*[name for name in encoders.__all__ if name not in elsewhere], "VectorMLP").eval()
    examples = example_inputs(model, {m: cells(v.kind, [True, False, True, True]) for m, v in model.views.items()})
    inputs = write_graph(model, examples, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for present in ([True], [True, False, True, False, True, True, True]):
        batch = made_batch(model, dict.fromkeys(model.modalities, present))
        feed = {f"{m}.{f}": value.numpy() for m, (fields,) in values_of(batch) for f, value in fields.items()}
        feed |= {f"{m}.present": here.numpy() for m, here in batch.present.items()}
        with torch.no_grad():
            expected = TASK.decode(model(batch).need("logits")).numpy()
        answer = session.run(None, {i.name: feed[i.name] for i in inputs})[0]
        np.testing.assert_allclose(np.asarray(answer)[present], expected[present], rtol=0, atol=1e-5)


def values_of(batch: Batch):
    """Each modality with the fields of its only view."""
    return [(modality, tuple(views.values())) for modality, views in batch.inputs.items()]
