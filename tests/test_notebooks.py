"""The notebooks are run, cell after cell, each in an empty folder; and they are kept without what they answered."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == ["own-table", "own-teacher", "raw-clips"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path / "cache"))
    document = json.loads(path.read_text(encoding="utf-8"))
    names: dict = {"__name__": path.stem}
    for number, cell in enumerate(document["cells"]):
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            exec(compile("".join(cell["source"]), f"{path.stem}, cell {number}", "exec"), names)
    run = names["run"]
    assert set(run.results["systems"]) == {"teacher", "plain", "distilled"}
