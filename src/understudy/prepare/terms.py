"""Terms: a text as the words and pairs of neighbours that it holds, each with its weight; their order is left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.openings import encode
from understudy.prepare.text import ASSET, tokenizer_of
from understudy.prepare.view import FieldArrays, View
from understudy.process.document import parsed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ints = NDArray[np.int64]
MOST = 20_000
"""Words, and again pairs: those that most train rows hold."""
UNKNOWN = 1
"""The id of words that are not known, behind that of the padding, 0."""
TERMS = "terms.json"
NONE: Ints = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Terms(View):
    """Fields `ids` [N T], `mask` [N T] and `weights` [N T]: a row's different terms and their TF-IDF, of length 1 in all.

    Words are runs of letters; a sign or a Chinese character is one by itself; case is folded. Weights are (1 + ln n) * idf, n
    being how often the row has the term and idf = 1 + ln((1 + rows) / (1 + rows that hold it)) of train rows, as scikit-learn's
    TfidfVectorizer has it with sublinear_tf. max_tokens: of a row, in words; the rest is cut off. tokenizer: of the words, JSON
    of the `tokenizers` library. pairs: codes first * words + second, ascending. held: the train rows that hold each term, words
    first, then pairs.
    """

    max_tokens: int = 512
    rows: int = 0
    tokenizer: str = field(default="", repr=False)
    pairs: Ints = field(default_factory=lambda: NONE, repr=False)
    held: Ints = field(default_factory=lambda: NONE, repr=False)

    kind: ClassVar[Kind] = "text"

    def limited(self, max_tokens: int) -> "Terms":
        """With rows of at most `max_tokens` words."""
        return replace(self, max_tokens=max_tokens)

    @property
    def terms(self) -> int:
        """How many ids there are, padding and the unknown word included."""
        return len(self.held)

    def fit(self, cells: Cells) -> "Terms":
        texts = [cells.values[row] for row in np.flatnonzero(cells.present)]
        if not texts:
            raise ValueError("no train row has this text, so there is nothing to take words from")
        begun = replace(self, tokenizer=train_words(texts).to_str())
        row, words = begun.words_of(texts)
        once = distinct(*begun.pairs_of(row, words))[1]
        codes, held = np.unique(once, return_counts=True)
        # Of equals the first codes; a pair of a single row tells nothing about another.
        best = np.sort(np.lexsort((codes, -held))[:MOST])
        best = best[held[best] > 1]
        alone = np.bincount(distinct(row, words)[1], minlength=begun.words)
        return replace(begun, rows=len(texts), pairs=codes[best], held=np.concatenate([alone, held[best]]))

    def prepare(self, cells: Cells) -> FieldArrays:
        here = np.flatnonzero(cells.present)
        row, words = self.words_of([cells.values[each] for each in here])
        rows, terms = self.pairs_of(row, words)
        place = np.searchsorted(self.pairs, terms)
        known = np.append(self.pairs, -1)[place] == terms
        at = np.concatenate([row[words > UNKNOWN], rows[known]])
        at, terms, times = distinct(at, np.concatenate([words[words > UNKNOWN], self.words + place[known]]))
        weights = (1 + np.log(times)) * self.idf[terms]
        weights /= np.sqrt(np.bincount(at, weights**2, minlength=len(here)))[at]
        count = np.bincount(at, minlength=len(here))
        step = np.arange(len(at)) - (np.cumsum(count) - count)[at]
        shape = (len(cells), max(1, int(count.max(initial=1))))
        found: FieldArrays = {}
        for name, values in (("ids", terms), ("mask", np.ones(len(at), bool)), ("weights", weights.astype(np.float32))):
            found[name] = np.zeros(shape, values.dtype)
            found[name][here[at], step] = values
        return found

    def truncated(self, cells: Cells) -> int:
        texts = [cells.values[row] for row in np.flatnonzero(cells.present)]
        return sum(bool(part.encoding.overflowing) for part in encode(self._tokenizer, texts, self.max_tokens, places=False))

    def words_of(self, texts: list[str]) -> tuple[Ints, Ints]:
        """The words of all texts behind each other: the row of each, and its id."""
        found = [np.array(part.encoding.ids, np.int64) for part in encode(self._tokenizer, texts, self.max_tokens, places=False)]
        return np.repeat(np.arange(len(found)), [len(each) for each in found]), np.concatenate([NONE, *found])

    def pairs_of(self, row: Ints, words: Ints) -> tuple[Ints, Ints]:
        """The pairs of known neighbours: the row of each, and its code."""
        pair = (row[1:] == row[:-1]) & (words[1:] > UNKNOWN) & (words[:-1] > UNKNOWN)
        return row[1:][pair], (words[:-1] * self.words + words[1:])[pair]

    @cached_property
    def words(self) -> int:
        """How many ids are words, padding and the unknown one included."""
        return self._tokenizer.get_vocab_size()

    @cached_property
    def idf(self) -> NDArray[np.float64]:
        return 1 + np.log((1 + self.rows) / (1 + self.held))

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return tokenizer_of(self.tokenizer, most=self.max_tokens)

    def state(self) -> dict[str, Any]:
        return {"max_tokens": self.max_tokens, "rows": self.rows}

    def assets(self) -> dict[str, bytes]:
        known = {"pairs": self.pairs.tolist(), "held": self.held.tolist()}
        return {ASSET: self.tokenizer.encode(), TERMS: json.dumps(known).encode()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Terms":
        known = parsed(assets[TERMS].decode())
        pairs, held = (np.array(known[name], np.int64).reshape(-1) for name in ("pairs", "held"))
        found = cls(**state, tokenizer=assets[ASSET].decode(), pairs=pairs, held=held)
        if sorted(found._tokenizer.get_vocab().values()) != [*range(len(held) - len(pairs))]:
            raise ValueError(f"{TERMS} counts {len(held)} terms, but there are {found.words} words and {len(pairs)} pairs")
        return found


def distinct(row: Ints, terms: Ints) -> tuple[Ints, Ints, Ints]:
    """Each row's different terms in ascending order: their rows, the terms, and how often each is there."""
    most = int(terms.max(initial=0)) + 1
    both, times = np.unique(row * most + terms, return_counts=True)
    return both // most, both % most, times


def train_words(texts: list[str]) -> "Tokenizer":
    """The words of these texts, the most frequent first, behind padding and the unknown one."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    found = Tokenizer(models.WordLevel(unk_token="<unknown>"))
    signs = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=True)
    found.normalizer = normalizers.Sequence([normalizers.NFKC(), signs])  # pyright: ignore
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # pyright: ignore
    trainer = trainers.WordLevelTrainer(vocab_size=MOST, special_tokens=["<pad>", "<unknown>"], show_progress=False)
    found.train_from_iterator(texts, trainer=trainer)
    return found
