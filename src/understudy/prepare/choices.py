"""Choices: the K texts of a row as token ids, each of them through one text view."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.text import FIELDS, Text
from understudy.prepare.view import FieldArrays, View


@dataclass(frozen=True)
class Choices(View):
    """Fields `ids` [N T K], `mask` [N T K] and `spans` [N T K 2], as in `Text`; offsets are into that choice's own text.

    Made by `Choices.bpe` or `Choices.pretrained`. text: reads each choice. choices: K, which `fit` finds where it is 0.
    """

    text: Text
    choices: int = 0

    kind: ClassVar[Kind] = "choices"

    @classmethod
    def bpe(cls, *, vocabulary: int = 4000, max_tokens: int = 128) -> "Choices":
        """As `Text.bpe`: trained on every choice of the train rows."""
        return cls(Text.bpe(vocabulary=vocabulary, max_tokens=max_tokens))

    @classmethod
    def pretrained(cls, name: str | Path, *, max_tokens: int = 128) -> "Choices":
        """As `Text.pretrained`."""
        return cls(Text.pretrained(name, max_tokens=max_tokens))

    def limited(self, max_tokens: int) -> "Choices":
        """With choices of at most `max_tokens`."""
        return replace(self, text=self.text.limited(max_tokens))

    @property
    def tokens(self) -> int:
        """How many ids there are."""
        return self.text.tokens

    @property
    def max_tokens(self) -> int:
        """The longest choice, special tokens included; the rest is cut off."""
        return self.text.max_tokens

    @property
    def padding(self) -> int:
        """The id behind the end of a choice."""
        return self.text.padding

    def fit(self, cells: Cells) -> "Choices":
        here = np.flatnonzero(cells.present)
        if not len(here):
            raise ValueError("no train row has these choices, so it is not known how many a row has")
        found = replace(self, choices=len(cells.values[here[0]]))
        return replace(found, text=self.text.fit(found._flat(cells)))

    def prepare(self, cells: Cells) -> FieldArrays:
        return self.prepare_for(cells, FIELDS)

    def prepare_for(self, cells: Cells, fields: Collection[str]) -> FieldArrays:
        flat = self.text.prepare_for(self._flat(cells), fields)
        folded = {name: values.reshape(len(cells), self.choices, *values.shape[1:]) for name, values in flat.items()}
        # Steps stay on axis 1, where ragged fields are trimmed and padded.
        return {name: np.ascontiguousarray(values.swapaxes(1, 2)) for name, values in folded.items()}

    def truncated(self, cells: Cells) -> int:
        return sum(self.text.truncated(self._flat(cells.take([row]))) > 0 for row in np.flatnonzero(cells.present).tolist())

    def _flat(self, cells: Cells) -> Cells:
        """Every choice as a text of its own: all of row 0 first."""
        if not self.choices:
            raise ValueError("this view does not know yet how many choices a row has: fit it on train rows first")
        texts: list[str | None] = []
        for value, here in zip(cells.values, cells.present, strict=True):
            texts += value if here else [None] * self.choices
        return Cells("text", texts, np.repeat(cells.present, self.choices))

    def state(self) -> dict[str, Any]:
        return {"text": self.text.state(), "choices": self.choices}

    def assets(self) -> dict[str, bytes]:
        return self.text.assets()

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Choices":
        return cls(Text.restore(state["text"], assets), state["choices"])
