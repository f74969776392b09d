"""A hook of mkdocs: the pages of the site that are made from code, notebooks, results and the README; none is written twice.

Nothing of it lies in the repository: what a page says is what the code said when the site was built.
"""

import json
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from understudy import PUBLIC
from understudy.cli import COMMANDS, choose

ROOT = Path(__file__).parent.parent
MOVED = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "results": "results/index.md"}
ORIGIN = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")
EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
WIDTH = "80"
"""Columns of a command's help: what a page shows without scrolling."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages, and put the pages of a folder where the navigation names the folder."""
    for place, text in made():
        files.append(File.generated(config, place, content=text))
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        files.remove(notebook)
    config.nav = [filled(entry, sorted(files.src_uris)) for entry in config.nav or []]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between files of the repository, as links between pages of the site; those to files that are no page are left out."""
    here = page.file.src_uri
    folder = posixpath.dirname(ORIGIN.get(here, here if here.startswith("results/") else f"docs/{here}"))

    def on_site(found: re.Match[str]) -> str:
        said, link, anchor = found.groups(default="")
        path = posixpath.normpath(posixpath.join(folder, link))
        place = MOVED.get(path, path.removeprefix("docs/").replace(".ipynb", ".md"))
        if files.get_file_from_path(place) is None and (ROOT / path).is_file():
            return said
        return f"[{said}]({posixpath.relpath(place, posixpath.dirname(here) or '.')}{anchor})"

    return LINK.sub(on_site, markdown)


class Examples(griffe.Extension):
    """What stands behind >>> in a docstring is a block of code."""

    def on_instance(self, *, obj: griffe.Object, **told: Any) -> None:
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)


def filled(entry: Any, places: list[str]) -> Any:
    """An entry of the navigation, with all pages of a folder in the folder's place."""
    (title, what) = next(iter(entry.items())) if isinstance(entry, dict) else ("", entry)
    if isinstance(what, list):
        return {title: [filled(each, places) for each in what]}
    inside = [place for place in places if what.endswith("/") and place.startswith(what) and place.endswith(".md")]
    return {title: inside} if inside else entry


def made() -> Iterator[tuple[str, str]]:
    """Every made page: its place, its text."""
    yield "index.md", (ROOT / "README.md").read_text(encoding="utf-8")
    yield "changelog.md", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    yield "reference.md", reference()
    for path in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        yield f"notebooks/{path.stem}.md", notebook(path)
    for words in commands():
        yield f"commands/{'-'.join(words)}.md", command(words)
    yield from results()


def commands() -> Iterator[list[str]]:
    """The words of every command; one that is a group is its commands."""
    for name, function in COMMANDS.items():
        yield from ([name, each] for each in function) if isinstance(function, dict) else [[name]]


def command(words: list[str]) -> str:
    """A command's page: what its --help prints."""
    os.environ["COLUMNS"] = WIDTH
    with redirect_stdout(StringIO()) as said, suppress(SystemExit):
        choose([*words, "--help"], as_json=False)
    usage, about, options = said.getvalue().strip().split("\n\n", 2)
    return f"# {' '.join(words)}\n\n{about}\n\n```text\n{usage}\n\n{options}\n```\n"


def reference() -> str:
    """Every name of `us`, with what the code says of it."""
    parts = ["# Python", "`import understudy as us`; [a guide](guide/python.md) goes before."]
    places = PUBLIC | {"corpus": "understudy.corpus.importers.memory"}
    return "\n\n".join([*parts, *(f"::: {places[name]}.{name}" for name in sorted(places, key=str.lower))]) + "\n"


def notebook(path: Path) -> str:
    """A notebook's cells: text, and code as blocks."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = [("".join(cell["source"]), cell["cell_type"] == "code") for cell in cells]
    return "\n\n".join(f"```python\n{text}\n```" if code else text for text, code in texts) + "\n"


def results() -> Iterator[tuple[str, str]]:
    """What each benchmark wrote, with a title where it has none, and a list of them."""
    found = sorted((ROOT / "results").glob("*.md"))
    yield "results/index.md", "# Results\n\n" + "".join(f"- [{path.stem}]({path.name})\n" for path in found)
    for path in found:
        text = path.read_text(encoding="utf-8")
        yield f"results/{path.name}", text if text.startswith("# ") else f"# {path.stem}\n\n{text}"
