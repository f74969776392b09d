"""`predict` some rows at a time: the bytes of one look at all rows, however the input comes and wherever the job was killed."""

import csv
import errno
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from serve.made_artifact import write_artifact
from understudy.artifact import Artifact, asked, parts, predict_file, shares
from understudy.cli import main
from understudy.prepare import pieces
from understudy.process.share import Share

ROWS, PIECE = 300, 32


@pytest.fixture(scope="module")
def artifact(tmp_path_factory) -> Artifact:
    """Its prediction is how many modalities a row has."""
    return Artifact(write_artifact(tmp_path_factory.mktemp("counts") / "artifact", classes=False))


@pytest.fixture
def small(monkeypatch) -> None:
    """Pieces of a few rows, and no file so small that it is read at once."""
    monkeypatch.setattr(asked, "PIECE", PIECE)
    monkeypatch.setattr(pieces, "AT_ONCE", 0)
    monkeypatch.setattr(pieces, "BLOCK", 2**10)


def rows(count: int = ROWS) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    words = [None if random.random() < 0.2 else 'it "was"\nfine, ' * random.integers(1, 4) for _ in range(count)]
    return [{"id": f"r{i}", "said": word, "age": None if i % 3 else float(i), "<i>town": "Ulm"} for i, word in enumerate(words)]


def write(path: Path, given: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(given), path, row_group_size=50)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, (table := pa.Table.from_pylist(given)).schema) as writer:
            writer.write_table(table, max_chunksize=70)
    elif ".jsonl" in path.name:
        content = "".join(json.dumps(row) + "\n" for row in given).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    else:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(given[0]))
            writer.writeheader()
            writer.writerows(given)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow", "t.jsonl", "t.jsonl.gz"])
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet", ".arrow"])
def test_parts_are_the_whole(artifact, tmp_path, request, name, ending):
    path = write(tmp_path / name, rows())
    whole = predict_file(artifact, path, tmp_path / f"whole{ending}", id="id")
    request.getfixturevalue("small")
    parts = predict_file(artifact, path, tmp_path / f"parts{ending}", id="id")
    assert (parts.rows, parts.answered, parts.modalities) == (whole.rows, whole.answered, whole.modalities)
    assert parts.rows == ROWS
    if ending == ".arrow":
        found = [pa.ipc.open_file(tmp_path / f"{each}.arrow").read_all() for each in ("whole", "parts")]
        assert found[0].equals(found[1])
    else:
        assert (tmp_path / f"parts{ending}").read_bytes() == (tmp_path / f"whole{ending}").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, f"parts{ending}", f"whole{ending}"])


def test_a_folder_is_its_files_one_after_the_other(artifact, tmp_path, small):
    given = rows()
    (tmp_path / "in").mkdir()
    for number in range(3):
        write(tmp_path / "in" / f"{number}.parquet", given[number * 100 : (number + 1) * 100])
    predict_file(artifact, tmp_path / "in", tmp_path / "folder.csv")
    predict_file(artifact, write(tmp_path / "t.parquet", given), tmp_path / "file.csv")
    assert (tmp_path / "folder.csv").read_bytes() == (tmp_path / "file.csv").read_bytes()
    write(tmp_path / "in" / "more.csv", given)
    with pytest.raises(ValueError, match="holds files of 2 kinds; expected tables of one kind"):
        predict_file(artifact, tmp_path / "in", tmp_path / "out.csv")


def test_bad_rows_are_counted_over_the_whole_file(artifact, tmp_path, small):
    given: list[dict[str, Any]] = [row | {"age": "12"} for row in rows()]
    given[40]["age"] = given[250]["age"] = "old"
    path = write(tmp_path / "t.csv", given)
    with pytest.raises(ValueError, match="column 'age', row 41: 'old' is not a number"):
        predict_file(artifact, path, tmp_path / "out.csv")
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"], "nothing is left of a job that cannot be done"
    found = predict_file(artifact, path, tmp_path / "out.csv", on_error="skip")
    assert [fault.row for fault in found.faults] == [41, 251]
    assert [row["row"] for row in csv.DictReader((tmp_path / "out.errors.csv").open())] == ["41", "251"]


