"""One suite over every view of the catalogue. A new one is tested once it stands in made_cells.VIEWS."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from made_cells import ANOTHER, VIEWS, cells, fitted

from understudy.prepare import Terms, view_for
from understudy.prepare.catalogue import VIEWS as CATALOGUE
from understudy.prepare.catalogue import restore
from understudy.prepare.cells import Kind, Modality
from understudy.prepare.view import trim

READS_ONLY_WHAT_WAS_STORED = ("StoredFrames",)
"""Held to account in tests/encoders/test_encoder_video.py."""
PRESENT = [True, False, True, True, False, True]


@pytest.fixture(params=[name for name in CATALOGUE if name not in READS_ONLY_WHAT_WAS_STORED])
def view(request):
    return fitted(request.param)


def same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], strict=True)


def test_absent_rows_are_zero_whatever_stands_there(view):
    fields = view.prepare(cells(view.kind, PRESENT, filler=np.nan))
    same(fields, view.prepare(cells(view.kind, PRESENT, filler=1e9)))
    for name, values in fields.items():
        assert len(values) == len(PRESENT)
        assert np.isfinite(values).all()
        assert not values[~np.array(PRESENT)].any(), name


def test_fit_reads_present_rows_only(view):
    unfitted = VIEWS[type(view).__name__]()
    keys = {unfitted.fit(cells(view.kind, PRESENT, filler=filler)).key for filler in (np.nan, 0.0, 1e9)}
    assert len(keys) == 1


def test_no_rows_and_no_present_rows(view):
    some = view.prepare(cells(view.kind, PRESENT))
    for present in ([], [False, False]):
        fields = view.prepare(cells(view.kind, present))
        assert fields.keys() == some.keys()
        for name, values in fields.items():
            assert len(values) == len(present)
            assert values.dtype == some[name].dtype
            assert values.ndim == some[name].ndim
            assert not values.any()


def test_fit_without_a_present_row_says_so(view):
    if type(view).__name__ in ANOTHER:
        assert view.fit(cells(view.kind, [False, False])) is view
        return
    with pytest.raises(ValueError, match="no train row"):
        VIEWS[type(view).__name__]().fit(cells(view.kind, [False, False]))


def test_restored_view_prepares_the_same(view):
    state = json.loads(json.dumps(view.state(), allow_nan=False))
    back = restore(type(view).__name__, state, view.assets())
    assert back.key == view.key
    same(back.prepare(cells(view.kind, PRESENT)), view.prepare(cells(view.kind, PRESENT)))


def test_key_tells_views_apart(view):
    unfitted = VIEWS[type(view).__name__]()
    again = unfitted.fit(cells(view.kind, [True] * 20, seed=7))
    other = unfitted.fit(cells(view.kind, [True] * 3, seed=8))
    if type(view).__name__ in ANOTHER:
        other = ANOTHER[type(view).__name__](view)
    assert again.key == view.key != other.key
    assert copy.deepcopy(view).key == view.key


def test_company_does_not_change_a_row(view):
    rows = cells(view.kind, PRESENT)
    together = view.prepare(rows)
    for row in range(len(PRESENT)):
        alone = trim(view.prepare(rows.take([row])))
        same(alone, trim({name: values[[row]] for name, values in together.items()}))


def test_draws_depend_on_the_seeds_alone(view):
    rows, seeds = cells(view.kind, PRESENT), [5, 5, 7, 8, 9, 2]
    drawn = view.draw(rows, seeds)
    same(drawn, view.draw(rows, seeds))
    assert not any(values[~np.array(PRESENT)].any() for values in drawn.values())
    together = trim(drawn)
    alone = trim(view.draw(rows.take([3]), [8]))
    same(alone, trim({name: values[[3]] for name, values in together.items()}))
    if not view.random:
        same(drawn, view.prepare(rows))
    else:
        other = view.draw(rows, [seed + 1 for seed in seeds])
        assert any((drawn[name] != other[name]).any() for name in drawn)
        assert any((drawn[name] != values).any() for name, values in view.prepare(rows).items())


def test_ragged_fields_are_padded_and_cut_alike(view):
    rows = cells(view.kind, [True] * 12)
    fields = view.prepare(rows)
    if "mask" not in fields:
        assert view.truncated(rows) == 0 or "length" in fields
        return
    lengths = fields["mask"].sum(axis=1)
    steps = np.arange(lengths.max()).reshape(-1, *[1] * (lengths.ndim - 1))
    assert (fields["mask"] == (steps < lengths[:, None])).all()
    assert all(values.shape[1] == lengths.max() for values in fields.values())
    assert 0 < view.truncated(rows) < len(rows)
    # Steps of a bag are different terms, so that a row that is cut need not have the most.
    assert isinstance(view, Terms) or view.truncated(rows) <= (lengths.reshape(len(rows), -1) == lengths.max()).any(axis=1).sum()


def test_restore_refuses_what_is_not_a_saved_view(view):
    with pytest.raises(ValueError, match="unknown view 'Vectors'; known: Vector"):
        restore("Vectors", {}, {})
    with pytest.raises(ValueError, match="not the saved state"):
        restore(type(view).__name__, {"size": 3}, {})


def test_every_kind_has_a_default_view():
    for kind in get_args(Kind):
        assert view_for(Modality(kind, rate=8000)).kind == kind


def test_views_prepare_without_torch_and_transformers():
    script = """
import sys
from typing import get_args
for name in ("torch", "transformers", "jaxtyping"):
    sys.modules[name] = None
import types
sys.modules["understudy.encoders"] = sys.modules["understudy.batches.batch"] = None
import numpy as np
from understudy.prepare import Image, LogMel, Sequence, Table, Text, Vector, restore
from understudy.prepare.cells import Cells
import understudy.prepare.source
here = np.ones(3, dtype=bool)
made = {
    Vector(): Cells("vector", np.eye(3, dtype=np.float32), here),
    Sequence(): Cells("sequence", [np.eye(3, dtype=np.float32)] * 3, here),
    Text.bpe(): Cells("text", ["one two"] * 3, here),
    Image(): Cells("image", [np.zeros((4, 4, 1), dtype=np.uint8)] * 3, here),
    LogMel(8000): Cells("audio", [np.zeros(900, dtype=np.float32)] * 3, here),
}
for view, cells in made.items():
    fitted = view.fit(cells)
    assert restore(type(view).__name__, fitted.state(), fitted.assets()).prepare(cells)
print("prepared")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.stdout == "prepared\n", done.stderr
