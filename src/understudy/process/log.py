"""Log: what a training leaves line by line, an epoch each, and the folders of a system's seeds. Torch-free."""

from pathlib import Path
from typing import Any

from understudy.process.document import Shape, parsed, refuse_misfit
from understudy.process.whole import refuse_endless

LOG = "log.jsonl"
LINE: Shape = {"epoch": int}


def seeds_of(system: Path) -> list[Path]:
    """The folders of a system's seeds, in order."""
    return sorted(system.glob("seed-*"), key=lambda folder: int(folder.name.removeprefix("seed-")))


def read_log(training: Path) -> list[dict[str, Any]]:
    """One line an epoch, in order, of a training's folder; of an epoch that a resumed run wrote twice, the later one.

    Empty where there is none. ValueError that names a damaged file.
    """
    path = training / LOG
    refuse_endless(path)
    if not path.exists():
        return []
    try:
        lines = [parsed(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        refuse_misfit(lines, [LINE], "a line")
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    return [line for _, line in sorted({line["epoch"]: line for line in lines}.items())]
