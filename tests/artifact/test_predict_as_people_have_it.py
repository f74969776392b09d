"""`predict` on files as people have them: what is empty in a whole file, or early in it, is absent there and no error."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from serve.made_artifact import write_artifact
from understudy.artifact import Artifact, predict_file, read_table

COLUMNS = [["list"], ["steps"], ["picture"], ["sound"], ["a", "b"], ["age", "<i>town"]]
"""Those of a modality of each kind beside text."""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory) -> Artifact:
    """Its prediction is how many modalities a row has."""
    return Artifact(write_artifact(tmp_path_factory.mktemp("counts") / "artifact", classes=False))


def predicted(artifact: Artifact, path) -> list[float | None]:
    predict_file(artifact, path, path.parent / "out.parquet")
    return read_table(path.parent / "out.parquet")["prediction"].to_pylist()


@pytest.mark.parametrize("empty", COLUMNS, ids=" ".join)
@pytest.mark.parametrize("ending", [".jsonl", ".parquet", ".csv", ".tsv"])
def test_a_column_that_is_empty_in_every_row_is_absent(artifact, tmp_path, empty, ending):
    path, separator = tmp_path / f"t{ending}", "\t" if ending == ".tsv" else ","
    if ending == ".jsonl":
        path.write_text("".join(json.dumps(dict.fromkeys(empty) | {"said": text}) + "\n" for text in ("good and fast", "slow")))
    elif ending == ".parquet":
        parquet.write_table(pa.table({"said": ["good and fast", "slow"]} | {column: pa.nulls(2) for column in empty}), path)
    else:
        rows = [["said", *empty], ["good and fast", *[""] * len(empty)], ["slow", *["NA"] * len(empty)]]
        path.write_text("".join(separator.join(row) + "\n" for row in rows))
    assert predicted(artifact, path) == [1, 1]


def test_paths_that_come_late_in_a_file_are_paths(artifact, tmp_path):
    np.save(tmp_path / "v.npy", np.array([0.1, 1.0, 2.0], np.float32))
    (tmp_path / "t.csv").write_text("list,said\n" + ",good\n" * 40 + "v.npy,good\n" * 3)
    assert predicted(artifact, tmp_path / "t.csv") == [1] * 40 + [2] * 3


def test_blank_lines_of_one_column_are_rows_without_an_answer(artifact, tmp_path):
    (tmp_path / "t.csv").write_text("said\nfine\n\nslow\n\n\n")
    assert predicted(artifact, tmp_path / "t.csv") == [1, None, 1, None, None]