def test_a_malformed_end_of_a_large_file_is_named_as_of_a_small_one(artifact, tmp_path, small):
    path = write(tmp_path / "t.csv", rows())
    for more, said in (
        (b"r,s\n", "row 301 has 2 cells; expected 4"),
        (b'r,"open,1,2\n', "row 301 has 2 cells"),
        (b"r,\xff,1\n", "UTF-8"),
    ):
        content = path.read_bytes()
        path.write_bytes(content + more)
        with pytest.raises(ValueError, match=said):
            predict_file(artifact, path, tmp_path / "out.csv")
        path.write_bytes(content)
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_shards_are_joined_by_who_asks_for_all(artifact, tmp_path, small, monkeypatch):
    path = write(tmp_path / "t.parquet", rows())
    predict_file(artifact, path, tmp_path / "whole.csv")
    for index in (2, 0):
        predict_file(artifact, path, tmp_path / "out.csv", share=Share(index, 3))
    assert not (tmp_path / "out.csv").exists()
    counted = []
    monkeypatch.setattr(
        shares.Asked, "answer", lambda self, *given, plain=shares.Asked.answer: counted.append(1) or plain(self, *given)
    )
    predict_file(artifact, path, tmp_path / "out.csv")
    assert len(counted) == 3, "the share that nobody had done, and no other"
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    predict_file(artifact, path, tmp_path / "out.csv", share=Share(1, 3))
    with pytest.raises(ValueError, match="holds parts of another job"):
        predict_file(artifact, path, tmp_path / "out.csv", share=Share(0, 3), id="id")
    for text in ("3/2", "0/2", "a/b", "2"):
        with pytest.raises(ValueError, match="expected which of how many"):
            Share.parse(text)


def test_another_input_under_the_same_name_begins_anew(artifact, tmp_path, small):
    path = write(tmp_path / "t.csv", rows())
    predict_file(artifact, path, tmp_path / "out.csv", share=Share(0, 2))
    changed = [row | {"said": "other"} for row in rows()]
    predict_file(artifact, write(path, changed), tmp_path / "out.csv")
    predict_file(artifact, path, tmp_path / "again.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


JOB = """
import sys
from pathlib import Path
from understudy.artifact import Artifact, asked, predict_file, parts
from understudy.process.crew import Crew
if __name__ == "__main__":
    asked.PIECE = 32
    predict_file(Artifact(sys.argv[1], threads=1), sys.argv[2], sys.argv[3], id="id", crew=Crew(int(sys.argv[4])))
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_job_goes_on_to_the_same_bytes(artifact, tmp_path, jobs):
    path, out, script = write(tmp_path / "t.parquet", rows(4000)), tmp_path / "out.csv", tmp_path / "job.py"
    predict_file(artifact, path, tmp_path / "whole.csv", id="id")
    script.write_text(JOB)
    command = [sys.executable, str(script), str(artifact.folder), str(path), str(out), str(jobs)]
    killed = subprocess.Popen(command, env=os.environ, start_new_session=True)
    while len(list(tmp_path.glob(".out.csv.parts/*/part-*"))) < 3 and killed.poll() is None:
        time.sleep(0.005)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    there = len(list(tmp_path.glob(".out.csv.parts/*/part-*")))
    assert there >= 3
    assert not out.exists()
    subprocess.run(command, env=os.environ, check=True)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["job.py", "out.csv", "t.parquet", "whole.csv"]


def test_a_folder_that_is_full_is_named_and_the_same_command_goes_on(artifact, tmp_path, small, monkeypatch, capsys):
    path, out = write(tmp_path / "t.parquet", rows()), tmp_path / "out.csv"
    predict_file(artifact, path, tmp_path / "whole.csv")
    written: list[Path] = []

    def full(tables, partial, plain=parts.write_arrow):
        if len(written) == 2:
            partial.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(partial)
        plain(tables, partial)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "write_arrow", full)
        assert main(["predict", str(artifact.folder), str(path), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.endswith("part-2.arrow cannot be written: No space left on device\n")
    assert len(said.splitlines()) == 1
    assert sorted(each.name for each in tmp_path.glob(".out.csv.parts/*/*")) == ["part-0.arrow", "part-1.arrow"]
    predict_file(artifact, path, out)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
