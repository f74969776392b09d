"""Defaults: what is chosen by the rows and kinds of modalities where nobody says: the plan, and how hard networks are held back.

Chosen on train rows of the sets of `python -m benchmarks.worth --inside`.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from understudy.corpus import Split
from understudy.players.blueprint import AUTO, begins_anew
from understudy.players.fusions import FUSIONS
from understudy.players.player import Sizes, typed_plan
from understudy.prepare.cells import Kind
from understudy.training.plan import Plan

FEW = 10_000
"""Train rows below which batches are small, and networks of numbers are held back."""
NUMBERS = ("vector", "table")
TELLING = 100
"""Validation rows from which they choose encoders; of fewer luck would."""
QUICK = 3e-3
"""Their rate: at 1e-3 some of them had found nothing yet when they stopped."""
UPDATES = 1500
"""Of a plan that is fixed in advance."""
MOST, WAITED, SURE = 4500, 400, 500
"""Updates at most where a plateau of the validation score is waited for; updates without a better one, at so many validation
rows: the fewer there are, the luckier is a score, and the later comes a better one."""


def default_sizes(split: Split, kinds: Collection[str]) -> Sizes:
    """kinds: of the modalities that anybody reads."""
    return replace(Sizes(), dropout=0.3) if held_back(split, kinds) else Sizes()


def default_plan(split: Split, *, named: Sequence[str], kinds: Collection[str], changes: Mapping[str, Any]) -> Plan:
    """With validation rows new networks train until their score no longer improves; without, about 1,500 updates.

    Pretrained ones train 5 epochs, and stop early where there are such rows. named: encoders and fusions, of which any that is
    not ours is pretrained. kinds: as in `default_sizes`. changes: what is asked for instead, from which the rest follows: epochs
    from the rows of an update, patience from epochs; epochs or a schedule that are said are a plan that waits for no plateau.
    """
    told = typed_plan(changes)
    batch = told.get("batch_size", 64 if len(split.train) < FEW else 256)
    held = {"weight_decay": 0.1, "rate": QUICK} if held_back(split, kinds) else {}
    pretrained = not all(begins_anew(name) or name in FUSIONS for name in named)
    updates = len(split.train) / (batch * told.get("accumulate", 1))
    if len(split.valid) and not pretrained and not {"epochs", "schedule"} & set(told):
        waited = WAITED * min(3.0, max(1.0, (SURE / len(split.valid)) ** 0.5))
        found = Plan(
            epochs=max(5, math.ceil(MOST / updates)),
            batch_size=batch,
            schedule="plateau",
            patience=max(5, math.ceil(waited / updates)),
        )
        return replace(found, **held | told)
    epochs = told.get("epochs", 5 if pretrained else max(5, min(200, math.ceil(UPDATES / updates))))
    patience = max(5, epochs // 5) if len(split.valid) else None
    return replace(Plan(epochs, batch, patience=patience), **held | told)


def default_encoders(split: Split, kinds: Collection[Kind], *, tokens: bool) -> dict[Kind, str]:
    """kind -> its encoder where that is not the first one: of texts, and of vectors if all is numbers, validation rows choose.

    Where there are too few of them a text is a bag of words, which needs the fewest rows. kinds: as in `default_sizes`. tokens:
    whether somebody asks for those of a text, which a bag has not.
    """
    telling, found = len(split.valid) >= TELLING, dict[Kind, str]()
    if telling and held_back(split, kinds):
        found["vector"] = AUTO
    if not tokens:
        found["text"] = AUTO if telling else "bag"
    return found


def held_back(split: Split, kinds: Collection[str]) -> bool:
    """Whether everything that is read is numbers, of few rows: networks fit those sooner than what they stand for."""
    return len(split.train) < FEW and all(kind in NUMBERS for kind in kinds)
