"""Words only: a split whose test rows are those that a linear classifier of the words alone gets wrong. A set of ours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.split import Positions, Split
from understudy.tasks import Classification

Array = NDArray[Any]

FEATURES = 2**20
"""Words and word pairs are hashed into so many columns: no dictionary grows with the text."""
ITERATIONS = 1000
"""At most, of the classifiers' optimiser."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What F classifiers that read nothing but words say of test rows.

    rows: those that were judged, `[N]`. right: whether each classifier says the row's class, `[N F]`. held_out: their accuracy
    on the train rows, each of which was judged by the one classifier that did not learn from it, in [0, 1].
    """

    rows: Positions
    right: NDArray[np.bool_]
    held_out: float

    @property
    def hard(self) -> NDArray[np.bool_]:
        """`[N]`, True where more than half of the classifiers are wrong."""
        return np.asarray(2 * self.right.sum(axis=1) < self.right.shape[1])


def words_only_hard(corpus: Corpus, split: Split, *, modality: str = "", folds: int = 5, seed: int = 0, name: str = "") -> Split:
    """`split` with only those test rows that more than half of the classifiers of `judged` get wrong; it is not saved yet.

    Train, labelled and validation rows stay as they are, so nothing can be chosen on the hard rows. The set is ours and not a
    published one. Its labels made it: a classifier of words alone scores below chance on it by construction, and rows with a
    wrong label gather in it. name: `SPLIT-words-only-hard` when empty. ValueError where no row is left.
    """
    return hard_split(split, judged(corpus, split, modality=modality, folds=folds, seed=seed), name=name, seed=seed)


def hard_split(split: Split, found: Judged, *, name: str = "", seed: int = 0) -> Split:
    """`split` with the hard rows of what was judged; ValueError where there is none, or for the name of `split` itself."""
    if name == split.name:
        raise ValueError(f"name {name!r} is that of the split the rows are taken from; give another one")
    if not found.hard.any():
        raise ValueError(f"words alone get all {len(found.rows)} test rows of split {split.name!r} right, so no row is hard")
    return replace(split, name=name or f"{split.name}-words-only-hard", test=found.rows[found.hard], seed=seed, hash="")


def judged(corpus: Corpus, split: Split, *, modality: str = "", folds: int = 5, seed: int = 0) -> Judged:
    """What logistic regressions on the TF-IDF of words and word pairs say of a split's test rows.

    The labelled train rows that have a text are parted into `folds` at random, rows of one group together; each classifier
    learns from all folds but one, never from a validation or test row. Term weights are counted on train rows, too. Judged are
    the labelled test rows that have a text. modality: the text; may be empty where there is one. ValueError for a task that is
    no classification, fewer than two folds, fewer groups than folds, and labels of one class.
    """
    from sklearn.linear_model import LogisticRegression

    if not isinstance(corpus.task, Classification):
        raise ValueError(
            f"the task is a {corpus.task.kind}, and words alone are judged by class; VCR's shifted sets are rule-singular and "
            "rule-plural, VQA's is VQA-CP"
        )
    modality = text_of(corpus, modality)
    here = corpus.present(modality) & corpus.has_target
    train, test = split.labelled[here[split.labelled]], split.test[here[split.test]]
    if not len(test):
        raise ValueError(f"no test row of split {split.name!r} has both {modality!r} and a target")
    fold, target = folds_of(corpus, train, folds=folds, seed=seed), corpus.target[train]
    learnt, asked = term_weights(corpus.cells(modality, train).values, corpus.cells(modality, test).values)
    right, held_out = np.zeros((len(test), folds), bool), np.zeros(len(train), bool)
    for number in range(folds):
        rest = fold != number
        if len(np.unique(target[rest])) < 2:
            raise ValueError(f"the train rows of split {split.name!r} but fold {number} are of one class; there must be two")
        model = LogisticRegression(max_iter=ITERATIONS).fit(learnt[rest], target[rest])
        held_out[~rest] = model.predict(learnt[~rest]) == target[~rest]
        right[:, number] = model.predict(asked) == corpus.target[test]
    return Judged(test, right, float(held_out.mean()))


def text_of(corpus: Corpus, modality: str) -> str:
    """The modality that is read: the one named, or the only text. ValueError for none, several or another kind."""
    texts = [name for name, each in corpus.modalities.items() if each.kind == "text"]
    if modality:
        if modality not in texts:
            raise ValueError(f"modality {modality!r} is no text of the corpus; its texts: {', '.join(texts) or 'none'}")
        return modality
    if len(texts) != 1:
        raise ValueError(f"the corpus has {len(texts)} texts ({', '.join(texts) or 'none'}); name the one whose words are read")
    return texts[0]


def folds_of(corpus: Corpus, rows: Positions, *, folds: int, seed: int) -> NDArray[np.intp]:
    """The fold of each row: groups in random order are dealt out like cards; a row without a group is one of its own."""
    groups = corpus.groups
    known: dict[Any, int] = {}
    for row in rows.tolist():
        known.setdefault(unit(groups, row), len(known))
    if not 2 <= folds <= len(known):
        raise ValueError(f"folds={folds} of train rows in {len(known)} groups: expected 2 or more, and no more than groups")
    dealt = np.random.default_rng([seed, 4]).permutation(len(known)) % folds
    return dealt[[known[unit(groups, row)] for row in rows.tolist()]]


def unit(groups: Array | None, row: int) -> Any:
    """What stays together with a row."""
    return ("row", row) if groups is None or groups[row] is None else groups[row]


def term_weights(learnt: Sequence[str], asked: Sequence[str]) -> tuple[Any, Any]:
    """TF-IDF of words and word pairs, sparse `[N D]`; terms, and how rare they are, are those of `learnt`."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    told: dict[str, Any] = {"norm": None, "alternate_sign": False}
    counts = HashingVectorizer(n_features=FEATURES, ngram_range=(1, 2), token_pattern=r"\w+", **told)
    seen: Any = counts.transform(learnt)
    sought: Any = counts.transform(asked)
    # An optimiser's steps cost as much for empty columns as for others. One stays where no text has a word.
    kept = np.unique(seen.indices) if seen.nnz else np.arange(1)
    weights = TfidfTransformer(sublinear_tf=True)
    return weights.fit_transform(seen[:, kept]), weights.transform(sought[:, kept])
