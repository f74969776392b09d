"""Text: strings as token ids, through a published tokenizer or a BPE of our own that is trained on the train split."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.openings import Part, Side, encode, unpanicked
from understudy.prepare.ragged import pad
from understudy.prepare.view import FieldArrays, View

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ASSET = "tokenizer.json"
FIELDS = ("ids", "mask", "spans")


@dataclass(frozen=True)
class Text(View):
    """Fields `ids` [N T], `mask` [N T] and `spans` [N T 2]: character offsets, end exclusive, (0, 0) for special tokens.

    Made by `Text.bpe` or `Text.pretrained`. max_tokens: longest row, special tokens included; the rest is cut off.
    vocabulary: size of the BPE that `fit` trains, 0 for a tokenizer that is given. padding: id behind the end of a row.
    tokenizer: JSON of the `tokenizers` library. cut: the end of a text that is too long, "right", or its beginning.
    """

    max_tokens: int
    vocabulary: int = 0
    padding: int = 0
    tokenizer: str = field(default="", repr=False)
    cut: Side = "right"

    kind: ClassVar[Kind] = "text"

    def __post_init__(self) -> None:
        if not isinstance(self.padding, int):
            raise ValueError(f"padding={self.padding!r}: expected the id of a token")
        if self.max_tokens < 2:
            raise ValueError(f"max_tokens={self.max_tokens}: expected at least 2, since special tokens count too")

    @classmethod
    def bpe(cls, *, vocabulary: int = 4000, max_tokens: int = 128) -> "Text":
        """A byte-level BPE of at most `vocabulary` tokens, trained by `fit`. Bytes need no unknown token, in any language."""
        if vocabulary < 258:
            raise ValueError(f"vocabulary={vocabulary}: expected at least 258, for 256 bytes and 2 special tokens")
        return cls(max_tokens, vocabulary)

    @classmethod
    def pretrained(cls, name: str | Path, *, max_tokens: int = 128) -> "Text":
        """The fast tokenizer of a transformers folder or hub id; needs transformers here, but nowhere later.

        max_tokens: at most; a tokenizer that says that its model reads less has its way. It says, too, which side is cut off.
        """
        from transformers import AutoTokenizer, PreTrainedTokenizerFast

        try:
            loaded = AutoTokenizer.from_pretrained(str(name), trust_remote_code=False)
        except OSError as error:
            raise FileNotFoundError(f"no tokenizer {name}: {error}") from None
        if not isinstance(loaded, PreTrainedTokenizerFast):
            raise ValueError(f"{name}: its tokenizer is a {type(loaded).__name__}; expected a fast one, that is a tokenizer.json")
        padding, cut = loaded.pad_token_id, loaded.truncation_side
        return cls(
            min(max_tokens, int(loaded.model_max_length)),
            padding=padding if isinstance(padding, int) else 0,
            tokenizer=loaded.backend_tokenizer.to_str(),
            cut="left" if cut == "left" else "right",
        )

    def limited(self, max_tokens: int) -> "Text":
        """With rows of at most `max_tokens`."""
        return replace(self, max_tokens=max_tokens)

    @property
    def tokens(self) -> int:
        """How many ids there are."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def fit(self, cells: Cells) -> "Text":
        if not self.vocabulary:
            return self
        if not cells.present.any():
            raise ValueError("no train row has this text, so there is nothing to train a vocabulary on")
        texts = (cells.values[row] for row in np.flatnonzero(cells.present))
        return replace(self, tokenizer=train_bpe(texts, self.vocabulary).to_str())

    def prepare(self, cells: Cells) -> FieldArrays:
        return self.prepare_for(cells, FIELDS)

    def prepare_for(self, cells: Cells, fields: Collection[str]) -> FieldArrays:
        parts = self._encode(cells, places="spans" in fields)
        ids = [None if part is None else np.array(part.encoding.ids, dtype=np.int64) for part in parts]
        padded, mask = pad(ids, dtype=np.int64, filler=self.padding)
        found: FieldArrays = {"ids": padded, "mask": mask}
        if "spans" in fields:
            spans = [None if part is None else places_in_text(part) for part in parts]
            found["spans"] = pad(spans, step=(2,), dtype=np.int64)[0]
        return found

    def truncated(self, cells: Cells) -> int:
        return sum(bool(part.encoding.overflowing) for part in self._encode(cells, places=False) if part is not None)

    def _encode(self, cells: Cells, *, places: bool) -> list[Part | None]:
        here = np.flatnonzero(cells.present)
        parts: list[Part | None] = [None] * len(cells)
        texts = [cells.values[row] for row in here]
        for row, part in zip(here, encode(self._tokenizer, texts, self.max_tokens, cut=self.cut, places=places), strict=True):
            parts[row] = part
        return parts

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return tokenizer_of(self.tokenizer, most=self.max_tokens, cut=self.cut)

    def state(self) -> dict[str, Any]:
        # Only where it is not as earlier versions cut every text.
        side = {} if self.cut == "right" else {"cut": self.cut}
        return {"max_tokens": self.max_tokens, "vocabulary": self.vocabulary, "padding": self.padding} | side

    def assets(self) -> dict[str, bytes]:
        return {ASSET: self.tokenizer.encode()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Text":
        return cls(**state, tokenizer=assets[ASSET].decode())


def tokenizer_of(saved: str, *, most: int, cut: Side = "right") -> "Tokenizer":
    """The tokenizer that a view saved as JSON, which gives `most` tokens of a text; ValueError where it is none, or not yet."""
    from tokenizers import Tokenizer

    if not saved:
        raise ValueError("this text view has no vocabulary yet: fit it on train rows first")
    try:
        with unpanicked():
            loaded = Tokenizer.from_str(saved)
    except Exception as error:  # the library raises no other
        raise ValueError(f"{ASSET} is no tokenizer that this version of `tokenizers` reads: {error}") from None
    # A published file may carry padding and truncation of its own.
    loaded.no_padding()
    loaded.enable_truncation(most, direction=cut)
    return loaded


def places_in_text(part: Part) -> NDArray[np.int64]:
    """[T 2]: where each token stands in the whole text; (0, 0) of special ones."""
    special = np.array(part.encoding.special_tokens_mask, dtype=bool)
    offsets = np.array(part.encoding.offsets, dtype=np.int64).reshape(-1, 2)
    return np.where(special[:, None], offsets, offsets + part.before)


def train_bpe(texts: Iterable[str], vocabulary: int) -> "Tokenizer":
    """A byte-level BPE over lower-cased NFKC text with ids 0 `<pad>` and 1 `<start>`, which begins every row.

    Case is folded because a small train split cannot teach that GOOD and good are one word. The order of texts does not matter.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])  # pyright: ignore
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # pyright: ignore
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=["<pad>", "<start>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    start = processors.TemplateProcessing(single="<start> $A", special_tokens=[("<start>", 1)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), start])  # pyright: ignore
    return tokenizer
