"""`import table` on files as people have them: one bad cell, missing words, large numbers, many columns."""

import subprocess
import sys
import time
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import understudy as us
from understudy.prepare import view_for
from understudy.prepare.columns import NEAR, number_of, remedy
from understudy.tasks import Classification, Regression


def made(folder, text: str, **said):
    (folder / "t.csv").write_text(text)
    return us.import_table(folder / "t.csv", folder / "out", target="y", **({"modalities": {"v": "vector:x"}} | said))


def test_missing_words_are_no_class(tmp_path):
    corpus = made(tmp_path, "x,y\n1,1\n2,0\n3,NA\n4,1\n5,nan\n6,0\n")
    assert corpus.task == Classification(classes=("0", "1"))
    assert corpus.has_target.tolist() == [True, True, False, True, False, True]


def test_the_fingerprint_knows_no_hash_seed(tmp_path):
    (tmp_path / "t.csv").write_text(
        "x,y\n" + "".join(f"{i},{word}\n" for i, word in enumerate(["nan", "b", "10", "a", "9", "NA", "inf", "B"]))
    )
    code = "import sys, understudy as us\n"
    code += "print(us.import_table(*sys.argv[1:], target='y', modalities={'v': 'vector:x'}).fingerprint)"
    found = set()
    for seed in ("0", "1", "2"):
        command = [sys.executable, "-c", code, str(tmp_path / "t.csv"), str(tmp_path / seed)]
        told = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=told)
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([*map(str, range(1, 30)), "tbc"], "row 30: 'tbc' is not a number, as the others are; if the target is classes"),
        (["33,365.48", "1,204.00", "877.5"], "row 1: '33,365.48' has commas between thousands"),
        ([f"2026-11-{day}" for day in range(10, 30)], "row 1: '2026-11-10' is a date"),
        ([f"word{i}" for i in range(40)], "holds 40 different words in 40 rows"),
    ],
)
def test_one_bad_cell_never_changes_the_task(tmp_path, cells, told):
    text = "x,y\n" + "".join(f'{i},"{cell}"\n' for i, cell in enumerate(cells))
    with pytest.raises(ValueError, match=told):
        made(tmp_path, text)
    assert made(tmp_path, text, task="classification").task.kind == "classification"


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            [*map(str, range(1, 30)), "tbc"],
            "column 'x', row 30: 'tbc' is not a number, as the others are; mend it, or say in a map",
        ),
        (["12 %", "20 %", "12 %"], "column 'x', row 1: '12 %' is in percent"),
        ([f"2026-11-{day}" for day in range(10, 30)], "column 'x', row 1: '2026-11-10' is a date"),
        (["[1, 2]", "[2, 3]", "[4, 5]"], "column 'x', row 1: '.*' is a list; give a column to each"),
        (["1 2 3", "2 3 4", "4 5 6"], "column 'x', row 1: '1 2 3' holds several numbers"),
    ],
)
def test_one_bad_cell_never_makes_a_category_of_a_number(tmp_path, cells, told):
    text = "x,z,y\n" + "".join(f'"{cell}",{i},{i / 7}\n' for i, cell in enumerate(cells))
    with pytest.raises(ValueError, match=told):
        made(tmp_path, text, modalities={"t": "table:x,z"})
    named = {"t": {"kind": "table", "columns": {"x": "category", "z": "number"}}}
    assert made(tmp_path, text, modalities=named).modalities["t"].columns == named["t"]["columns"]


def test_codes_and_mixed_names_are_categories(tmp_path):
    codes = ["1_2", "1_3", "2_1"] + [f"A/{i}" if i % 4 == 0 else str(1000 + i) for i in range(30)]
    text = "x,y\n" + "".join(f"{code},{i / 7}\n" for i, code in enumerate(codes))
    assert made(tmp_path, text, modalities={"t": "table:x"}).modalities["t"].columns == {"x": "category"}


@pytest.mark.parametrize("use", ["target", "modality"])
def test_times_are_no_classes_and_no_categories(tmp_path, use):
    times = pa.array([datetime(2026, 11, day) for day in (1, 2, 3)])
    table = pa.table({"x": [1.0, 2.0, 3.0], "y": times} if use == "target" else {"x": times, "y": [0.1, 0.2, 0.3]})
    with pytest.raises(ValueError, match=r"column '.' holds dates or times \(timestamp\[us\]\); give their parts as numbers"):
        us.import_table(table, tmp_path / "out", target="y", modalities={"t": "table:x"})


def test_an_infinite_target_is_named(tmp_path):
    with pytest.raises(ValueError, match="column 'y', row 2: infinite"):
        made(tmp_path, "x,y\n1,0.5\n2,inf\n3,1.5\n")


def test_classes_that_mix_numbers_and_words_stay_classes(tmp_path):
    assert made(tmp_path, "x,y\n1,1\n2,2\n3,other\n4,1\n").task == Classification(classes=("1", "2", "other"))


