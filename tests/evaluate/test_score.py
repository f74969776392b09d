"""Predictions, scores and subsets of modalities, on toy models and hand-made batches."""

import dataclasses

import numpy as np
import pytest
import torch

from toy import CLASSES, NUMBER, ToyLoader, toy_batch, toy_loader, toy_model
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.score import collect, predict, score
from understudy.evaluate.subsets import predict_subsets, score_subsets, subsets_document, subsets_of, write_subsets
from understudy.teachers.teacher import Frozen


@pytest.mark.parametrize("task", [CLASSES, NUMBER])
def test_predict_is_the_decoded_answer_of_every_row(task):
    model, loader = toy_model(task, "x", "y"), toy_loader(task)
    found = predict(model, loader)
    model.eval()
    with torch.no_grad():
        expected = np.concatenate([task.decode(model(batch).need("logits")).numpy() for batch in loader.of])
    assert found.values == pytest.approx(expected)
    assert found.id.tolist() == [name for batch in loader.of for name in batch.id]
    assert found.seen.tolist() == torch.cat([batch.seen_by(("x", "y")) for batch in loader.of]).tolist()
    assert found.has_target.tolist() == torch.cat([batch.labelled for batch in loader.of]).tolist()


def test_predict_restores_every_training_flag():
    model = toy_model(CLASSES, "x", "y").train()
    model.encoders["x"].eval()
    before = [module.training for module in model.modules()]
    predict(model, toy_loader(CLASSES))
    assert [module.training for module in model.modules()] == before
    with pytest.raises(KeyError):
        predict(model, ToyLoader([dataclasses.replace(toy_batch(CLASSES, 2), inputs={"x": {"other": {}}})]))
    assert [module.training for module in model.modules()] == before


def test_batch_size_does_not_matter():
    model, batch = toy_model(NUMBER, "x", "y"), toy_batch(NUMBER, 10)
    whole = predict(model, ToyLoader([batch]))
    single = predict(model, ToyLoader([part(batch, row) for row in range(10)]))
    assert single.values == pytest.approx(whole.values, abs=1e-6)
    assert score(NUMBER, single) == pytest.approx(score(NUMBER, whole), rel=1e-5)


def part(batch, row):
    rows = slice(row, row + 1)
    inputs = {m: {v: {f: x[rows] for f, x in fields.items()} for v, fields in views.items()} for m, views in batch.inputs.items()}
    present = {m: here[rows] for m, here in batch.present.items()}
    return dataclasses.replace(
        batch, inputs=inputs, present=present, target=batch.target[rows], labelled=batch.labelled[rows], id=batch.id[rows]
    )


def test_teachers_are_scored_alike():
    model, loader = toy_model(CLASSES, "x", "y"), toy_loader(CLASSES)
    assert collect(Frozen(model), CLASSES, loader).values == pytest.approx(predict(model, loader).values)


def test_score_counts_seen_rows_with_a_target():
    rows = Predictions(
        id=np.array(list("abcd")),
        values=np.array([1.0, 2.0, 99.0, 99.0]),
        target=np.array([1.5, 2.5, 0.0, 0.0]),
        has_target=np.array([True, True, True, False]),
        seen=np.array([True, True, False, True]),
    )
    found = score(NUMBER, rows)
    assert found["mae"] == pytest.approx(0.5)
    assert found["coverage"] == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="none of 2 rows can be scored"):
        score(NUMBER, rows.take(np.array([2, 3])))
    with pytest.raises(ValueError, match="prediction of row b is not finite"):
        score(NUMBER, dataclasses.replace(rows, values=np.array([1.0, np.nan, 0, 0])))


def test_no_batch_is_an_error():
    with pytest.raises(ValueError, match="no batch"):
        predict(toy_model(CLASSES, "x"), ToyLoader([]))


