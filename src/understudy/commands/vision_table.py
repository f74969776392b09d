"""The command of the vision-language protocol: one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from understudy.commands.answer import Answer, pairs, step, values

FIRST_DRAWS = "/*/draw-0/*"
"""The runs of each size's first draw: behind the quoted folder, since the shell is to find them."""


def vision_language(
    corpus: str,
    /,
    *,
    student: tuple[str, ...],
    teacher: tuple[str, ...],
    split: str,
    shifted: tuple[str, ...] = (),
    sizes: tuple[float, ...] = (0.01, 0.1, 1.0),
    draws: int = 3,
    seeds: int = 3,
    systems: tuple[str, ...] = (),
    weights: tuple[float, ...] = (0.3, 1.0, 3.0),
    options: tuple[str, ...] = (),
    fusion: str = "single_stream",
    steps: int = 300,
    only: tuple[float, ...] = (),
    out: Path = Path("runs/vision-language"),
) -> Answer:
    """The whole table: plain, naive, mad, ablations and controls, on few labels and all, on rows alike and where habits mislead.

    Args:
        corpus: folder of the corpus, or its URL (s3://, gs://, hf://, https://).
        student: MODALITY=ENCODER of what the student reads, e.g. `text=small regions=regions`.
        teacher: MODALITY=ENCODER of the unimodal teachers, e.g. `text=FOLDER image=FOLDER` of a CLIP.
        split: train and test rows; its validation rows, if any, choose the epoch.
        shifted: splits whose test rows are scored, too, and choose nothing.
        sizes: of the subsets of train rows, shares up to 1, or numbers of rows above.
        draws: of each subset.
        seeds: of each system on each draw.
        systems: some of them, naive first; all that take both teachers when empty.
        weights: of the distillation; each tuned system takes one, by a quarter of its own train rows.
        options: NAME=VALUE of mad, in every system.
        fusion: of the student.
        steps: of every student, on every size.
        only: sizes that are played now, so that several processes share the work; the table follows when all are done.
        out: folder of the runs and of table.json; the same command goes on.
    """
    from understudy.recipes.protocol_table import protocol_text
    from understudy.recipes.vision_language import vision_language as play

    document = play(
        corpus,
        student=pairs("--student", student),
        teacher=pairs("--teacher", teacher),
        split=split,
        tests={name: name for name in shifted},
        sizes=share_or_rows(sizes),
        only=share_or_rows(only) or None,
        draws=draws,
        seeds=seeds,
        systems=named(systems) or None,
        weights=weights,
        options=values("--options", options),
        fusion=fusion,
        steps=steps,
        out=out,
    )
    said = protocol_text(document) if document else f"played; {out / 'table.json'} follows when every size is"
    return Answer(document, said, step("compare", out) + FIRST_DRAWS if document else "")


def share_or_rows(sizes: Sequence[float]) -> list[int | float]:
    """Shares up to 1 as they are, numbers of rows as whole ones; ValueError for a broken number of rows."""
    broken = next((size for size in sizes if size > 1 and size != int(size)), None)
    if broken is not None:
        raise ValueError(f"size {broken:g}: expected a share up to 1, or a whole number of rows")
    return [size if size <= 1 else int(size) for size in sizes]


def named(systems: Sequence[str]) -> dict[str, Any]:
    """The systems of these names; KeyError for an unknown one."""
    from understudy.recipes.vision_systems import SYSTEMS, TEACHERS

    known = SYSTEMS | TEACHERS
    unknown = [name for name in systems if name not in known]
    if unknown:
        raise KeyError(f"no system {unknown[0]!r}; choose from {', '.join(known)}")
    return {name: known[name] for name in systems}
