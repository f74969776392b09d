"""By class and by row: counts held to scikit-learn's, and rows that are where the page says they are."""

import numpy as np
import pytest
from made_run import SENTIMENT, made_run
from sklearn.metrics import confusion_matrix

from understudy.evaluate.results import recommended
from understudy.report.answers import MOST, class_table, confusion, example_rows
from understudy.report.page import render
from understudy.report.recorded import read_run
from understudy.report.words import cautions, following
from understudy.tasks import Classification


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_run(made_run(tmp_path_factory.mktemp("runs") / "made", seeds=2))


def test_counts_are_scikit_learns(run):
    some = run.predictions["distilled"]
    theirs = np.sum([confusion_matrix(e.target, e.values.argmax(axis=1), labels=range(10)) for e in some], axis=0)
    np.testing.assert_array_equal(confusion(some, 10), theirs)
    table = class_table(run)
    assert table is not None
    assert (table.columns, table.left_out, len(table.confusion)) == (["teacher", "plain", "distilled"], 0, 10)
    name, many, shares = table.rows[3]
    assert (name, many) == ("3", str(int((some[0].target == 3).sum())))
    assert shares[2].startswith(f"{100 * theirs[3, 3] / theirs[3].sum():.0f}")
    assert f'<td class="number">{shares[2]}</td>' in render(run)


def test_many_classes_are_cut_to_those_with_the_most_rows(tmp_path):
    task = Classification(classes=tuple(f"c{n}" for n in range(30)))
    table = class_table(read_run(made_run(tmp_path / "many", task, seeds=1)))
    assert table is not None
    assert (len(table.rows), table.left_out, table.confusion) == (MOST, 18, [])


def test_five_rows_from_furthest_ahead_to_furthest_behind(run):
    systems, rows = example_rows(run)
    assert systems == ["teacher", "plain", "distilled"]
    assert len({row[0] for row in rows}) == 5
    first = {name: run.predictions[name][0] for name in systems}
    at = [first["plain"].id.tolist().index(row[0]) for row in rows]
    truth = first["plain"].target[at]
    gain = first["distilled"].values[at, truth] - first["plain"].values[at, truth]
    assert (np.diff(gain) <= 0).all()
    assert gain[0] > 0 > gain[-1]
    assert [row[1] for row in rows] == [str(y) for y in truth]
    best = int(first["teacher"].values[at[0]].argmax())
    assert rows[0][2][0].startswith(f"{best}, ")


def test_numbers_have_examples_and_no_classes(tmp_path):
    found = read_run(made_run(tmp_path / "numbers", SENTIMENT))
    assert class_table(found) is None
    assert len(example_rows(found)[1]) == 5
    assert "Five test rows" in render(found)


def test_what_next_is_a_command_where_there_is_one(run, tmp_path):
    said, command = following(run)
    assert said == "Ship it:"
    found = recommended(run.results)
    assert found is not None
    assert command == f"understudy export {run.where} --system {found.system} --out ARTIFACT"
    assert any("2 training runs of each" in each for each in cautions(run))
    alone = read_run(made_run(tmp_path / "alone", seeds=1))
    assert following(alone)[1] == ""
    assert "--seeds 5" in following(alone)[0]


def test_the_page_says_when_and_of_what(run):
    page = render(run)
    assert run.date in page
    assert "Time of what ships" in page
