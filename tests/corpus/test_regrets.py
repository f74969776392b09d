"""What people regret is seen before they train: columns that say the target, and columns that are read as what they are not."""

import numpy as np
import pytest

import understudy as us
from understudy.corpus.giveaway import by_neighbours, by_same

ROWS = 80
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=ROWS)
TOWN = RANDOM.choice(["Ulm", "Rome", "Oslo"], ROWS)
AMOUNT = RANDOM.normal(size=ROWS)
MOOD = RANDOM.choice(["good", "bad", "so so"], ROWS)
TARGETS = {"amount": AMOUNT, "mood": MOOD}
HONEST = {"noise": NOISE, "town": TOWN}


def warned(folder, columns: dict, target, *modalities: str) -> list[str]:
    table = {name: list(values) for name, values in columns.items()} | {"y": list(target)}
    named = dict(each.split("=", 1) for each in modalities or ["t=table:*"])
    return us.check(us.import_table(table, folder / "out", target="y", modalities=named)).warnings


@pytest.mark.parametrize("target", TARGETS)
def test_an_honest_table_has_none(tmp_path, target):
    near = np.where(RANDOM.random(ROWS) < 0.9, MOOD, "good") if target == "mood" else AMOUNT + 0.3 * NOISE
    assert warned(tmp_path, HONEST | {"near": near}, TARGETS[target]) == []


CODES = {"good": 7, "bad": 1, "so so": 3}
GIVEN = {
    "the amount in another unit": ("amount", 2.54 * AMOUNT + 3),
    "the amount with a little noise": ("amount", AMOUNT + 0.01 * NOISE),
    "the classes by other names": ("mood", [f"class {name}" for name in MOOD]),
    "the classes as numbers": ("mood", [float(CODES[name]) for name in MOOD]),
    "the classes, one row wrong": ("mood", [*MOOD[:-1], "other"]),
    "a score that the classes were cut from": ("mood", [CODES[name] + each / 9 for name, each in zip(MOOD, NOISE, strict=True)]),
}


@pytest.mark.parametrize("case", GIVEN)
def test_a_column_that_gives_the_target_away(tmp_path, case):
    target, leak = GIVEN[case]
    (said,) = warned(tmp_path, HONEST | {"after": leak}, TARGETS[target])
    assert said.startswith("modality 't': column 'after' gives the target away: a probe of it ")
    assert said.endswith("leave it out unless it is known before the target is")


def test_a_column_that_is_missing_where_the_target_says_so(tmp_path):
    churned = np.array(["yes" if each > 0 else "no" for each in AMOUNT])
    ended = [each if word == "yes" else None for each, word in zip(NOISE, churned, strict=True)]
    said = warned(tmp_path, HONEST | {"ended": ended}, churned, "v=vector:noise,ended")
    assert "modality 'v': column 'ended' gives the target away" in "\n".join(said)


def test_columns_of_a_vector_of_lists_and_texts_are_probed_too(tmp_path):
    lists = np.stack([AMOUNT, NOISE, -AMOUNT], axis=1).tolist()
    said = warned(tmp_path, {"e": lists, "note": [f"rated {name}" for name in MOOD]}, MOOD, "e=vector:e", "n=text:note")
    assert [each.split(":")[0] for each in said] == ["modality 'n'"]
    assert "the text alone gives the target away" in said[0]
    (said,) = warned(tmp_path / "n", {"e": lists}, AMOUNT, "e=vector:e")
    assert said.startswith("modality 'e': each of 2 columns ('0', '2') gives the target away")


