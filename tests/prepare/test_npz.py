"""Arrays from files of strangers: a header that claims what is not there is a sentence, before any memory is taken."""

import io
import zipfile

import numpy as np
import pytest

from understudy.prepare.media import read_array
from understudy.prepare.npz import read_arrays

CLAIMS = {
    "terabytes": "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3), }",
    "beyond 64 bits": "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
    "long words": "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (5, 3), }",
    "below nothing": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3), }",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (5, 3), }",
    "no type": "{'descr': '<q9', 'fortran_order': False, 'shape': (5, 3), }",
    "no shape": "{'descr': '<f8', 'fortran_order': 7, 'shape': 5, }",
    "no dict": "[1, 2",
    "brackets": "(" * 3000,
    "a bracket that is never closed": "{'descr': (",
}


def claiming(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(120)


@pytest.mark.parametrize("header", CLAIMS.values(), ids=CLAIMS)
def test_a_header_that_claims_what_is_not_there_is_one_sentence(tmp_path, header):
    (tmp_path / "a.npy").write_bytes(claiming(header))
    with pytest.raises(ValueError, match=r"a\.npy is not a \.npy file of numbers"):
        read_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", claiming(header))
    with pytest.raises(ValueError, match=r"a\.npz is not a \.npz file of plain arrays"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_comes_back(tmp_path, save):
    arrays = {
        "numbers": np.arange(6.0).reshape(2, 3, order="F"),
        "words": np.array(["x", "üñï"]),
        "one": np.float32(3),
        "none": np.zeros((0, 3)),
        "named": np.array([(1, 2.0)], dtype=[("é", "i4"), ("b", "f8")]),
    }
    save(tmp_path / "a.npz", **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert list(read_arrays(tmp_path / "a.npz", "words", "nothing")) == ["words"]


def test_what_is_no_archive_is_named(tmp_path):
    plain = io.BytesIO()
    np.savez(plain, a=np.arange(5))
    for content in (b"", b"PK", plain.getvalue()[:-30], plain.getvalue().replace(b"a.npy", b"b.npy", 1)):
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.npz is not a \.npz file"):
            read_arrays(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_arrays(tmp_path / "b.npz")
