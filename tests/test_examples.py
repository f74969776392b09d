"""The examples in the docstrings of public functions are run, each in an empty folder with a cache of its own."""

import doctest

import pytest

import understudy as us
from understudy.corpus.importers.memory import corpus
from understudy.evaluate import advice

SHOWN = (
    *("TorchTeacher", "Understudy", "Weighted", "advise", "check", "distill", "import_table", "make_folds", "make_split"),
    "read_table",
)
"""What has an example, beside `us.corpus`."""


@pytest.mark.parametrize("name", ["corpus", *SHOWN])
def test_the_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(advice, "PROBES", ("linear",))
    documented = corpus if name == "corpus" else getattr(us, name)
    (example,) = [found for found in doctest.DocTestFinder(recurse=False).find(documented, name, globs={}) if found.examples]
    done = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert (done.failed, done.attempted > 1) == (0, True)


def test_no_other_example_is_left_out():
    with_one = {name for name in us.__all__ if name != "corpus" and ">>>" in (getattr(us, name).__doc__ or "")}
    assert with_one == set(SHOWN)
