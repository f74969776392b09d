"""A document is of its shape, or the place where it is not is named; JSON without end is one sentence."""

import json

import pytest

from understudy.process.document import misfit, parsed, refuse_misfit
from understudy.process.whole import read_json

SHAPE = {
    "name": str,
    "rows?": int,
    "share": (float, None),
    "parts": [{"file": str}],
    "sums": {...: float},
    "kind": ("a", "b"),
    ...: (),
}
GOOD = {"name": "x", "rows": 3, "share": None, "parts": [{"file": "f", "more": 1}], "sums": {"t": 1, "u": 0.5}, "kind": "b"}


def test_what_fits_says_nothing():
    assert misfit(GOOD, SHAPE) == ""
    assert misfit({name: value for name, value in GOOD.items() if name != "rows"}, SHAPE) == ""
    assert misfit({"anything": object}, {}) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "name is null; expected text"),
        ({"rows": True}, "rows is true; expected a whole number from 0 on"),
        ({"rows": 2**63}, "rows is 9223372036854775808; expected a whole number from 0 on"),
        ({"rows": -1}, "rows is -1; expected a whole number from 0 on"),
        ({"rows": 1.0}, "rows is 1.0; expected a whole number from 0 on"),
        ({"share": float("nan")}, "share is NaN; expected a number"),
        ({"share": 10**400}, f"share is 1{'0' * 39}; expected a number"),
        ({"parts": {}}, "parts is {}; expected a list"),
        ({"parts": [{"file": "f"}, 3]}, "parts[1] is 3; expected an object"),
        ({"parts": [{}]}, "parts[0] lacks 'file'"),
        ({"sums": {"t": "1"}}, 'sums.t is "1"; expected a number'),
        ({"kind": "c"}, "kind is \"c\"; expected 'a'"),
        ({"verses": 1}, "verses is not known here"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(changes, said):
    assert misfit(GOOD | changes, SHAPE) == said
    with pytest.raises(ValueError, match="the thing cannot be read: "):
        refuse_misfit(GOOD | changes, SHAPE, "the thing")


def test_a_missing_entry_is_named_whatever_else_is_there():
    assert misfit({}, SHAPE) == "it lacks 'name'"
    assert misfit([], SHAPE) == "it is []; expected an object"


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"name": [['])
def test_json_without_end_is_one_sentence(tmp_path, opening):
    with pytest.raises(ValueError, match="nested without end"):
        parsed(opening * 100_000)
    path = tmp_path / "d.json"
    path.write_text(opening * 100_000)
    with pytest.raises(ValueError, match=r"d\.json is damaged: it is nested without end"):
        read_json(path)


def test_half_of_a_character_is_taken_only_where_its_place_is_named():
    with pytest.raises(ValueError, match="surrogates not allowed"):
        parsed('{"t": "\\ud83d"}')
    assert parsed('{"t": "\\ud83d"}', halves=True) == {"t": "\ud83d"}
    assert parsed('{"t": "\\ud83d\\ude00"}') == {"t": "\U0001f600"}


def test_a_file_of_another_shape_is_named(tmp_path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps(GOOD | {"sums": 3}))
    assert read_json(path)["sums"] == 3
    with pytest.raises(ValueError, match=r"d\.json is damaged: sums is 3; expected an object"):
        read_json(path, SHAPE)
