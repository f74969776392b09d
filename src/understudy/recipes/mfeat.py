"""mfeat: handwritten digits with few labels; six views teach, one ships. Bundled data (UCI Multiple Features, CC BY 4.0)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from understudy.corpus import corpus_at
from understudy.corpus.importers.mfeat import WIDTHS, import_mfeat
from understudy.study.distill import distill
from understudy.study.run import Run
from understudy.study.settings import Choice, Machine
from understudy.training.plan import Plan

PLAN = Plan(epochs=55, batch_size=128, rate=3e-3, warmup=0.0, weight_decay=0.3)
TEACHER_PLAN = Plan(epochs=10, batch_size=128, rate=1e-3, warmup=0.0, weight_decay=0.01)
SIZES = {"width": 256, "dropout": 0.4}
OPTIONS = {"weight": 0.9, "temperature": 2.0, "mixup": 0.4}
"""All four were chosen on held-out train rows (`python -m benchmarks.mfeat_plan`); the 800 test rows were not looked at."""
ENCODERS = dict.fromkeys(WIDTHS, "mlp")


def mfeat(
    *,
    student: str = "fou",
    labelled: int = 50,
    draw: int = 0,
    ensemble: Choice = "yes",
    seeds: int | Sequence[int] = 5,
    corpus: Path | str = "demo/corpus",
    teachers_of: Path | str = "",
    out: Path | str = "demo/run",
    report: bool = True,
    **machine: Unpack[Machine],
) -> Run:
    """Distil six views into `student` with `labelled` of 1,200 train rows labelled; the plan is fixed, so nothing is selected.

    student: one of pix, fou, kar, zer, mor, fac. draw: 0 to 9, which train rows are labelled. corpus: where the bundled set is,
    or is written to. ensemble: "yes" lets every student learn from the mean of all seeds' teachers. teachers_of: a finished run
    of the same draw whose teachers are taken. report: see `distill`. machine: how it is carried out, such as `jobs`.
    """
    found = corpus_at(corpus, import_mfeat)
    return distill(
        found,
        student=[student],
        split=f"draw-{draw}-{labelled}",
        options=OPTIONS,
        encoders=ENCODERS,
        valid=0.0,
        sizes=SIZES,
        plan=PLAN,
        teacher_plan=TEACHER_PLAN,
        ensemble=ensemble,
        teachers_of=teachers_of,
        seeds=seeds,
        out=out,
        report=report,
        **machine,
    )
