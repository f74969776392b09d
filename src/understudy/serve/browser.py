"""Browser: an artifact as a static page that answers by itself, through onnxruntime-web. No torch."""

import shutil
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from understudy.artifact.contract import Contract, read_contract
from understudy.artifact.predict import Artifact
from understudy.prepare.cells import TEXTS as WORDS
from understudy.prepare.cells import Cells
from understudy.process.whole import read_json, whole_folder, write_json
from understudy.serve.page import FOLDER, page
from understudy.serve.shown import show

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "onnxruntime-web@1.30.0": ("dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"),
    "@huggingface/tokenizers@0.2.0": ("dist/tokenizers.min.mjs",),
}
"""npm packages, in the versions that the tests hold against `predict`, and what the page takes of them."""
ASSETS = {"page.css": "page.css", "page.js": "page.js", "local.js": "ask.js"} | {
    name: name for name in ("student.js", "cells.js", "views.js", "sureness.js")
}
"""Ours -> what it is called there: the page of a service, which asks somebody else."""
VIEWS = ("Vector", "Knots", "Table", "Sequence", "Regions", "StoredFrames", "Text", "Terms", "Choices")
"""That views.js has."""
ARTIFACT, PROBES = "artifact", "probes.json"
TEXTS = (
    "A few words to try it with.",
    "Don't  stop:\t12,345.67 €\nand (so) on…",
    "Straße, naïve CAFÉ, Œuvre, İstanbul",
    "ΟΔΟΣ Σοφός; Привет, мир!",
    "日本語の文、中文。 한국어 문장",
    "नमस्ते दुनिया, مرحبا بالعالم, שלום",
    "😀 👩‍👩‍👧 ½ ﬁ x² <b>&amp;</b>",
    "one of many words " * 200,
    "unbroken" * 100,
)
"""What a page's tokenizer has to read as the artifact's own does before the page answers anything."""
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'none'; base-uri 'none'"
)
"""Nothing from elsewhere, no script in the page; WebAssembly may be compiled."""


def write_page(artifact: str | Path, modules: str | Path, out: str | Path) -> Path:
    """The folder `out` for any web server of static files: the artifact, a page to try it, and modules for pages of one's own.

    modules: a folder `node_modules` with what `LIBRARIES` names. Raises FileNotFoundError that says what to install where it
    lacks them, and ValueError where `out` exists or the artifact reads pictures, sound or video.
    """
    with whole_folder(Path(out)) as draft:
        shutil.copytree(artifact, draft / ARTIFACT)
        fill_page(draft, modules)
    return Path(out)


def fill_page(folder: Path, modules: str | Path) -> None:
    """The rest of such a folder, whose artifact is there."""
    taken = libraries(modules)
    contract = read_contract(folder / ARTIFACT)
    refuse_unreadable(folder / ARTIFACT, contract)
    (folder / "assets").mkdir()
    (folder / "lib").mkdir()
    for ours, theirs in ASSETS.items():
        shutil.copyfile(FOLDER / ours, folder / "assets" / theirs)
    for path in taken.values():
        shutil.copyfile(path, folder / "lib" / path.name)
    shown = show(contract.name, folder / ARTIFACT)
    write_json(folder / PROBES, probes(shown.artifact))
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    (folder / "index.html").write_text(page([shown], shown, head=policy, foot=made_with(modules)), encoding="utf-8")


def probes(artifact: Artifact) -> dict[str, list[tuple[Any, list[int]]]]:
    """Of each modality of words: cells, and the ids that they are prepared to, step by step."""
    found: dict[str, list[tuple[Any, list[int]]]] = {}
    for name, modality in artifact.modalities.items():
        if modality.kind not in WORDS:
            continue
        cells = [text if modality.kind == "text" else (text,) * modality.width for text in TEXTS]
        alone = [Cells(modality.kind, [cell], np.ones(1, dtype=bool)) for cell in cells]
        ids = [artifact.views[name].prepare_for(each, ("ids",))["ids"].ravel().tolist() for each in alone]
        found[name] = list(zip(cells, ids, strict=True))
    return found


def libraries(modules: str | Path) -> dict[str, Path]:
    """The files to copy, by what they are in their package; FileNotFoundError that says what to install."""
    found = {f"{name}/{file}": package(modules, name) / file for name, files in LIBRARIES.items() for file in files}
    for name, path in found.items():
        if not path.is_file():
            command = f"npm install --prefix {Path(modules).parent} {' '.join(LIBRARIES)}"
            raise FileNotFoundError(f"{modules} lacks {name}, which the page needs: `{command}` puts it there")
    return found


def package(modules: str | Path, name: str) -> Path:
    """Where a package of `LIBRARIES` lies."""
    return Path(modules) / name.rpartition("@")[0]


def made_with(modules: str | Path) -> str:
    """HTML that says whose code is in the page, and that nothing leaves it."""
    about = [read_json(package(modules, name) / "package.json") for name in LIBRARIES]
    names = [f"{each['name']} {each['version']} ({each.get('license', 'see its package')})" for each in about]
    return f"<footer>Answered in this browser: what is typed goes nowhere. With {escape(', '.join(names))}.</footer>"


def refuse_unreadable(folder: Path, contract: Contract) -> None:
    """ValueError for what no page can prepare or load."""
    for name, shipped in contract.views.items():
        if shipped.view not in VIEWS:
            kind = contract.modalities[name].kind
            raise ValueError(
                f"the student reads {name}, {kind} that {shipped.view} prepares; a page prepares numbers, tables, sequences, "
                "regions, text and choices: train a student without it, or answer with `understudy serve`"
            )
    for name, modality in contract.modalities.items():
        if dates := [column for column in modality.source if modality.columns and column not in modality.columns]:
            what = f"the student reads the parts of dates in {name} ({', '.join(dates)})"
            raise ValueError(f"{what}, which no page takes apart: answer with `understudy serve`")
    if any((folder / f"{file}.data").exists() for file in contract.graphs.values()):
        raise ValueError("the student's weights are more than 2 GiB, which no browser loads: ship a smaller one")
