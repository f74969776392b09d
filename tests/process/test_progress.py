"""Progress without a terminal: a line a minute, none for what is short or quiet."""

import pytest

from understudy.process import progress as module
from understudy.process.progress import progress


@pytest.mark.parametrize(("quiet", "said"), [(False, ["  fit: 2 of 9, epoch 1", "  fit: 5 of 9"]), (True, [])])
def test_a_line_a_minute(quiet, said, monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    with progress("fit", total=9, quiet=quiet) as tell:
        for done, now in enumerate((10.0, 61.0, 62.0, 120.0, 121.0), start=1):  # noqa: B007 (the clock reads it)
            tell(done, "epoch 1" if done < 5 else "")
    captured = capsys.readouterr()
    assert captured.err.splitlines() == said
    assert captured.out == ""
