"""Every Python and console block of the README and the guide is run, in order, in an empty folder."""

import re
import shlex
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from operator import attrgetter
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import pytest

import understudy
from understudy.cli import COMMANDS, main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def play(language: str, text: str, names: dict) -> None:
    if language == "python":
        exec(compile(text, "block", "exec"), names)
        return
    for line in text.splitlines():
        if line.startswith("$ understudy "):
            assert main(shlex.split(line)[2:]) == 0, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, *_ = blocks(ROOT / "docs" / "guide" / "own-data.md")
    play(*table, {})
    names: dict = {}
    found = blocks(page)
    assert found
    for language, text in found:
        play(language, text, names)


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "docs").glob("*.md")), ROOT / "CHANGELOG.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_method_that_is_added_passes_its_own_test(monkeypatch):
    """docs/adding-a-method.md: its file, and its test of that."""
    text = (ROOT / "docs" / "adding-a-method.md").read_text(encoding="utf-8")
    file, _, test = re.findall(r"^```py\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    added = ModuleType("understudy.methods.similarity")
    monkeypatch.setitem(sys.modules, added.__name__, added)
    exec(compile(file, "similarity.py", "exec"), vars(added))
    names: dict = {}
    exec(compile(test, "test_method_similarity.py", "exec"), names)
    played = [function() for name, function in names.items() if name.startswith("test_")]
    assert len(played) == 2


def test_what_is_written_from_the_code_says_what_the_code_says(monkeypatch, capsys):
    spec = spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    pages = module_from_spec(spec)
    spec.loader.exec_module(pages)
    monkeypatch.setattr("sys.argv", ["pages.py", "--check"])
    assert pages.main() == 0, capsys.readouterr().err


def test_what_a_command_calls_is_there():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## What a command calls")[2]
    rows = dict(re.findall(r"^\| `([a-z]+)` \| (.*) \|$", page.partition("\n## ")[0], re.MULTILINE))
    assert rows.keys() == COMMANDS.keys()
    for functions in rows.values():
        for name in re.findall(r"`([\w.]+\.\w+)`", functions):
            assert (
                attrgetter(name.removeprefix("us."))(understudy) if name.startswith("us.") else resolve_name(f"understudy.{name}")
            )


def test_public_names_are_not_hidden_by_modules():
    """Python puts a module that was imported over a name of the package that is looked up."""
    # `corpus` is a room that can be called, so that its two meanings are one object.
    assert [name for name in understudy.__all__ if find_spec(f"understudy.{name}")] == ["corpus"]
    assert callable(understudy.corpus)
    assert callable(understudy.advise)
    assert callable(understudy.advise)
