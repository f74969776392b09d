"""Retrieval: a teacher that sees every modality teaches branches that search between two, each embedded without the other.

wikipedia: pictures and texts as published features (Rasiwasia et al., ACM MM 2010). stamps: pictures, spoken names and captions
of the Debian package tuxpaint-stamps-default. Neither is ours to ship: each recipe takes the folder. VEGAS and AVE, in HDF5, are
imported (`import_av_hdf5`) and distilled as any other corpus.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from understudy.batches.loader import Loader
from understudy.corpus import Corpus, corpus_at
from understudy.corpus.importers.stamps import import_stamps
from understudy.corpus.importers.wikipedia import import_wikipedia
from understudy.methods import Supervised
from understudy.models.model import views_of
from understudy.players.blueprint import draw, for_retrieval
from understudy.players.player import Player
from understudy.study.distill import distill
from understudy.study.run import Run
from understudy.study.stage import validator
from understudy.tasks import Space
from understudy.training.fit import fit
from understudy.training.plan import Plan

FEATURES = Plan(epochs=30, batch_size=64, rate=5e-4, weight_decay=0.05, patience=8)
"""For vectors. It, the sizes and the options were chosen on Wikipedia's validation rows, which are train rows; see `by_space`."""
SIZES = {"width": 256, "dropout": 0.5}
ENCODERS = {"image": "mlp", "text": "mlp"}
OPTIONS = {"weight": 0.5, "temperature": 1.0}
MEDIA = Plan(epochs=20, batch_size=32, rate=2e-3, weight_decay=0.05, patience=8)
"""For pictures and sound; of two sizes the one that was better on the stamps' validation rows."""
MEDIA_SIZES = {"width": 128, "dropout": 0.5}


def wikipedia(
    folder: Path | str,
    *,
    space: Space = "probabilities",
    seeds: int | Sequence[int] = 5,
    corpus: Path | str = "runs/retrieval/wikipedia-corpus",
    out: Path | str = "runs/retrieval/wikipedia",
    **changes: Any,
) -> Run:
    """Image -> text and text -> image on the published test rows. changes: of the other arguments of `distill`."""
    found = corpus_at(corpus, partial(import_wikipedia, folder))
    chosen: dict[str, Any] = {"plan": FEATURES, "sizes": SIZES, "options": OPTIONS, "split": "given"}
    chosen["encoders"] = ENCODERS
    return distill(found, student=["image", "text"], space=space, seeds=seeds, out=out, **chosen | changes)


def stamps(
    folder: Path | str,
    *,
    student: Sequence[str] = ("picture", "speech"),
    split: str = "random",
    space: Space = "probabilities",
    seeds: int | Sequence[int] = 5,
    corpus: Path | str = "runs/retrieval/stamps-corpus",
    out: Path | str = "runs/retrieval/stamps",
    **changes: Any,
) -> Run:
    """A picture finds spoken names and back; the teacher reads the caption too. student: two or all of the three modalities."""
    found = corpus_at(corpus, partial(import_stamps, folder))
    chosen: dict[str, Any] = {"plan": MEDIA, "sizes": MEDIA_SIZES, "options": OPTIONS, "split": split}
    return distill(found, student=student, space=space, seeds=seeds, out=out, **chosen | changes)


def by_space(
    corpus: Corpus, *, student: Sequence[str], split: str, plan: Plan, sizes: Mapping[str, Any], seed: int = 0
) -> dict[Space, float]:
    """The best *validation* mAP of a plain student in each space: what a space is chosen by. Test rows are not read."""
    rows, found = corpus.split(split), {}
    if not len(rows.valid):
        raise ValueError(f"split {split!r} has no validation rows, which a space is chosen by")
    drawn = draw(corpus, rows, Player(student, sizes=sizes), name="student")
    for space in get_args(Space):
        model = for_retrieval(drawn, student, space=space, fused=False).build(seed)
        validate = validator(corpus, rows.valid, {"": model})
        options = {"task": corpus.task, "batch_size": plan.batch_size, "labelled": rows.labelled, "labelled_only": True}
        train = Loader(corpus, rows.train, views_of(model), seed=seed, **options)
        best = fit(Supervised(model), train, plan=plan, seed=seed, validate=validate, quiet=True).best
        found[space] = float(best or 0.0)
    return found
