"""Coverage: what each player sees of a split, asked before anything is trained that could not be chosen or scored."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.corpus import Corpus, Split
from understudy.models.model import check_names
from understudy.tasks import Retrieval

Reads = Mapping[str, Sequence[str]]
"""Player -> the modalities that it reads."""
LEAST = 2
"""Test rows that a comparison needs."""


def check_modalities(corpus: Corpus, split: Split, reads: Reads, *, teaches: bool) -> None:
    """KeyError for a modality that the corpus lacks, ValueError for players that see too little of a part of the split.

    A modality may be there in training alone, as long as its player sees something of the rows that choose and test; that is
    warned of. teaches: whether the method lets the teacher answer, which takes train rows that both see.
    """
    for player, modalities in reads.items():
        if not modalities or len(set(modalities)) != len(modalities):
            raise ValueError(f"the {player} needs at least one modality, each once; choose from {', '.join(corpus.modalities)}")
        check_names(modalities)
        for modality in modalities:
            if modality not in corpus.modalities:
                raise KeyError(f"no modality {modality!r} for the {player}; the corpus has {', '.join(corpus.modalities)}")
            # What a retrieval student reads are its branches, each of which has to be searched in.
            searched = ("test",) if player == "student" and isinstance(corpus.task, Retrieval) else ()
            for part in ("train", *searched):
                if not corpus.present(modality)[getattr(split, part)].any():
                    raise ValueError(f"no {part} row of split {split.name!r} has {modality!r}, which the {player} reads")
    for player, modalities in reads.items():
        for part, rows in (("labelled train", split.labelled), ("validation", with_target(corpus, split.valid))):
            if len(rows) and not seen(corpus, modalities)[rows].any():
                raise ValueError(
                    f"none of {len(rows)} {part} rows of split {split.name!r} has what the {player} reads "
                    f"({', '.join(modalities)}); choose another split, or a modality that they have"
                )
    check_common(corpus, split, reads, teaches=teaches)
    for player, lacking in untested(corpus, split, reads).items():
        chosen = len(split.valid) and not any(corpus.present(modality)[split.valid].any() for modality in lacking)
        warnings.warn(
            f"no test row of split {split.name!r} has {', '.join(lacking)}, which the {player} reads"
            f"{', and no validation row either' if chosen else ''}: it is {'chosen and ' if chosen else ''}scored without it, "
            "and any advantage or share of one that is reported is of that weaker model"
        )


def check_common(corpus: Corpus, split: Split, reads: Reads, *, teaches: bool) -> None:
    """ValueError where too few test rows, or no train row, show something to every player."""
    common = np.all([seen(corpus, modalities) for modalities in reads.values()], axis=0)
    tested = with_target(corpus, split.test)
    wants = " and ".join(f"the {player} ({', '.join(modalities)})" for player, modalities in reads.items())
    if (many := int(common[tested].sum())) < LEAST:
        raise ValueError(
            f"{many} of {len(split.test)} test rows of split {split.name!r} have a target and something for each of {wants}; "
            f"a comparison needs at least {LEAST}: choose a split or modalities that have them"
        )
    if teaches and not common[split.train].any():
        raise ValueError(
            f"no train row of split {split.name!r} has something for each of {wants}, so nothing could be taught; "
            "choose modalities that occur together"
        )


def untested(corpus: Corpus, split: Split, reads: Reads) -> dict[str, list[str]]:
    """Player -> its modalities that no test row has; players without any are left out."""
    found = {player: [m for m in modalities if not corpus.present(m)[split.test].any()] for player, modalities in reads.items()}
    return {player: lacking for player, lacking in found.items() if lacking}


def seen(corpus: Corpus, modalities: Sequence[str]) -> NDArray[np.bool_]:
    """[N], True where a row has any of these."""
    return np.any([corpus.present(modality) for modality in modalities], axis=0)


def with_target(corpus: Corpus, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those of `rows` that can be scored."""
    return rows[corpus.has_target[rows]]