def test_predictions_come_back_from_disk_without_pickle(tmp_path):
    found = predict(toy_model(CLASSES, "x", "y"), toy_loader(CLASSES))
    found = found.grouped(np.array(found.id, dtype=object), np.array(["g", None] * 16, dtype=object))
    found.save(tmp_path / "seed-0" / "predictions.npz")
    again = Predictions.load(tmp_path / "seed-0" / "predictions.npz")
    for field in dataclasses.fields(Predictions):
        assert np.array_equal(getattr(found, field.name), getattr(again, field.name))
    assert sorted(path.name for path in (tmp_path / "seed-0").iterdir()) == ["checksums.json", "predictions.npz"]
    assert len(set(again.group.tolist())) == 17  # the rows without a group stand alone
    np.savez(tmp_path / "other.npz", id=np.zeros(1))
    with pytest.raises(ValueError, match="holds no predictions"):
        Predictions.load(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", id=np.array([{}], dtype=object))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "seed-0" / "predictions.npz").read_bytes()[:-40])
    for name in ("pickled", "cut"):
        with pytest.raises(ValueError, match=f"{name}.npz is not a .npz file of plain arrays"):
            Predictions.load(tmp_path / f"{name}.npz")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    found = predict(toy_model(CLASSES, "x"), toy_loader(CLASSES))
    found.save(tmp_path / "p.npz")
    before = (tmp_path / "p.npz").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        found.take(np.arange(3)).save(tmp_path / "p.npz")
    assert (tmp_path / "p.npz").read_bytes() == before
    assert len(Predictions.load(tmp_path / "p.npz")) == len(found)
    assert len(list(tmp_path.iterdir())) == 2


def test_ordered_aligns_by_id_or_refuses():
    found = predict(toy_model(NUMBER, "x"), toy_loader(NUMBER))
    turned = found.take(np.arange(len(found))[::-1])
    assert np.array_equal(turned.ordered(found.id).values, found.values)
    with pytest.raises(ValueError, match="other rows"):
        found.take(np.arange(4)).ordered(found.id)
    with pytest.raises(ValueError, match="other rows"):
        found.take(np.zeros(len(found), dtype=int)).ordered(found.id)


@pytest.mark.parametrize("task", [CLASSES, NUMBER])
def test_subsets_equal_a_batch_that_keeps_only_them(task):
    model, loader = toy_model(task, "x", "y"), toy_loader(task)
    found = predict_subsets(model, loader)
    assert list(found) == [("x",), ("y",), ("x", "y")]
    for subset, said in found.items():
        kept = predict(model, ToyLoader([batch.keep(*subset) for batch in loader.of]))
        assert np.array_equal(said.seen, kept.seen)
        assert said.values == pytest.approx(kept.values, abs=1e-6)
        assert np.array_equal(said.id, kept.id)


def test_subsets_encode_each_modality_once(monkeypatch):
    model, loader, calls = toy_model(CLASSES, "x", "y"), toy_loader(CLASSES), []
    for encoder in model.encoders.values():
        encoder.register_forward_hook(lambda *_: calls.append(1))
    predict_subsets(model, loader)
    assert len(calls) == 2 * len(loader)


def test_many_modalities_are_not_scored_in_every_subset():
    assert len(subsets_of("abcdefgh")) == 255
    nine = subsets_of("abcdefghi")
    assert len(nine) == 9 + 9 + 1
    assert subsets_of("a") == [("a",)]


def test_subsets_document_is_plain_json(tmp_path):
    batches = [
        dataclasses.replace(batch, present=batch.present | {"y": torch.zeros(8, dtype=torch.bool)})
        for batch in toy_loader(CLASSES).of
    ]
    scores = [
        score_subsets(CLASSES, predict_subsets(toy_model(CLASSES, "x", "y", seed=seed), ToyLoader(batches))) for seed in (0, 1)
    ]
    document = subsets_document({"teacher": scores})
    assert document["teacher"]["x+y"]["modalities"] == ["x", "y"]
    assert document["teacher"]["x+y"]["metrics"]["accuracy"] == [s["x", "y"]["accuracy"] for s in scores]
    assert document["teacher"]["y"]["metrics"] == {"coverage": [0.0, 0.0]}
    write_subsets(tmp_path, document)
    assert (tmp_path / "subsets.json").is_file()
