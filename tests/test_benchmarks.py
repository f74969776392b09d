"""Every benchmark runs its own path small, and writes nothing under results/."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
"""Sets that cannot be shipped; where they are not, what needs them is skipped."""
MOSI = "mosi/utterances.csv"
WIKIPEDIA = "wikipedia/raw_features.mat"
NEEDS = {
    "mosi": MOSI,
    "videoadviser_mosi": MOSI,
    "videoadviser_step1": MOSI,
    "mosi_context": MOSI,
    "mosi_bge": MOSI,
    "av_digits": "fsdd/recordings.tar",
    "retrieval": WIKIPEDIA,
}
BENCHMARKS = [
    path.stem
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if "\ndef main()" in path.read_text() and path.stem != "record"
]


def results() -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (ROOT / "results").iterdir()}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_quick(name, monkeypatch, tmp_path):
    if name in NEEDS and not (DATA / NEEDS[name]).is_file():
        pytest.skip(f"needs {NEEDS[name]}, which is not ours to ship; see the recipe's docstring for where it comes from")
    mosi = ["--data", DATA / "mosi"]
    wikipedia = ["--data", DATA / "wikipedia"]
    arguments = {
        "retrieval": wikipedia,
        "mosi": mosi,
        "videoadviser_mosi": mosi,
        "videoadviser_step1": mosi,
        "mosi_context": mosi,
        "mosi_bge": mosi,
        "av_digits": ["--data", DATA],
        "worth": ["--data", DATA],
    }.get(name, [])
    monkeypatch.setattr(sys, "argv", [name, "--quick", *map(str, arguments)])
    before = results()
    importlib.import_module(f"benchmarks.{name}").main()
    assert results() == before


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "results").glob("*.json"))])
def test_a_result_names_its_command_and_its_table(name):
    import json

    document = json.loads((ROOT / "results" / f"{name}.json").read_text())
    assert set(document) == {"command", "commit", "date", "machine", "seeds", "figures", "rows"}
    assert document["command"].startswith(f"python -m benchmarks.{name}")
    assert " /" not in document["command"], "a folder of one machine says nothing to another"
    assert all(isinstance(value, float | int | str) for value in document["figures"].values())
    assert document["command"] in (ROOT / "results" / f"{name}.md").read_text()


def test_a_command_is_recorded_without_the_folders_of_a_machine(monkeypatch, tmp_path):
    from benchmarks import record

    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["made", "--data", str(Path.cwd().parent / "data"), "--tries", "1"])
    record.write_result("made", figures={}, rows=[], seeds=[0], text="made")
    command = "python -m benchmarks.made --data ../data --tries 1"
    assert f'"{command}"' in (tmp_path / "made.json").read_text()
    assert command in (tmp_path / "made.md").read_text()
