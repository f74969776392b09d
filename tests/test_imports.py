"""The rooms and who may import whom: the table of docs/architecture.md, held over the source of every file."""

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

NO_TORCH = (
    "process.whole",
    "process.document",
    "process.lock",
    "process.partial",
    "process.alone",
    "process.stop",
    "process.progress",
    "process.share",
    "process.crew",
    "process.cache",
    "process.processes",
    "prepare",
    "tasks",
    "bundled",
    "corpus",
    "report",
    "serve",
    "worlds",
    "batches.order",
    "artifact.session",
    "artifact.answers",
    "artifact.feeds",
    "artifact.confidence",
    "artifact.cascade",
    "artifact.predict",
    "artifact.predict_file",
    "artifact.asked",
    "artifact.shares",
    "artifact.parts",
    "artifact.writers",
    "artifact.contract",
    "artifact.card",
    "evaluate.vcr",
    "evaluate.entailment",
    "evaluate.submissions",
    "recipes.estimator",
)
# A room -> the rooms that it may use, `process` apart, which all may; a file with a row of its own may use less than its room.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "process": (),
    "prepare": (),
    "tasks": (),
    "bundled": (),
    "corpus": ("prepare", "tasks", "bundled"),
    "batches": ("corpus", "prepare", "tasks"),
    "batches.batch": (),
    "batches.order": (),
    "encoders": ("batches.batch", "prepare", "tasks"),
    "models": ("encoders", "batches.batch", "prepare", "tasks"),
    "teachers": ("models", "batches", "corpus", "prepare", "tasks"),
    "objectives": ("batches.batch", "tasks"),
    "methods": ("objectives", "teachers", "models", "batches.batch", "prepare", "tasks"),
    "training": ("methods.method", "batches.batch"),
    "evaluate": ("models", "batches", "corpus", "prepare", "tasks"),
    "report": ("evaluate.predictions", "evaluate.results", "tasks.calibration", "tasks.shares"),
    "artifact": ("evaluate", "models", "batches", "corpus", "prepare", "tasks"),
    "artifact.session": ("prepare",),
    "artifact.confidence": (),
    "artifact.answers": ("artifact.confidence", "artifact.contract", "prepare"),
    "artifact.cascade": ("artifact.answers", "artifact.confidence", "artifact.predict", "prepare"),
    "artifact.feeds": ("artifact.contract", "prepare"),
    "artifact.predict": (
        "artifact.contract",
        "artifact.confidence",
        "artifact.session",
        "artifact.feeds",
        "artifact.answers",
        "prepare",
    ),
    "artifact.predict_file": (
        "artifact.predict",
        "artifact.cascade",
        "artifact.confidence",
        "artifact.parts",
        "artifact.writers",
        "artifact.asked",
        "artifact.shares",
        "prepare",
    ),
    "artifact.asked": (
        "artifact.predict",
        "artifact.cascade",
        "artifact.confidence",
        "artifact.answers",
        "artifact.parts",
        "artifact.writers",
        "prepare",
    ),
    "artifact.shares": ("artifact.asked", "artifact.parts", "artifact.predict", "prepare"),
    "artifact.parts": ("artifact.writers", "prepare"),
    "artifact.writers": ("prepare",),
    "artifact.contract": ("artifact.confidence", "prepare"),
    "artifact.card": ("artifact.contract", "prepare", "tasks.shares"),
    "serve": (
        "artifact.predict",
        "artifact.answers",
        "artifact.confidence",
        "artifact.session",
        "artifact.contract",
        "prepare",
    ),
    "worlds": ("corpus", "prepare", "tasks"),
    "players": ("training.plan", "methods", "teachers", "models", "encoders", "batches.batch", "corpus", "prepare", "tasks"),
    "study": (
        "report",
        "artifact",
        "evaluate",
        "players",
        "training",
        "methods",
        "objectives",
        "teachers",
        "models",
        "encoders",
        "batches",
        "corpus",
        "prepare",
        "tasks",
    ),
}
BELOW = tuple(name for name in MAY_IMPORT if "." not in name)
MAY_IMPORT |= {
    "recipes": BELOW,
    "commands": (*BELOW, "recipes", "serve"),
    "cli": ("commands", "study.together"),
    "__main__": ("cli",),
}
# Where a task is used there is torch; where it is only described there is none.
WHEN_USED = {"tasks": ("torch",)}
ABSTRACT = {"prepare.view": ("prepare.cells",), "encoders.encoder": (), "objectives.objective": (), "methods.method": ()}


def row(name: str) -> str:
    """The row of the table that a file stands in: the longest that fits."""
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
    return any(name == a or name.startswith(f"{a}.") for a in allowed)


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
            allowed = (own, "process", *MAY_IMPORT[own], *late)
            assert fits(target, allowed) or row(target) == own, f"{name} imports {target}; it may import {', '.join(allowed)}"


def test_the_root_holds_nothing_but_the_command_line():
    assert [path.name for path in sorted(SOURCE.glob("*.py"))] == ["__init__.py", "__main__.py", "cli.py"]


def test_rooms_import_one_another_in_one_direction():
    uses = {name.partition(".")[0]: set[str]() for name in FILES}
    for name, path in FILES.items():
        own = name.partition(".")[0]
        found = (target.removeprefix("understudy.").partition(".")[0] for target, _ in imports(path) if "understudy." in target)
        uses[own] |= set(found) - {own}
    while free := [room for room, others in uses.items() if not others & set(uses)]:
        for room in free:
            del uses[room]
    assert not uses, f"rooms that import one another in a circle: {uses}"


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
