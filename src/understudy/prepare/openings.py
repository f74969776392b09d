"""Openings and endings: of a long text only as much is tokenised as its first or last tokens need, as in the whole text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

Side = Literal["right", "left"]
"""Of a text that is too long, what is cut off."""
CHARACTERS = 8
"""Characters a token at first; words of most languages take fewer."""
GROWTH = 4
"""How much more is read where that was not enough."""
OPEN = 2
"""Words beside a cut that what is behind it may change: the one that is cut, and one that a combining mark reaches back to."""


class Part(NamedTuple):
    """Tokens of a part of a text, and how many characters stand before the part."""

    encoding: "Encoding"
    before: int


@contextmanager
def unpanicked() -> Iterator[None]:
    """Inside, a panic of the tokenizers library, which `except Exception` does not see, is a ValueError: a damaged tokenizer."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"the tokenizer is damaged, since it cannot read a text ({error}): export or train it again") from None


@unpanicked()
def encode(tokenizer: "Tokenizer", texts: Sequence[str], most: int, *, cut: Side = "right", places: bool = True) -> list[Part]:
    """The first `most` tokens of each text, the last where its left is cut off.

    places: whether anybody asks where they stand in the text; texts of ordinary length are tokenised faster without.

    As a `tokenizer` that truncates to `most` on that side finds them in the whole text. Truncation bounds what it returns, not
    its work: it splits the whole text and keeps all of it in memory.
    """
    found: dict[int, Part] = {}
    size, left = CHARACTERS * most, list(range(len(texts)))
    while left:
        starts = [max(0, len(texts[i]) - size) if cut == "left" else 0 for i in left]
        parts = [texts[i][start : start + size] for i, start in zip(left, starts, strict=True)]
        # Where a part ends within a word is found by its places.
        quick = not places and all(len(part) == len(texts[i]) for i, part in zip(left, parts, strict=True))
        encodings = (tokenizer.encode_batch_fast if quick else tokenizer.encode_batch)(parts)
        for i, start, part, encoding in zip(left, starts, parts, encodings, strict=True):
            if len(part) == len(texts[i]) or (ends_settled(part, encoding) if cut == "left" else settled(encoding)):
                found[i] = Part(encoding, start)
            elif cut == "right" and encoding.overflowing and (same := agreed(tokenizer, part)):
                found[i] = Part(same, 0)
        left = [i for i in left if i not in found]
        size *= GROWTH
    return [found[i] for i in range(len(texts))]


def ends_settled(ending: str, encoding: "Encoding") -> bool:
    """Whether the tokens that were kept begin words behind the cut: those that spaces part, and the tokenizer's own.

    Digits in groups of three, say, depend on where a number begins; a space ends that.
    """
    kept = [(word, start) for word, (start, _) in zip(encoding.word_ids, encoding.offsets, strict=True) if word is not None]
    return bool(encoding.overflowing and kept) and kept[0][0] > OPEN and len(ending[: kept[0][1]].split()) > OPEN


def settled(encoding: "Encoding") -> bool:
    """Whether the tokens that were kept end well before the cut: a word is split by itself, whatever stands behind the next."""
    return bool(encoding.overflowing) and last_word(encoding) + OPEN <= last_word(encoding.overflowing[-1])


def last_word(encoding: "Encoding") -> int:
    """The place of the last word that it holds a token of."""
    return max((word for word in encoding.word_ids if word is not None), default=-1)


def agreed(tokenizer: "Tokenizer", opening: str) -> "Encoding | None":
    """The first tokens where the cut is in a long word, if they are the same wherever near the cut a token of the whole ends.

    BPE and Unigram split what stands before the end of a token as if nothing stood behind it: no merge, and no best path, crosses
    it. So the tokens of the whole begin as those up to one of the last places before the cut do, as many as a token is long.
    None where they differ, and for models that look at a word's end first (WordPiece, or BPE with a suffix there).
    """
    if type(tokenizer.model).__name__ not in ("BPE", "Unigram") or getattr(tokenizer.model, "end_of_word_suffix", None):
        return None
    longest = max(map(len, tokenizer.get_vocab(with_added_tokens=True)))
    reach = 2 * longest
    normalizer, tail = tokenizer.normalizer, opening[-reach:]
    if len(opening) < 2 * reach or len(normalizer.normalize_str(tail) if normalizer else tail) < longest:
        return None
    encodings = tokenizer.encode_batch([opening[:end] for end in range(len(opening) - reach, len(opening))])
    same = all(e.ids == encodings[0].ids and e.overflowing for e in encodings)
    return encodings[0] if same else None
