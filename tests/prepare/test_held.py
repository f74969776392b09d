"""What is held comes back as it was, from memory and from disk, and costs no memory."""

import errno
import os
import subprocess
import sys
from tempfile import gettempdir

import numpy as np
import pytest

from understudy.prepare import held
from understudy.prepare.held import Held, ragged

VALUES = [b"film", None, np.arange(6, dtype=np.float32).reshape(2, 3), b"", np.zeros((0, 3), np.uint8), np.ones(4, ">i2")]


@pytest.mark.parametrize("memory", [2**20, 8])
def test_values_come_back(memory, monkeypatch):
    monkeypatch.setattr(held, "MEMORY", memory)
    rows = Held()
    for value in VALUES:
        rows.append(value)
    rows.repeat(2)
    rows.repeat(1)
    assert len(rows) == 8
    assert rows.nbytes == sum(len(v) if isinstance(v, bytes) else v.nbytes for v in VALUES if v is not None) + 24
    for found, value in zip(rows, [*VALUES, VALUES[2], None], strict=True):
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(found, value, strict=True)
        else:
            assert found == value
    cells = rows.cells("video").take([6, 1])
    assert cells.present.tolist() == [True, False]
    assert cells.values[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(IndexError):
        rows[8]


def test_an_array_that_is_not_contiguous_comes_back():
    rows = Held()
    rows.append(np.arange(6).reshape(2, 3).T)
    assert rows[0].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_words_stay_as_they_are():
    assert ragged("text", iter(["a", None])).values == ["a", None]
    assert ragged("choices", [("a", "b"), None]).present.tolist() == [True, False]


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_rows_and_no_file_is_left(tmp_path):
    code = """if True:
        import os, re
        from understudy.prepare.held import ragged
        cells = ragged("video", (bytes([row]) * 2**22 for row in range(100)))
        assert all(value[0] == row for row, value in enumerate(cells.values))
        print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
        os._exit(9)
        """
    told = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr
    assert int(done.stdout) < 300_000
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_of_temporary_files_is_named(monkeypatch):
    rows = Held()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rows._file, "write", full)
    with pytest.raises(OSError, match=f"^{gettempdir()} cannot be written: No space left on device$"):
        rows.append(b"clip")
