"""Text views: our own BPE, and a published tokenizer against transformers."""

import json

import numpy as np
import pytest
from transformers import AutoTokenizer

from understudy.prepare import Text, restore
from understudy.prepare.cells import Cells

TEXTS = ["It was really GOOD", "not good at all", "", "naïve café, ﬁne 日本!", "a [SEP] b <pad> c", "long " * 60]


def texts(*rows):
    return Cells("text", list(rows), np.array([row is not None for row in rows]))


def test_published_tokenizer_gives_what_transformers_gives(minilm):
    view = Text.pretrained(minilm, max_tokens=32)
    fields = view.fit(texts("anything")).prepare(texts(*TEXTS))
    known = AutoTokenizer.from_pretrained(minilm)
    expected = known(TEXTS, padding=True, truncation=True, max_length=32, return_offsets_mapping=True, return_tensors="np")
    np.testing.assert_array_equal(fields["ids"], expected["input_ids"])
    np.testing.assert_array_equal(fields["mask"], expected["attention_mask"].astype(bool))
    np.testing.assert_array_equal(fields["spans"], expected["offset_mapping"])
    assert view.truncated(texts(*TEXTS)) == 1
    assert view.tokens == len(known)


def test_padding_id_and_settings_in_the_file_do_not_leak(tmp_path, minilm):
    document = json.loads((minilm / "tokenizer.json").read_text())
    document["truncation"] = {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    document["padding"] = {"strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": None} | {
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    view = restore("Text", {"max_tokens": 8, "vocabulary": 0, "padding": 5}, {"tokenizer.json": json.dumps(document).encode()})
    fields = view.prepare(texts("a good film", "bad", None))
    assert fields["mask"].sum(axis=1).tolist() == [5, 3, 0]
    assert fields["ids"][1, 3:].tolist() == [5, 5]
    assert not fields["ids"][2].any()


def test_the_tokenizers_own_limit_is_taken(minilm):
    assert Text.pretrained(minilm, max_tokens=513).max_tokens == 512
    assert Text.pretrained(minilm).max_tokens == 128


def test_the_side_that_the_tokenizer_cuts_off_is_heeded(tmp_path, minilm):
    known = AutoTokenizer.from_pretrained(minilm, truncation_side="left")
    known.save_pretrained(tmp_path)
    view = Text.pretrained(tmp_path, max_tokens=12)
    text = "the first words are cut off " * 90 + "and these, the very last ones, stay"
    again = Text.restore(json.loads(json.dumps(view.state())), view.assets())
    fields = again.prepare(texts(text, "short"))
    assert fields["ids"][0].tolist() == known(text, truncation=True, max_length=12)["input_ids"]
    assert [text[a:b] for a, b in fields["spans"][0, 1:4].tolist()] == ["off", "and", "these"]
    assert view.truncated(texts(text, "short")) == 1
    assert "cut" not in Text.pretrained(minilm).state()


def test_a_folder_without_a_tokenizer(tmp_path):
    with pytest.raises((FileNotFoundError, ValueError)):
        Text.pretrained(tmp_path / "nothing")


def test_bpe_knows_the_train_split_only_in_any_order():
    train = [f"{word} film number {n}" for n, word in enumerate(["wonderful", "dreadful", "wonderful"] * 5)]
    view = Text.bpe(vocabulary=400).fit(texts(*train, None))
    assert view.key == Text.bpe(vocabulary=400).fit(texts(*reversed(train))).key
    ids = view.prepare(texts("Wonderful", "spectacular"))
    assert ids["mask"].sum(axis=1)[0] == 2
    assert ids["mask"].sum(axis=1)[1] > 4
    assert 258 < view.tokens <= 400


def test_bpe_spans_cut_the_words_out_of_the_text():
    sentence = "The CAFÉ in 日本 was fine"
    view = Text.bpe().fit(texts(*[sentence] * 3))
    fields = view.prepare(texts(sentence, "x"))
    spans = fields["spans"][0][fields["mask"][0]]
    assert [sentence[a:b] for a, b in spans] == ["", "The", "CAFÉ", "in", "日本", "was", "fine"]
    assert fields["ids"][0, 0] == 1
    assert (fields["ids"][1][~fields["mask"][1]] == 0).all()


def test_bpe_reads_anything():
    view = Text.bpe().fit(texts("only these words"))
    fields = view.prepare(texts("Ω≈ç√ 🎬 \x00 tab\t", "", "  ", "x" * 100_000))
    assert fields["mask"].any(axis=1).all()
    assert fields["ids"].max() < view.tokens
    assert fields["ids"].shape[1] == view.max_tokens


def test_misuse_says_what_to_do():
    with pytest.raises(ValueError, match="fit it on train rows first"):
        Text.bpe().prepare(texts("a"))
    with pytest.raises(ValueError, match="at least 258"):
        Text.bpe(vocabulary=100)
    with pytest.raises(ValueError, match="at least 2"):
        Text.bpe(max_tokens=1)


def test_a_tokenizer_of_another_kind_is_one_sentence():
    for content in ("{", "{}", '{"version": "1.0", "model": 3}'):
        with pytest.raises(ValueError, match=r"tokenizer\.json is no tokenizer"):
            Text(8, tokenizer=content).prepare(Cells("text", ["x"], np.ones(1, bool)))