def test_rows_in_the_order_of_their_classes_are_no_giveaway(tmp_path):
    """Equal values say nothing, though a neighbour in the file is nearly always of the same class."""
    assert not any(
        "away" in each for each in warned(tmp_path, {"one": [1.0] * ROWS, "two": [0.0, 1.0] * (ROWS // 2)}, sorted(MOOD))
    )


def test_few_rows_give_nothing_away(tmp_path):
    assert warned(tmp_path, {"x": [0.0, 1.0] * 9}, ["a", "b"] * 9) == []


@pytest.mark.parametrize(
    ("name", "found"), [("y2", True), ("y_raw", True), ("Label", True), ("happy_target", True), ("acc_y", False), ("x", False)]
)
def test_a_second_target_is_known_by_its_name(tmp_path, name, found):
    for kind in ("table", "vector"):
        said = warned(tmp_path / kind, {name: NOISE, "other": AMOUNT}, MOOD, f"m={kind}:*")
        assert (
            said
            == [f"modality 'm': column {name!r} is called as a target is; leave it out unless it is known in use, too"] * found
        )


COLUMNS = {
    "is 'EUR' in 98% of its rows; little can be learnt of it": ["EUR"] * (ROWS - 2) + ["USD"] * 2,
    "is 0.0 in 98% of its rows": [0.0] * (ROWS - 2) + [1.0, 2.0],
    "has the categories 'FINE' and 'fine', which differ in case alone; are they one?": ["FINE", "fine", "bad", "good"]
    * (ROWS // 4),
    "holds free text; read it as a modality of kind text": [f"a note of {each:.3f} words" for each in NOISE],
    "names files; read them as a modality of kind image": [f"pictures/{row}.PNG" for row in range(ROWS)],
    "names files; read them as a modality of kind audio": [f"{row % 9}.wav" for row in range(ROWS)],
    f"has {ROWS} categories in {ROWS} rows; leave it out, or give it as the id": [f"u{row}" for row in range(ROWS)],
    "column 'c' is absent in 75% of the rows that have it; give": [None if row % 4 else each for row, each in enumerate(NOISE)],
}


@pytest.mark.parametrize("told", COLUMNS)
def test_a_column_that_people_regret(tmp_path, told):
    (said,) = [each for each in warned(tmp_path, HONEST | {"c": COLUMNS[told]}, MOOD) if "column" in each]
    assert told in said
    assert said.startswith("modality 't': ")


def test_categories_of_several_words_are_no_free_text(tmp_path):
    towns = ["New York City", "Rio de Janeiro", "Sankt Peter Ording", "Bad Homburg vor der Höhe"] * (ROWS // 4)
    assert warned(tmp_path, {"town": towns, "noise": NOISE}, MOOD) == []


def test_absent_cells_inside_a_modality_are_counted(tmp_path):
    table = {"a": [1.0, None, None, 2.0], "b": [None, None, 3.0, 4.0], "y": [0.1, 0.2, 0.3, 0.4]}
    for kind in ("vector", "table"):
        found = us.check(us.import_table(table, tmp_path / kind, target="y", modalities={"m": f"{kind}:a,b"}))
        assert (found.facts["modalities"]["m"]["missing"], found.facts["modalities"]["m"]["absent_cells"]) == (
            0.25,
            pytest.approx(1 / 3),
        )
        assert f"  m ({kind}): 25.0% of the rows lack it; in the others 33.3% of the cells are absent" in str(found)


def test_probes_learn_from_the_other_half_alone():
    """Against each row's guess by hand."""
    x, y = RANDOM.normal(size=20), RANDOM.normal(size=20)
    for row in range(20):
        other = np.arange(20)[np.arange(20) % 2 != row % 2]
        other = other[np.argsort(x[other])]
        assert by_neighbours(x[:, None], y, False)[row, 0] == pytest.approx(np.interp(x[row], x[other], y[other]))
        classes = (y > 0).astype(int)
        assert by_neighbours(x[:, None], classes, True)[row, 0] == classes[other[np.argmin(np.abs(x[other] - x[row]))]]
    words = np.array(["a", "b", "a", "a", "c", "b"], object)
    np.testing.assert_allclose(by_same(words, np.array([1.0, 2, 3, 4, 5, 6]), False)[:, 0], [4, 3, 4, 2, 4, 3])
