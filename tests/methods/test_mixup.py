"""Mixtures by hand in NumPy: inputs, presence, and a teacher's answers between those of two rows."""

import numpy as np
import pytest
import torch

from toy import CLASSES, NUMBER, toy_batch
from understudy.batches.batch import Output
from understudy.methods.mixup import with_mixtures

SEED, ROWS = [3, 1, 4], 12


def drawn():
    """What the seed draws: the other row and the share of the first."""
    random = np.random.default_rng(SEED)
    return random.permutation(ROWS), random.beta(0.4, 0.4, ROWS).astype(np.float32)[:, None]


def mix(task, temperature, logits):
    batch = toy_batch(task, ROWS)
    answer = Output(valid=batch.present["y"], logits=logits)
    return batch, *with_mixtures(batch, answer, ["x"], concentration=0.4, temperature=temperature, seed=SEED)


def test_rows_come_first_and_mixtures_carry_no_label():
    batch, rows, answer = mix(CLASSES, 2.0, torch.randn(ROWS, 3))
    other, share = drawn()
    view = next(iter(batch.inputs["x"]))
    before, after = (each.inputs["x"][view]["values"].numpy() for each in (batch, rows))
    np.testing.assert_array_equal(after[:ROWS], before)
    np.testing.assert_allclose(after[ROWS:], share * before + (1 - share) * before[other], rtol=1e-5, atol=1e-6)
    assert list(rows.inputs) == ["x"]
    assert torch.equal(rows.labelled[:ROWS], batch.labelled)
    assert not rows.labelled[ROWS:].any()
    for after, before in ((rows.present["x"], batch.present["x"]), (answer.valid, batch.present["y"])):
        assert torch.equal(after, torch.cat([before, before & before[other]]))


def test_probabilities_are_mixed_at_the_temperature():
    logits = 30 * torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(0))
    _, _, answer = mix(CLASSES, 2.0, logits)
    other, share = drawn()
    said = (logits.double() / 2).softmax(dim=1).numpy()
    expected = np.concatenate([said, share * said + (1 - share) * said[other]])
    assert answer.logits is not None
    assert answer.logits.isfinite().all()
    np.testing.assert_allclose((answer.logits / 2).softmax(dim=1).numpy(), expected, atol=1e-6)


def test_numbers_are_mixed_as_they_are():
    numbers = torch.randn(ROWS, 1)
    _, _, answer = mix(NUMBER, None, numbers)
    other, share = drawn()
    assert answer.logits is not None
    np.testing.assert_allclose(
        answer.logits[ROWS:].numpy(), share * numbers.numpy() + (1 - share) * numbers.numpy()[other], rtol=1e-4
    )


@pytest.mark.parametrize("seed", [[3, 1, 4], [3, 2, 4]])
def test_the_seed_decides(seed):
    batch = toy_batch(CLASSES, ROWS)
    answer = Output(valid=batch.present["x"], logits=torch.zeros(ROWS, 3))
    one, two = (
        with_mixtures(batch, answer, ["x"], concentration=1.0, temperature=1.0, seed=each)[0].inputs["x"] for each in (SEED, seed)
    )
    view = next(iter(one))
    assert torch.equal(one[view]["values"], two[view]["values"]) == (seed == SEED)