def test_a_pattern_that_hits_text_names_modality_and_column(tmp_path):
    with pytest.raises(
        ValueError, match="modality 'v': column 'x2', row 1: 'warm' is not a number; mend it, leave the column out"
    ):
        made(tmp_path, "x1,x2,y\n1,warm,0\n2,cold,1\n", modalities={"v": "vector:x*"})


def test_bytes_are_class_names(tmp_path):
    table = pa.table({"x": [1.0, 2.0, 3.0], "y": pa.array([b"happy", b"sad", b"sad"])})
    corpus = us.import_table(table, tmp_path / "out", target="y", modalities={"v": "vector:x"})
    assert corpus.task == Classification(classes=("happy", "sad"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x,y\n", r"t\.csv has columns \(x, y\) but no row"),
        ("x,y\n1,a\n2,a\n", "target column 'y' holds nothing but the class 'a'"),
        ("x,y\n1,NA\n2,nan\n", "target column 'y' holds nothing in any row"),
        ("x,y\n,1\nNA,2\n", "modality 'v' is absent in every row; leave it out"),
    ],
)
def test_what_holds_nothing_is_said_of_its_column(tmp_path, text, told):
    with pytest.raises(ValueError, match=told):
        made(tmp_path, text)


@pytest.mark.parametrize("kind", ["vector", "sequence", "regions", "choices", "text"])
def test_a_modality_without_a_row_is_named_whatever_its_kind(tmp_path, kind):
    table = pa.table({"x": pa.nulls(2), "y": [0.1, 0.2]})
    with pytest.raises(ValueError, match="modality 'v' is absent in every row"):
        us.import_table(table, tmp_path / "out", target="y", modalities={"v": f"{kind}:x"})


def test_truth_is_two_classes_however_it_is_written(tmp_path):
    corpus = made(tmp_path, "x,y\n1,TRUE\n2,false\n3,True\n4,FALSE\n5,\n")
    assert corpus.task == Classification(classes=("False", "True"))
    assert corpus.target[corpus.has_target].tolist() == [1, 0, 1, 0]


def test_large_numbers_keep_their_differences(tmp_path):
    rows = pa.table(
        {"x": [1.7e9 + i for i in range(50)], "z": [0.1 * i for i in range(50)], "y": [1.7e9 + 2 * i for i in range(50)]}
    )
    corpus = us.import_table(rows, tmp_path / "out", target="y", modalities={"v": "vector:x,z", "w": "vector:z"})
    assert (corpus.modalities["v"].double, corpus.modalities["w"].double) == (True, False)
    np.testing.assert_array_equal(us.Corpus(tmp_path / "out").cells("v", np.arange(50)).values[:, 0] - 1.7e9, np.arange(50))
    assert corpus.task.fit(corpus.target).double
    assert not Regression().fit(np.array([2000.0, 2026.0])).double


def test_a_wide_table_costs_what_its_columns_cost(tmp_path):
    def seconds(columns: int) -> float:
        table = pa.table({f"{i}g": [1.0, 2.5] for i in range(columns)} | {"y": [0.5, 1.5]})
        started = time.process_time()
        us.import_table(table, tmp_path / str(columns), target="y", modalities={"v": "vector:*g"})
        us.import_table(table, tmp_path / f"{columns} guessed", target="y", guess=True)
        return time.process_time() - started

    seconds(10)
    # Quadratic, 8 times the columns cost 40 times and more; the bound leaves room for a noisy machine.
    assert seconds(2000) < 16 * max(seconds(250), 0.05)


def test_a_target_far_from_nought_is_learnt_in_its_own_unit(tmp_path):
    """By least squares on what the view prepares, through the task's own scale and back."""
    x, noise = np.random.default_rng(0).normal(size=(2, 400))
    text = "x,y\n" + "".join(f"{a + 1e6:.6f},{1.7e9 + 30 * (a + 0.1 * b):.3f}\n" for a, b in zip(x, noise, strict=True))
    corpus = made(tmp_path, text)
    rows, task = np.arange(len(corpus)), corpus.task.fit(corpus.target)
    cells = corpus.cells("v", rows)
    values = np.concatenate([view_for(corpus.modalities["v"]).fit(cells).prepare(cells)["values"], np.ones((400, 1))], axis=1)
    wanted = (corpus.target - corpus.target.mean()) / corpus.target.std()
    logits = values @ np.linalg.lstsq(values, wanted, rcond=None)[0]
    found = task.metrics(task.decode(torch.tensor(logits, dtype=torch.float32)[:, None]).numpy(), corpus.target)
    assert found["r2"] == pytest.approx(0.99, abs=0.003)
    assert found["mae"] == pytest.approx(30 * 0.1 * np.sqrt(2 / np.pi), rel=0.1)


@given(st.text(st.sampled_from(" \t+-0123456789.,eE%$€£¥[]()'’\u00a0\u202f/:;infatysrubIN_x١\x1f"), max_size=12))
def test_whatever_is_a_number_or_written_as_one_is_looked_at(word):
    """`NEAR`, which Arrow looks for, leaves out no word that Python's `number_of` and `remedy` would name."""
    near = pc.match_substring_regex(pa.array([word]), NEAR)[0].as_py()
    assert near or (number_of(word) is None and not remedy(word))
