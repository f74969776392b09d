"""Frames: where they are taken from, what becomes of them, and what is said of a clip that cannot be read."""

import numpy as np
import pytest
from made_clips import clip, number_of, numbered

from understudy.prepare import Frames
from understudy.prepare.cells import Cells
from understudy.prepare.view import UnreadableCell

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def cells(*contents):
    return Cells("video", list(contents), np.array([each is not None for each in contents], dtype=bool))


def numbers(values):
    """Which pictures of `numbered` these frames [T 3 H W] are."""
    return [number_of(frame.transpose(1, 2, 0) * 255) for frame in values]


def square(count):
    return numbered(count, (64, 64))


def test_the_middle_of_each_segment():
    values = Frames(4, size=64, **PLAIN).prepare(cells(clip(square(40)), None, clip(square(2))))["values"]
    assert values.shape == (3, 4, 3, 64, 64)
    assert values.dtype == np.float32
    assert numbers(values[0]) == [5, 15, 25, 35]
    assert not values[1].any()
    assert numbers(values[2]) == [0, 0, 1, 1]


def test_training_draws_inside_each_segment():
    view, content = Frames(4, size=64, **PLAIN), clip(square(40))
    drawn = np.array([numbers(each) for each in view.draw(cells(*[content] * 12), list(range(12)))["values"]])
    assert (drawn // 10 == np.arange(4)).all()
    assert all(len(set(column)) > 4 for column in drawn.T)
    assert view.random
    still = Frames(4, size=64, jitter=False, **PLAIN)
    assert not still.random
    np.testing.assert_array_equal(still.draw(cells(content), [3])["values"], still.prepare(cells(content))["values"])
    assert view.key != still.key


def test_the_short_side_is_resized_and_the_centre_kept():
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[:, 32:64] = (255, 255, 255)
    values = Frames(1, size=16, **PLAIN).prepare(cells(clip([picture, picture])))["values"][0, 0]
    assert (values[:, :, 1:-1] > 0.9).all()


def test_a_short_side_larger_than_the_cut_counts():
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    film = cells(clip([picture] * 2))
    whole, cut = (Frames(1, size=size, short=short, **PLAIN) for size, short in ((24, None), (16, 24)))
    shown = whole.prepare(film)["values"][0, 0]
    np.testing.assert_array_equal(cut.prepare(film)["values"][0, 0], shown[:, 4:20, 4:20])
    squeezed = Frames(1, size=16, short=0, **PLAIN).prepare(film)["values"]
    assert np.abs(squeezed - Frames(1, size=16, **PLAIN).prepare(film)["values"]).max() > 0.05
    assert Frames.restore(cut.state(), {}) == cut
    assert not {"short", "whole"} & set(whole.state())


def test_a_clip_that_cannot_be_read_says_which():
    good = clip(square(3))
    with pytest.raises(UnreadableCell, match=r"cell 2: .*Invalid data") as caught:
        Frames(2, size=16).prepare(cells(good, None, b"no film" * 99))
    assert caught.value.row == 2
    with pytest.raises(UnreadableCell, match=r"at most 0.001 megapixels"):
        Frames(2, size=16, megapixels=0.001).prepare(cells(good))
    with pytest.raises(UnreadableCell, match=r"it lasts 0 seconds; at most 0.01"):
        Frames(2, size=16, longest=0.01).draw(cells(good), [1])


@pytest.mark.parametrize(
    "wrong",
    [{"frames": 0}, {"size": 0}, {"std": (0.1, 0.0, 0.1)}, {"patience": 0.0}, {"megapixels": -1.0}, {"size": 16, "short": 8}],
)
def test_refused(wrong):
    with pytest.raises(ValueError, match=r"expected|above 0"):
        Frames(**wrong)
