"""Visual entailment (SNLI-VE): accuracy over all rows and of each class, by the names of the classes. Torch-free."""

from collections.abc import Sequence

import numpy as np

from understudy.corpus.importers.snli_ve import LABELS


def entailment_scores(predictions: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """Share of right rows, `accuracy`, and the same of each class that there are rows of, under the class's name.

    ValueError for a name that is no class, or for lengths that differ.
    """
    if len(predictions) != len(labels) or not len(labels):
        raise ValueError(f"{len(predictions)} predictions for {len(labels)} rows; expected as many of both, one or more")
    number = {name: index for index, name in enumerate(LABELS)}
    try:
        said, true = (np.fromiter(map(number.__getitem__, names), np.int8, len(labels)) for names in (predictions, labels))
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} is no class; there are {', '.join(LABELS)}") from None
    right, counts = said == true, np.bincount(true, minlength=len(LABELS))
    hits = np.bincount(true[right], minlength=len(LABELS))
    each = {name: float(hits[index] / counts[index]) for name, index in number.items() if counts[index]}
    return {"accuracy": float(right.mean())} | each
