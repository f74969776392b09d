"""What can be asked of a finished run: scores on rows, splits and subsets, and a teacher's answers."""

from functools import partial
from pathlib import Path

import numpy as np

from understudy.batches.every_row import every_row
from understudy.corpus import Split
from understudy.evaluate.results import SystemName
from understudy.evaluate.subsets import number, predict_subsets, score_subsets
from understudy.models.model import views_of
from understudy.process.crew import ALONE, Crew
from understudy.process.share import ALL, Share
from understudy.study.divided import divide_store
from understudy.study.run import Run, load
from understudy.teachers.header import Codec
from understudy.teachers.store import Store
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import header_of, write_store


def evaluate_subsets(
    run: Run | Path | str, *, system: SystemName = "distilled", seed: int | None = None, split: Split | str = ""
) -> dict[str, dict[str, float | None]]:
    """ "a+b" -> metrics of a run's model on the test rows of a split of its corpus; its own split when "". run: or its folder.

    seed: None takes the training that ships. split: a name or a Split.
    ValueError where the split's test rows hold rows that the run trained or chose on.
    """
    run = run if isinstance(run, Run) else load(run)
    other, corpus, model = run.unseen(split), run.corpus(), run.model(system, seed=seed)
    found = score_subsets(model.task, predict_subsets(model, every_row(corpus, other.test, views_of(model))))
    return {"+".join(subset): {name: number(value) for name, value in scores.items()} for subset, scores in found.items()}


def store_answers(
    run: Run | Path | str,
    out: Path | str,
    *,
    seed: int | None = None,
    codec: Codec = "float32",
    share: Share = ALL,
    crew: Crew = ALONE,
    quiet: bool = False,
) -> Store:
    """The answers of a run's teacher to every row of its corpus; the same call goes on.

    run: or its folder. seed: None takes the training that ships.
    share: one machine's rows of several, as `write_store` keeps them. crew: the workers that ask, each for a part of the share,
    whose stores are then taken over.
    """
    run = run if isinstance(run, Run) else load(run)
    corpus, teacher = run.corpus(), Frozen(run.model("teacher", seed=seed))
    if not crew.single:
        asked = partial(answered, run.folder.resolve(), corpus.place, Path(out).resolve(), seed, codec)
        header = header_of(teacher, corpus.fingerprint, codec)
        divide_store(crew, asked, Path(out), header, share, title="answers of the teacher", total=len(corpus), quiet=quiet)
    rows = every_row(corpus, np.arange(len(corpus)), teacher.views, share=share)
    return write_store(Path(out), teacher, rows, corpus=corpus.fingerprint, codec=codec, share=share, quiet=quiet)


def answered(run: Path, corpus: str, out: Path, seed: int | None, codec: Codec, share: Share) -> None:
    """What a worker does."""
    store_answers(load(run, corpus=corpus), out, seed=seed, codec=codec, share=share, quiet=True)
