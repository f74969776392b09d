"""Sequence and Image views."""

import numpy as np
import pytest
from PIL import Image as Pillow

from understudy.prepare import Image, Sequence
from understudy.prepare.cells import Cells


def steps(*lengths, width=2):
    draw = np.random.default_rng(0)
    rows = [draw.normal(3, 2, (n, width)).astype(np.float32) for n in lengths]
    return Cells("sequence", rows, np.ones(len(rows), dtype=bool))


def test_sequence_standardises_what_it_keeps():
    cells = steps(3, 9, 5)
    view = Sequence(max_steps=5).fit(cells)
    kept = np.concatenate([row[:5] for row in cells.values]).astype(np.float64)
    fields = view.prepare(cells)
    assert fields["values"].shape == (3, 5, 2)
    assert fields["mask"].sum(axis=1).tolist() == [3, 5, 5]
    expected = (cells.values[1][:5] - kept.mean(axis=0)) / kept.std(axis=0)
    np.testing.assert_allclose(fields["values"][1], expected, atol=1e-5)
    assert view.truncated(cells) == 1


def test_a_present_row_without_steps():
    view = Sequence().fit(steps(3, 4))
    fields = view.prepare(Cells("sequence", [np.zeros((0, 2), dtype=np.float32)], np.ones(1, dtype=bool)))
    assert fields["values"].shape == (1, 1, 2)
    assert not fields["mask"].any()
    assert not fields["values"].any()


def test_image_resizes_and_standardises():
    draw = np.random.default_rng(1)
    pictures = [draw.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(4)]
    cells = Cells("image", pictures, np.ones(4, dtype=bool))
    view = Image((8, 12)).fit(cells)
    values = view.prepare(cells)["values"]
    assert values.shape == (4, 3, 8, 12)
    np.testing.assert_allclose(values.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=(0, 2, 3)), 1, atol=1e-4)
    small = np.asarray(Pillow.fromarray(pictures[2]).resize((12, 8), Pillow.Resampling.BILINEAR)) / 255
    expected = (small - view.standard.mean) / view.standard.scale
    np.testing.assert_allclose(values[2], expected.transpose(2, 0, 1), atol=1e-5)


@pytest.mark.parametrize(("channels", "given"), [(1, 3), (3, 1), (1, 1), (3, 4)])
def test_image_takes_grey_for_colour_and_back(channels, given):
    picture = np.full((5, 5, given), 100, dtype=np.uint8)
    cells = Cells("image", [picture], np.ones(1, dtype=bool))
    view = Image((5, 5), channels).fit(cells)
    np.testing.assert_allclose(view.standard.mean, 100 / 255, atol=1e-6)
    assert view.prepare(cells)["values"].shape == (1, channels, 5, 5)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="expected at least 1"):
        Sequence(max_steps=0)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        Image((8, 8), 2)
