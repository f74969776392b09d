"""Any speech model of transformers, and the views of its sound: held to the library's own extractors and answers."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from made_encoders import make_wav2vec_folder
from understudy.encoders import SoundEncoder
from understudy.encoders.hearing import published_sound
from understudy.prepare.catalogue import restore
from understudy.prepare.cells import Cells
from understudy.prepare.waveform import Waveform, resampled
from understudy.prepare.whisper import WhisperMel

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
STEPS = {"conv_dim": (8, 8), "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_feat_extract_layers": 2}
SPEECH = SMALL | STEPS | {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
WHISPER = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
WHISPER |= {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "num_mel_bins": 8, "max_source_positions": 50, "vocab_size": 20}
WHISPER |= {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}


def clips(*seconds: float, rate: int = 1600) -> Cells:
    draw = np.random.default_rng(2)
    return Cells(
        "audio", [draw.normal(size=round(s * rate)).astype(np.float32) * 0.2 for s in seconds], np.ones(len(seconds), bool)
    )


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm", "unispeech", "data2vec-audio"])
def test_families_listen_and_never_to_a_neighbour(family):
    view = Waveform(1600, 1600).fit(clips(0.2))
    encoder = SoundEncoder(view, config=AutoConfig.for_model(family, **SPEECH).to_dict()).eval()
    fields = {name: torch.from_numpy(values) for name, values in view.prepare(clips(0.1, 0.2)).items()}
    alone = {name: torch.from_numpy(values) for name, values in view.prepare(clips(0.1)).items()}
    pooled, tokens = encoder(fields)
    assert tokens is not None
    assert tokens.mask.sum(dim=1).tolist() == [tokens.mask.shape[1] // 2 + tokens.mask.shape[1] % 2, tokens.mask.shape[1]]
    torch.testing.assert_close(encoder(alone).pooled, pooled[:1], atol=1e-5, rtol=1e-4)


def test_a_folder_is_heard_as_transformers_hears_it(tmp_path):
    folder = make_wav2vec_folder(tmp_path)
    view = published_sound(str(folder), rate=1600)
    assert view == Waveform(1600, 1600)
    assert isinstance(view, Waveform)
    cells = clips(0.2)
    encoder, whole = SoundEncoder.pretrained(folder, view.fit(cells)), AutoModel.from_pretrained(folder).eval()
    values = torch.from_numpy(view.fit(cells).prepare(cells)["values"])
    theirs = Wav2Vec2FeatureExtractor.from_pretrained(folder)(cells.values[0], sampling_rate=1600, return_tensors="pt")
    torch.testing.assert_close(values, theirs["input_values"], atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        expected = whole(values).last_hidden_state.mean(dim=1)
        torch.testing.assert_close(encoder.eval()({"values": values, "length": torch.tensor([320])}).pooled, expected)
    assert encoder.fine_tuned


def test_whisper_listens_with_its_encoder_alone(tmp_path):
    extractor = WhisperFeatureExtractor(feature_size=8, sampling_rate=1600, hop_length=16, chunk_length=1, n_fft=40)
    extractor.save_pretrained(tmp_path)
    AutoModel.from_config(AutoConfig.for_model("whisper", **WHISPER)).save_pretrained(tmp_path)
    view = published_sound(str(tmp_path), rate=1600)
    assert isinstance(view, WhisperMel)
    cells = clips(0.3, 2.0)
    mine = view.prepare(cells)
    theirs = extractor(cells.values, sampling_rate=1600, return_tensors="np")["input_features"]
    np.testing.assert_allclose(mine["values"], theirs, atol=1e-4)
    assert mine["length"].tolist() == [480, 1600]
    assert view.truncated(cells) == 1
    fields = {name: torch.from_numpy(values) for name, values in mine.items()}
    encoder, whole = SoundEncoder.pretrained(tmp_path, view).eval(), AutoModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        expected = whole.get_encoder()(fields["values"]).last_hidden_state
        torch.testing.assert_close(encoder(fields).pooled[1], expected[1].mean(dim=0))
        torch.testing.assert_close(encoder(fields).pooled[0], expected[0, :15].mean(dim=0))
    back = restore("WhisperMel", json.loads(json.dumps(view.state())), view.assets())
    assert back.key == view.key


def test_another_rate_is_resampled_and_a_tone_stays_a_tone():
    time = np.arange(800) / 800
    tone = np.sin(2 * np.pi * 50 * time).astype(np.float32)
    np.testing.assert_allclose(resampled(tone, 800, 1600), np.sin(2 * np.pi * 50 * np.arange(1600) / 1600), atol=1e-4)
    assert len(resampled(tone, 800, 300)) == 300
    assert resampled(tone, 800, 800) is tone


@pytest.mark.parametrize(
    ("told", "said"),
    [(None, "has no preprocessor_config.json"), ({"feature_extractor_type": "ClapFeatureExtractor"}, "a ClapFeat")],
)
def test_sound_of_other_kinds_is_refused(tmp_path, told, said):
    if told:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=f"{said}.*sound is prepared as Wav2Vec2FeatureExtractor or WhisperFeatureExtractor do"):
        published_sound(str(tmp_path), rate=1600)
