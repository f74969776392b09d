"""A long text's opening has the tokens of the whole, for every kind of tokenizer, in the time and memory of a short text."""

import time
from functools import cache

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from understudy.prepare import Text
from understudy.prepare.cells import Cells
from understudy.prepare.openings import encode

WORDS = ["the cat sat", "under-the-table", "red, blue & green!", "naïve café", "日本語 東京", "123 4567 89", "it's we'll"] * 4
PIECES = [
    *(
        "a",
        "aa",
        "ab",
        "cat",
        "the ",
        " ",
        "   ",
        "\n\n",
        "日本",
        "東",
        "e\u0301",
        "\u0301",
        "\u0323\u0301",
        "\u1112\u1161\u11ab",
        "한",
    ),
    *(
        "12",
        "7",
        "ﬁ",
        "\ufdfa",
        "'s",
        "'",
        ", ",
        "!!",
        "-",
        "_",
        "\u200b",
        "\x00",
        "👩\u200d👧",
        "<start>",
        "[MASK] ",
        "ß",
        "İ",
        "\u00a0",
    ),
]


@cache
def tokenizer(name: str) -> Tokenizer:
    """Small ones of every kind that published files hold, trained on a few words."""
    special = ["[UNK]", "[CLS]", "[MASK]", "<start>"]
    match name:
        case "own":
            return Tokenizer.from_str(Text.bpe(vocabulary=300).fit(cells(*WORDS)).tokenizer)
        case "wordpiece":
            made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
            made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
            trainer = trainers.WordPieceTrainer(vocab_size=80, special_tokens=special, show_progress=False)
        case "unigram" | "unigram-unsplit":
            made = Tokenizer(models.Unigram())
            made.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
            made.pre_tokenizer = pre_tokenizers.Metaspace(split=name == "unigram")
            trainer = trainers.UnigramTrainer(vocab_size=80, special_tokens=special, unk_token="[UNK]", show_progress=False)
        case "clip":
            made = Tokenizer(models.BPE(unk_token="[UNK]", end_of_word_suffix="</w>", fuse_unk=True))
            made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
            made.pre_tokenizer = pre_tokenizers.Whitespace()
            trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=special, end_of_word_suffix="</w>", show_progress=False)
    made.train_from_iterator(WORDS, trainer=trainer)
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [CLS]", special_tokens=[("[CLS]", 1)])
    return made


def cells(*texts: str) -> Cells:
    return Cells("text", list(texts), np.ones(len(texts), dtype=bool))


@pytest.mark.parametrize("name", ["own", "wordpiece", "unigram", "unigram-unsplit", "clip"])
@settings(max_examples=120, derandomize=True)
@given(
    parts=st.lists(
        st.tuples(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6), st.integers(1, 60)), min_size=1, max_size=5
    ),
    most=st.sampled_from([3, 4, 8, 20]),
)
def test_the_tokens_are_those_of_the_whole_text(name, parts, most):
    text = "".join("".join(pieces) * times for pieces, times in parts)
    cutting = tokenizer(name)
    cutting.enable_truncation(most)
    whole, (found, before) = cutting.encode(text), encode(cutting, [text], most)[0]
    assert (found.ids, found.offsets, before) == (whole.ids, whole.offsets, 0)
    assert encode(cutting, [text], most, places=False)[0].encoding.ids == whole.ids
    assert bool(found.overflowing) == bool(whole.overflowing)


@pytest.mark.parametrize("name", ["own", "wordpiece", "unigram", "unigram-unsplit", "clip"])
@settings(max_examples=60, derandomize=True)
@given(
    parts=st.lists(
        st.tuples(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6), st.integers(1, 60)), min_size=1, max_size=5
    ),
    most=st.sampled_from([3, 4, 8, 20]),
)
def test_the_last_tokens_are_those_of_the_whole_text(name, parts, most):
    text = "".join("".join(pieces) * times for pieces, times in parts)
    cutting = tokenizer(name)
    cutting.enable_truncation(most, direction="left")
    whole, (found, before) = cutting.encode(text), encode(cutting, [text], most, cut="left")[0]
    moved = [
        (start + before, end + before) if not special else (start, end)
        for special, (start, end) in zip(found.special_tokens_mask, found.offsets, strict=True)
    ]
    assert (found.ids, moved) == (whole.ids, whole.offsets)
    assert encode(cutting, [text], most, cut="left", places=False)[0].encoding.ids == whole.ids
    assert bool(found.overflowing) == bool(whole.overflowing)


@pytest.mark.parametrize(
    "text", ["some words " * 800_000, "a" * 9_000_000, "x" + " " * 9_000_000 + "y", "日" * 3_000_000, "ab1," * 2_000_000]
)
def test_nine_megabytes_cost_what_a_page_costs(text):
    view = Text.bpe(vocabulary=300, max_tokens=128).fit(cells(*WORDS))
    view.prepare(cells("warm"))
    before, began = psutil.Process().memory_info().rss, time.process_time()
    assert view.prepare(cells(text))["mask"].sum() == 128
    assert time.process_time() - began < 1
    assert psutil.Process().memory_info().rss - before < 2**25
    assert view.truncated(cells(text)) == 1


def test_a_panic_of_the_library_is_one_sentence():
    class PanicException(BaseException):
        """As the library's own, which is no Exception."""

    class Damaged:
        def encode_batch(self, texts):
            raise PanicException("no entry found")

    with pytest.raises(ValueError, match=r"the tokenizer is damaged.*\(no entry found\)"):
        encode(Damaged(), ["a text"], 8)  # pyright: ignore[reportArgumentType]


def test_ctrl_c_in_the_library_stays_what_it_is():
    class Stopped:
        def encode_batch(self, texts):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(Stopped(), ["a text"], 8)  # pyright: ignore[reportArgumentType]
