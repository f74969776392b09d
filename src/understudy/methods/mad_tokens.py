"""The token terms of MAD: which tokens of which text and picture, scored against what; or a clear reason why there are none."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.models.experts import POOLED
from understudy.models.model import Model
from understudy.objectives.token_selection import NUMBERS, Medium, TokenSelection, tokens_of
from understudy.prepare.cells import PICTURES, TEXTS
from understudy.teachers.store import SPANS
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Teacher

Selection = Literal["topk", "sampled", "random", "all", "none"]
Score = Literal["cross", "pooled"]
SCORED = ("topk", "sampled")
"""Selections that need a score."""


def scored(student: Mapping[str, str], teacher: Sequence[str], selection: Selection, score: Score) -> tuple[str, list[str]]:
    """The one text that the student reads, and the modalities of the teacher that its tokens are scored against.

    student: the kind of each modality. No text where `selection` wants none, or the teacher does not read it. ValueError for a
    student without a text or with two, and for a teacher that has nothing else to score a text against.
    """
    if selection == "none":
        return "", []
    texts = [m for m, kind in student.items() if kind in TEXTS]
    if len(texts) != 1:
        raise ValueError(f"selection {selection!r} given, but the student reads {len(texts)} texts, not one; use 'none'")
    text = texts[0]
    if text not in teacher:
        return "", []
    against = [text] if score == "pooled" else [m for m in teacher if m != text]
    if selection in SCORED and not against:
        raise ValueError(f"score 'cross' given, but the teacher reads {text} alone; use score 'pooled'")
    return text, against


def check_texts(
    student: Mapping[str, str],
    teacher: Mapping[str, str],
    published: Mapping[str, str],
    *,
    selection: Selection,
    score: Score,
    adaptive: bool,
    **others: Any,
) -> None:
    """ValueError as `scored` and `check_space` have it; an adaptive teacher makes a common space by itself.

    ValueError, too, for several texts of a teacher, and for an adaptive one without a text or without another modality.
    """
    texts = [m for m, kind in teacher.items() if kind in TEXTS]
    if len(texts) > 1 and (selection != "none" or adaptive):
        raise ValueError(f"the teacher reads {len(texts)} texts, {' and '.join(texts)}; name one, or use selection 'none'")
    if adaptive and (not texts or len(teacher) == 1):
        raise ValueError(f"adaptive=True brings a text and another modality together; the teacher reads {' and '.join(teacher)}")
    text, against = scored(student, list(teacher), selection, score)
    if text and score == "cross" and selection in SCORED and not adaptive:
        check_space(text, against, published)


def check_space(text: str, against: Sequence[str], published: Mapping[str, str]) -> None:
    """ValueError where one published model reads the text and another, or none, what its tokens are scored against.

    Equal widths are no common space: only a model that was trained on both has one. published: by modality; others are ours.
    """
    other = next((m for m in against if published.get(m) != published.get(text)), None)
    if other is not None:
        said = " and ".join(f"{m} is read by {published.get(m, 'an encoder of ours')}" for m in (text, other))
        raise ValueError(f"score 'cross' given, but {said}: no space is common to both; use score 'pooled', or one CLIP for both")


def token_terms(
    student: Model, teacher: Teacher, selection: Selection, score: Score, **settings: Any
) -> dict[str, TokenSelection]:
    """The term between the tokens of the one text that both read; none, with a warning, where the teacher reads no text.

    settings: of `TokenSelection`. ValueError as `scored` has it, for vectors in another space than the text's to score it
    against, and for stored answers without tokens.
    """
    kinds, widths = {m: view.kind for m, view in student.views.items()}, teacher.experts
    text, against = scored(kinds, list(widths), selection, score)
    if selection == "none":
        return {}
    if not text:
        warnings.warn(f"selection {selection!r} has no effect: the teacher does not read the text whose tokens it would teach")
        return {}
    check_stored(teacher, "text", f"selection {selection!r}")
    foreign = [m for m in against if widths[m] != widths[text]]
    if selection in SCORED and foreign:
        raise ValueError(
            f"score 'cross' given, but vectors of {', '.join(foreign)} are not in the space of {text} "
            f"({widths[foreign[0]]} and {widths[text]} numbers); use score 'pooled', or encoders of one CLIP model"
        )
    both, features = (student.fusion.token_width(text), widths[text]), [modality + POOLED for modality in against]
    return {f"{text}_tokens": TokenSelection(*both, against=features, choosing=selection, **settings)}


def region_terms(
    student: Model, teacher: Teacher, regions: Selection, score: Score, **settings: Any
) -> dict[str, TokenSelection]:
    """The term between the tokens of the one picture that both read, as they lie in it; none where `regions` wants none.

    score: a region's cosine with the teacher's vectors of other modalities, or with the picture's. settings: of `TokenSelection`.
    ValueError for a student without such a picture or with two, and as `token_terms`.
    """
    if regions == "none":
        return {}
    widths = teacher.experts
    pictures = [m for m, view in student.views.items() if view.kind in PICTURES and m in widths]
    if len(pictures) != 1:
        raise ValueError(f"regions {regions!r} given, but student and teacher read {len(pictures)} pictures together, not one")
    picture = pictures[0]
    if not student.located(picture):
        raise ValueError(
            f"regions {regions!r} given, but the student's encoder of {picture} has none; take 'patches' or 'regions'"
        )
    check_stored(teacher, "picture", f"regions {regions!r}")
    against = [picture] if score == "pooled" else [m for m in widths if m != picture]
    foreign = [m for m in against if widths[m] != widths[picture]]
    if regions in SCORED and (not against or foreign):
        raise ValueError(f"score 'cross' given, but nothing else of the teacher is in the space of {picture}; use score 'pooled'")
    both, features = (student.fusion.token_width(picture), widths[picture]), [modality + POOLED for modality in against]
    return {f"{picture}_tokens": TokenSelection(*both, against=features, of="picture", choosing=regions, **settings)}


def check_stored(teacher: Teacher, medium: Medium, asked: str) -> None:
    """ValueError for stored answers without tokens of this medium."""
    if not isinstance(teacher, Stored):
        return
    store = teacher.store
    if medium not in {NUMBERS[numbers] for name, numbers in store.ragged.items() if name.endswith(SPANS)}:
        raise ValueError(f"{asked} given, but {store.folder} holds no tokens of a {medium}; write it with tokens=True")


def draws(batch: Batch, student: Output, *, seed: int, step: int, of: Medium = "text") -> Float[Tensor, "B T"]:
    """Even draws from (0, 1) for each token of the student's text or picture, by seed, step, row and place alone."""
    tokens = tokens_of(student, of)
    return batch.draws(0 if tokens is None else tokens.mask.shape[1], key=f"{seed}/{step}")
