"""Who may import whom: the table of docs/architecture.md, held over the source of every file."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "understudy"
FILES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
    if path != SOURCE / "__init__.py"
}

# What a file belongs to when it is not its own row of the table.
PART_OF = dict.fromkeys(["checkpoint", "gradient", "loop", "optimise", "plan"], "fit") | {
    "at_rest": "store",
    "order": "loader",
    "ahead": "loader",
}
NO_TORCH = (
    "whole",
    "stop",
    "progress",
    "prepare",
    "task",
    "entries",
    "corpus",
    "report",
    "serve",
    "theatre",
    "picture_world",
    "artifact.predict",
    "artifact.predict_file",
    "artifact.contract",
    "artifact.card",
    "evaluate.vqa",
    "evaluate.vocabulary",
    "evaluate.vcr",
    "evaluate.entailment",
    "evaluate.submissions",
)
DATA = ("prepare", "task", "entries", "batch", "corpus", "loader", "model")
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "prepare": (),
    "entries": (),
    "task": ("entries",),
    "batch": (),
    "bundled": (),
    "whole": (),
    "stop": (),
    "progress": (),
    "hardware": (),
    "theatre": ("progress",),
    "picture_world": ("corpus", "prepare", "task"),
    "corpus": ("prepare", "task", "entries", "bundled", "evaluate.vqa", "evaluate.vocabulary"),
    "loader": ("corpus", "batch", "prepare", "task"),
    "encoders": ("batch", "prepare", "task"),
    "choices": ("batch",),
    "fusion": ("batch", "encoders.encoder", "encoders.transformer"),
    "published_fusion": ("batch", "encoders", "fusion"),
    "head": ("batch", "encoders.encoder"),
    "experts": ("encoders.encoder", "head", "task"),
    "prompts": ("batch", "encoders", "head", "task"),
    "model": ("batch", "prepare", "task", "encoders.encoder", "choices", "fusion", "head"),
    "mixup": ("batch",),
    "store": ("model", "batch", "choices", "experts", "corpus", "prepare", "task", "hardware", "progress"),
    "teachers": ("model", "experts", "batch", "corpus", "prepare", "task", "store"),
    "gather": (),
    "negatives": (),
    "schedules": (),
    "objectives": ("batch", "task", "choices", "gather", "negatives"),
    "methods": (
        "choices",
        "experts",
        "objectives",
        "mixup",
        "schedules",
        "model",
        "teachers",
        "batch",
        "prepare",
        "task",
        "head",
        "prompts",
    ),
    "fit": ("batch", "methods.method", "progress"),
    "evaluate": DATA,
    "evaluate.vqa": (),
    "evaluate.vocabulary": ("evaluate.vqa",),
    "advice": (*DATA, "evaluate"),
    "report": ("evaluate.predictions", "evaluate.results", "evaluate.calibration"),
    "artifact": (*DATA, "evaluate"),
    "artifact.predict": ("prepare", "artifact.contract"),
    "artifact.predict_file": ("prepare", "artifact.contract", "artifact.predict"),
    "artifact.contract": ("prepare",),
    "artifact.card": ("prepare", "artifact.contract"),
    "serve": ("prepare", "artifact.predict", "artifact.contract"),
    "recipes": tuple(sorted({name.partition(".")[0] for name in FILES} - {"cli", "commands"})),
    "commands": tuple(sorted({name.partition(".")[0] for name in FILES} - {"cli"})),
    "cli": ("commands", "stop"),
}
# Where a task is used there is torch and there are metrics; where it is only described there is neither.
WHEN_USED = {"task": ("torch", "evaluate")}
ABSTRACT = {"prepare.view": ("prepare.cells",), "encoders.encoder": (), "objectives.objective": (), "methods.method": ()}


def row(name: str) -> str:
    """The row of the table that a file stands in: the longest that fits."""
    name = PART_OF.get(name, name)
    while name not in MAY_IMPORT:
        assert "." in name, f"{name} stands in no row of who may import whom: add it to docs/architecture.md and here"
        name = name.rpartition(".")[0]
    return name


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Each import as (dotted name, whether it runs at import time); those for the type checker alone are left out."""

    def walk(node: ast.AST, at_import: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_import) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole.removeprefix("understudy.") in FILES else str(node.module)), at_import
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, at_import and not inside)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), True)


def fits(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == a or name.startswith(f"{a}.") for a in (*allowed, "whole"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_only_what_it_may(name):
    own = row(name)
    for imported, at_import in imports(FILES[name]):
        late = () if at_import else WHEN_USED.get(own, ())
        if imported.partition(".")[0] in ("torch", "accelerate", "safetensors", "torchmetrics"):
            assert not fits(name, NO_TORCH) or fits(imported, late), f"{name} imports {imported}; it must work without torch"
        if imported == "tyro":
            assert name == "cli", f"{name} imports tyro; only cli does"
        if imported.startswith("understudy."):
            target = imported.removeprefix("understudy.")
            allowed = (own, *MAY_IMPORT[own], *late)
            assert fits(target, allowed) or row(target) == own, f"{name} imports {target}; it may import {', '.join(allowed)}"


@pytest.mark.parametrize("name", ABSTRACT)
def test_the_abstract_never_imports_the_concrete(name):
    package = f"understudy.{name.partition('.')[0]}"
    siblings = {imported.removeprefix("understudy.") for imported, _ in imports(FILES[name]) if imported.startswith(package)}
    assert siblings <= set(ABSTRACT[name])


def test_what_runs_without_torch_never_loads_it():
    modules = [f"understudy.{name}" for name in FILES if fits(name, NO_TORCH)]
    each = "importlib.import_module(name); assert 'torch' not in sys.modules, name"
    code = f"import importlib, sys\nfor name in sys.argv[1:]: {each}"
    done = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
