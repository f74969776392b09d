"""Every text encoder of transformers, tiny and random: it loads, with eager attention where it has no other, or says why not."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from understudy.encoders import TextEncoder
from understudy.prepare import Text
from understudy.prepare.cells import Cells

BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
XLM = {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 64, "pad_token_id": 0}
DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
PLAIN = (
    *("albert", "bert", "big_bird", "clip_text_model", "data2vec-text", "ernie", "esm", "gte", "jina_embeddings_v3", "layoutlm"),
    *("markuplm", "megatron-bert", "modernbert", "mra", "rembert", "roberta-prelayernorm", "roformer", "splinter", "tapas"),
    *("ultrabert", "xlm-roberta-xl"),
)
BEHIND_PADDING = ("camembert", "ibert", "mpnet", "roberta", "xlm-roberta")
FAMILIES = {
    **{family: {} for family in PLAIN},
    **{family: {"pad_token_id": 1} for family in BEHIND_PADDING},
    "deberta": DEBERTA,
    "deberta-v2": DEBERTA,
    "flaubert": XLM,
    "xlm": XLM,
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 40},
    "electra": {"embedding_size": 16},
    "esmc": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "eurobert": {"num_key_value_heads": 4, "head_dim": 8},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "lilt": {"hidden_size": 48},
    "longformer": {"attention_window": [4, 4], "pad_token_id": 1},
    "luke": {"entity_vocab_size": 20, "entity_emb_size": 8},
    "mobilebert": {"embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    "nomic_bert": {"head_dim": 8},
    "roc_bert": {"pronunciation_vocab_size": 20, "shape_vocab_size": 20},
    "squeezebert": {"embedding_size": 32},
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 40},
    "xmod": {"default_language": "en_XX", "languages": ["en_XX"]},
}
REFUSED = {
    "canine": ({}, "gives no vector a token of an embedding"),
    "convbert": ({"embedding_size": 32}, "reads the padding behind a text"),
    "fnet": ({}, "reads the padding behind a text"),
    "nystromformer": ({}, "reads the padding behind a text"),
    "perceiver": ({"d_model": 32, "d_latents": 32, "num_latents": 4, "num_self_attends_per_block": 1}, "gives no vector a token"),
    "yoso": ({}, "reads the padding behind a text"),
    "xmod": ({"languages": ["en_XX"]}, "does not read texts by ids and mask alone .*language"),
    "t5": ({"d_model": 32, "num_layers": 1}, "an encoder with a decoder"),
}
ALONE = ("canine", "distilbert", "esmc", "flaubert", "gpt2", "perceiver", "t5", "xlm", "xlnet")
"""Those that have other names for a BERT's sizes."""


def texts(*rows):
    return Cells("text", list(rows), np.array([row is not None for row in rows]))


@pytest.fixture(scope="module")
def view():
    return Text.bpe(vocabulary=300, max_tokens=16).fit(texts("a good film", "bad"))


def config_of(family: str, own: dict) -> dict:
    return AutoConfig.for_model(family, vocab_size=400, **(own if family in ALONE else BERT | own)).to_dict()


@pytest.mark.parametrize("family", FAMILIES)
def test_it_loads_and_padding_says_nothing(view, family):
    encoder = TextEncoder(view, config=config_of(family, FAMILIES[family])).eval()
    rows = ["a good film", "bad", None]
    fields = {name: torch.from_numpy(values) for name, values in view.prepare(texts(*rows)).items()}
    alone = {name: torch.from_numpy(values) for name, values in view.prepare(texts("bad")).items()}
    with torch.no_grad():
        together, single = encoder(fields), encoder(alone)
    assert together.pooled.shape == (3, encoder.width)
    assert together.pooled.isfinite().all()
    torch.testing.assert_close(together.pooled[1:2], single.pooled, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", REFUSED)
def test_what_cannot_read_a_row_by_itself_says_why(view, family):
    own, said = REFUSED[family]
    with pytest.raises(ValueError, match=f"an? {family} .*{said}"):
        TextEncoder(view, config=config_of(family, own))


def test_the_list_is_whole():
    """Of masked language models; the rest are decoders, or read pictures, tables of cells or proteins' structures, too."""
    others = {"bart", "mbart", "mvp", "modernvbert", "neomme", "ultravbert", "funnel", "reformer"}
    assert set(MODEL_FOR_MASKED_LM_MAPPING_NAMES) - others <= {*FAMILIES, *REFUSED}
