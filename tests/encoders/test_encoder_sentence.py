"""A sentence-transformers folder: pooling, layers and normalisation as saved, held to the library's own answers."""

import json

import numpy as np
import pytest
import torch

from made_clip import CLIP_TEXTS
from made_encoders import make_bert_folder, make_sentence_folder
from understudy.encoders.sentence import POOLINGS, SentenceEncoder, sentence_settings
from understudy.prepare import Text
from understudy.prepare.cells import Cells


@pytest.mark.parametrize("pooling", POOLINGS)
def test_vectors_are_the_librarys(tmp_path, pooling):
    from sentence_transformers import SentenceTransformer

    folder = make_sentence_folder(tmp_path / "st", pooling)
    view = Text.pretrained(folder, max_tokens=16)
    encoder = SentenceEncoder.pretrained(folder, view).eval()
    texts = list(CLIP_TEXTS)
    fields = view.prepare(Cells("text", texts, np.ones(len(texts), bool)))
    given = {name: torch.from_numpy(values) for name, values in fields.items()}
    with torch.no_grad():
        pooled, tokens = encoder(given)
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts)
    np.testing.assert_allclose(pooled.numpy(), expected, atol=1e-5)
    assert tokens is not None
    assert tokens.values.shape[2] == encoder.width == 12
    again = SentenceEncoder(view, config=json.loads(json.dumps(encoder.config))).eval()
    again.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(again(given).pooled, pooled)


def test_a_plain_folder_has_no_such_settings(tmp_path):
    assert sentence_settings(str(make_bert_folder(tmp_path))) is None


@pytest.mark.parametrize("told", [{"pooling_mode_mean_tokens": True}, {"pooling_mode_cls_token": False, "pooling_mode": "mean"}])
def test_earlier_files_are_read(tmp_path, told):
    modules = [{"path": "", "type": "sentence_transformers.models.Transformer"}]
    modules.append({"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"})
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(told))
    assert sentence_settings(str(tmp_path)) == {"pooling": "mean", "layers": [], "normalised": False}


def test_an_unknown_module_is_named(tmp_path):
    modules = [{"path": "", "type": "x.Transformer"}, {"path": "1_LSTM", "type": "x.LSTM"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ValueError, match=r"module 1, a LSTM .* is not known here"):
        sentence_settings(str(tmp_path))
