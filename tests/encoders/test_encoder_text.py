"""Text encoders: published weights against sentence-transformers' own pooling, rebuilding, and refusals."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, DistilBertConfig, RobertaConfig, T5Config

from understudy.batches.batch import Fields
from understudy.encoders import TextEncoder, TextTransformer
from understudy.prepare import Text
from understudy.prepare.cells import Cells

TEXTS = ["A good film.", "Not really, it was far too long and the plot made no sense at all.", "bad"]
SMALL = {"vocab_size": 400, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def texts(*rows):
    return Cells("text", list(rows), np.array([row is not None for row in rows]))


def tensors(view: Text, *rows) -> Fields:
    return {name: torch.from_numpy(values) for name, values in view.prepare(texts(*rows)).items()}


@pytest.fixture(scope="module")
def bpe():
    return Text.bpe(vocabulary=300, max_tokens=16).fit(texts(*TEXTS))


def saved(folder, config) -> Path:
    AutoModel.from_config(config).save_pretrained(folder)
    return folder


def test_minilm_gives_the_published_mean(minilm):
    view = Text.pretrained(minilm, max_tokens=64)
    encoder = TextEncoder.pretrained(minilm, view).eval()
    known, tokenizer = AutoModel.from_pretrained(minilm).eval(), AutoTokenizer.from_pretrained(minilm)
    with torch.no_grad():
        pooled, tokens = encoder(tensors(view, *TEXTS))
        expected = [known(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0) for text in TEXTS]
    torch.testing.assert_close(pooled, torch.stack(expected), rtol=0, atol=1e-5)
    assert encoder.fine_tuned
    assert encoder.width == 384
    assert tokens is not None
    assert [TEXTS[0][a:b] for a, b in tokens.spans[0][tokens.mask[0]].tolist()] == ["", "A", "good", "film", ".", ""]


@pytest.mark.parametrize(
    "config",
    [
        BertConfig(**SMALL),
        RobertaConfig(**SMALL, pad_token_id=1),
        DistilBertConfig(vocab_size=400, dim=16, n_layers=1, n_heads=2),
    ],
    ids=lambda config: config.model_type,
)
def test_other_architectures_and_rebuilding_without_the_weights(tmp_path, bpe, config):
    folder = saved(tmp_path / "model", config)
    encoder = TextEncoder.pretrained(folder, bpe).eval()
    document = json.loads(json.dumps(encoder.config))
    assert str(tmp_path) not in json.dumps(document)
    fields = tensors(bpe, *TEXTS, None)
    state = encoder.state_dict()
    (folder / "model.safetensors").unlink()
    for again in (TextEncoder(bpe, config=document), TextEncoder.pretrained(folder, bpe, weights=False)):
        again.load_state_dict(state)
        with torch.no_grad():
            assert torch.equal(again.eval()(fields).pooled, encoder(fields).pooled)


def test_half_precision_weights_become_float32(tmp_path, bpe):
    model = AutoModel.from_config(BertConfig(**SMALL)).half()
    model.save_pretrained(tmp_path)
    encoder = TextEncoder.pretrained(tmp_path, bpe)
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert torch.equal(encoder.model.embeddings.word_embeddings.weight, model.embeddings.word_embeddings.weight.float())


def test_what_cannot_be_trusted_or_used_is_refused(tmp_path, bpe):
    with pytest.raises(FileNotFoundError, match="no text encoder"):
        TextEncoder.pretrained(tmp_path / "absent", bpe)
    folder = saved(tmp_path / "model", BertConfig(**SMALL))
    pickled = shutil.copytree(folder, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="safetensors"):
        TextEncoder.pretrained(pickled, bpe)
    deeper = shutil.copytree(folder, tmp_path / "deeper")
    document = json.loads((folder / "config.json").read_text())
    (deeper / "config.json").write_text(json.dumps(document | {"num_hidden_layers": 2}))
    with pytest.raises(ValueError, match=r"its weights lack encoder.layer.1"):
        TextEncoder.pretrained(deeper, bpe)
    with pytest.raises(ValueError, match="expected an encoder alone"):
        TextEncoder(bpe, config=T5Config().to_dict())
    with pytest.raises(ValueError, match="take its tokenizer"):
        TextEncoder(bpe, config=BertConfig(**SMALL | {"vocab_size": 50}).to_dict())
    with pytest.raises(ValueError, match="max_tokens=16; this bert reads at most 8"):
        TextEncoder(bpe, config=BertConfig(**SMALL, max_position_embeddings=8).to_dict())


def test_our_own_stays_below_a_million_parameters():
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [a + b + c + d for a in letters for b in letters[:10] for c in letters[:5] for d in letters[:5]]
    view = Text.bpe().fit(texts(*[f"{word} {word}" for word in words]))
    assert view.tokens == 4000
    assert 500_000 < sum(p.numel() for p in TextTransformer(view).parameters()) < 1_000_000
