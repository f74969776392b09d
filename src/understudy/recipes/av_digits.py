"""av_digits: a digit seen (MNIST) and spoken (Free Spoken Digit Dataset), an unheard speaker; the student hears only.

The data is read from a folder: https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0) as
`fsdd/recordings.tar`, 5,000 images of MNIST (CC BY-SA 3.0) as `mnist5k/mnist_5k.csv.gz`. A picture is paired with a recording of
the same digit by a seeded draw.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from understudy.corpus import corpus_at
from understudy.corpus.importers.av_digits import import_av_digits
from understudy.study.distill import distill
from understudy.study.run import Run
from understudy.training.plan import Plan

PLAN = Plan(epochs=8, batch_size=64, rate=2e-3, weight_decay=0.05)
SIZES = {"width": 64, "dropout": 0.2}


def av_digits(
    folder: Path | str,
    *,
    speaker: str = "theo",
    seeds: int | Sequence[int] = 2,
    epochs: int = PLAN.epochs,
    corpus: Path | str = "runs/av_digits/corpus",
    out: Path | str = "runs/av_digits/theo",
) -> Run:
    """Image and audio teach audio; `speaker` is never heard in training, and the best epoch is chosen on another unheard one."""
    data = Path(folder)
    found = corpus_at(corpus, partial(import_av_digits, data / "fsdd", data / "mnist5k"))
    return distill(
        found,
        student=["audio"],
        teacher=["image", "audio"],
        split=f"leave-{speaker}",
        plan=replace(PLAN, epochs=epochs),
        sizes=SIZES,
        seeds=seeds,
        out=out,
    )
