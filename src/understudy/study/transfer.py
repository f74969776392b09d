"""transfer: how the models of a run, trained and chosen on one split, do on the test rows of another."""

from pathlib import Path
from typing import Any

from understudy.batches.every_row import every_row
from understudy.corpus import Split
from understudy.evaluate import compare, cost, score
from understudy.evaluate.predictions import Predictions
from understudy.models.model import Model, views_of
from understudy.process.whole import write_json
from understudy.study.run import SYSTEMS, Run


def transfer(run: Run, split: Split | str) -> dict[str, Any]:
    """Score teacher, plain and distilled students of every seed on another split's test rows; RUN/transfer/SPLIT.json.

    The document is that of results.json; predictions are kept beside it and not made again. Nothing is trained or chosen here.
    ValueError where those test rows hold rows that the run trained or chose on.
    """
    own, other = run.split(), run.unseen(split)
    systems, task = {}, run.model("plain", seed=run.seeds[0]).task
    for name in SYSTEMS:
        models = {seed: run.model(name, seed=seed) for seed in run.seeds}
        first = next(iter(models.values()))
        said = [predicted(run, other, name, seed, model) for seed, model in models.items()]
        systems[name] = compare.System(first.modalities, cost.parameters_of(first)["total"], said)
    sizes = {"train": len(own.train), "labelled": len(own.labelled), "valid": len(own.valid), "test": len(other.test)}
    about = {"name": other.name, "trained on": own.name} | sizes
    found = compare.compare(task, systems, split=about, selection=run.results["selection"])
    write_json(run.folder / "transfer" / f"{other.name}.json", found)
    return found


def predicted(run: Run, split: Split, system: str, seed: int, model: Model) -> Predictions:
    """One model's predictions of a split's test rows, from disk where they are there and of these rows."""
    path, corpus = place(run, split.name, system, seed), run.corpus()
    if not path.is_file() or set(Predictions.load(path).id.tolist()) != set(corpus.ids[split.test].tolist()):
        found = score.predict(model, every_row(corpus, split.test, views_of(model)))
        (found if corpus.groups is None else found.grouped(corpus.ids, corpus.groups)).save(path)
    return Predictions.load(path)


def place(run: Run, split: str, system: str, seed: int) -> Path:
    """Where they are kept."""
    return run.folder / "transfer" / split / system / f"seed-{seed}.npz"
