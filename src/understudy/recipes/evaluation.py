"""What can be asked of a finished run: scores on other splits and subsets, and its teacher's answers."""

from pathlib import Path
from typing import Literal

import numpy as np

from understudy.evaluate.subsets import number, predict_subsets, score_subsets
from understudy.loader import Loader
from understudy.model import views_of
from understudy.recipes.run import Run
from understudy.store import Codec, Store, write_store
from understudy.teachers import Frozen

System = Literal["distilled", "plain", "teacher"]


def evaluate_subsets(run: Run, *, system: System, seed: int | None, split: str) -> dict[str, dict[str, float | None]]:
    """ "a+b" -> metrics of a run's model on the test rows of a split of its corpus; its own split when "".

    ValueError where the split's test rows hold rows that the run trained or chose on.
    """
    corpus, own, model = run.corpus(), run.split(), run.model(system, seed=seed)
    other = corpus.split(split) if split else own
    used = np.intersect1d(other.test, np.concatenate([own.train, own.valid]))
    if len(used):
        raise ValueError(
            f"{len(used)} test rows of split {other.name!r} were train or validation rows of this run; choose another split"
        )
    loader = Loader(corpus, other.test, views_of(model), task=corpus.task, batch_size=256, shuffle=False)
    found = score_subsets(model.task, predict_subsets(model, loader))
    return {"+".join(subset): {name: number(value) for name, value in scores.items()} for subset, scores in found.items()}


def store_answers(run: Run, out: Path, *, seed: int | None, codec: Codec) -> Store:
    """A teacher's answers to every row of its corpus."""
    corpus, teacher = run.corpus(), Frozen(run.model("teacher", seed=seed))
    rows = Loader(corpus, np.arange(len(corpus)), teacher.views, task=corpus.task, batch_size=256, shuffle=False)
    return write_store(out, teacher, rows, corpus=corpus.fingerprint, codec=codec)
