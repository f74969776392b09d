"""The answer vocabulary of VQA, and what a question says of each answer: a soft target to train on, its official accuracy."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.tasks.vqa import CREDIT, cleaned, normalised

LEAST = 9
"""Questions that an answer of the published vocabulary of 3,129 is the main answer of, at least."""
Entry = tuple[int, float, float]
"""A class, its soft target, and its official accuracy as an answer to this question."""


def build_vocabulary(main_answers: Mapping[int, str], *, least: int = LEAST) -> tuple[str, ...]:
    """Main answers (`multiple_choice_answer`), normalised and without commas, of `least` different questions or more.

    main_answers: by question id. In order of falling count, equal ones by alphabet: published vocabularies have no order in
    common, so the mapping ships with the model. ValueError where nothing is left.
    """
    counts = Counter(normalised(answer).replace(",", "") for answer in main_answers.values())
    kept = sorted((answer for answer, count in counts.items() if count >= least), key=lambda answer: (-counts[answer], answer))
    if not kept:
        raise ValueError(f"no answer is the main answer of {least} of the {len(main_answers)} questions; ask for fewer")
    return tuple(kept)


class AnswerTargets:
    """What the references of a question say of each answer of a vocabulary."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.place = {answer: number for number, answer in enumerate(vocabulary)}
        self.exact: dict[str, list[int]] = defaultdict(list)
        self.loose: dict[str, list[int]] = defaultdict(list)
        for number, answer in enumerate(vocabulary):
            self.exact[cleaned(answer)].append(number)
            self.loose[normalised(cleaned(answer))].append(number)
        self.known: dict[str, tuple[str, str]] = {}
        """A raw reference -> it cleaned, it normalised: the same strings come back in every question."""

    def _forms(self, raw: str) -> tuple[str, str]:
        if raw not in self.known:
            clean = cleaned(raw)
            self.known[raw] = clean, normalised(clean)
        return self.known[raw]

    def entries(self, references: Sequence[str]) -> list[Entry]:
        """Of ten raw references. The soft target counts equal raw strings, as is usual; the credit is the official accuracy.

        Empty where no answer of the vocabulary is any use: the question stays, with an all-zero target.
        """
        forms = [self._forms(raw) for raw in references]
        identical = len({clean for clean, _ in forms}) == 1
        counts = Counter(clean if identical else plain for clean, plain in forms)
        places = self.exact if identical else self.loose
        credit = {number: CREDIT[count] for form, count in counts.items() for number in places.get(form, ())}
        soft = {self.place[raw]: CREDIT[count] for raw, count in Counter(references).items() if raw in self.place}
        return [(number, float(soft.get(number, 0)), float(credit.get(number, 0))) for number in sorted({*soft, *credit})]


def answer_targets(references: Sequence[Sequence[str] | None], vocabulary: Sequence[str]) -> NDArray[np.float32]:
    """`[N E 3]` (class, soft target, credit), class -1 where a row names fewer; NaN for a question without answers (None)."""
    targets = AnswerTargets(vocabulary)
    rows = [None if each is None else targets.entries(each) for each in references]
    found = np.zeros((len(rows), max((len(row or ()) for row in rows), default=0) or 1, 3), np.float32)
    found[:, :, 0] = -1
    for row, entries in enumerate(rows):
        if entries is None:
            found[row] = np.nan
        elif entries:
            found[row, : len(entries)] = entries
    return found
