"""PublishedFusion: VisualBERT, ViLT or LXMERT of transformers as what joins text and picture."""

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batches.batch import Tokens
from understudy.encoders.encoder import Encoded
from understudy.encoders.joint import joint_config
from understudy.encoders.pooling import attended
from understudy.encoders.published import published_config, published_weights, without_origin
from understudy.models.fusion import Fused, Fusion, as_tokens


class PublishedFusion(Fusion):
    """The tokens of texts, then those of all else, through a published model; the embedding is the state of the first place.

    texts: the modalities that enter as text. Tokens of another width enter through a new linear layer. What the published model
    itself reads tokens, regions or patches with are encoders (see `encoders.joint`), and its pooler is left out.
    """

    def __init__(self, widths: Mapping[str, int], *, texts: Collection[str], config: Mapping[str, Any]) -> None:
        super().__init__(widths)
        known = joint_config(config)
        self.config, self.width, self.texts, self.fine_tuned = without_origin(known), known.hidden_size, tuple(texts), False
        self.enter = nn.ModuleDict({m: enter(width, self.width) for m, width in widths.items()})
        self.model = self.built(known)

    @classmethod
    def pretrained(cls, name: str | Path, widths: Mapping[str, int], *, texts: Collection[str]) -> "PublishedFusion":
        """From a transformers folder or hub id, in float32; errors as of every published encoder."""
        fusion = cls(widths, texts=texts, config=published_config(str(name)))
        fusion.fine_tuned = True
        published = published_weights(str(name))
        fusion.model.load_state_dict({key: published[key] for key in fusion.model.state_dict()})
        return fusion

    def published(self) -> Iterator[nn.Parameter]:
        return iter(self.model.parameters() if self.fine_tuned else ())

    @abstractmethod
    def built(self, known: Any) -> nn.Module:
        """The model without what enters it and without its pooler."""

    @abstractmethod
    def mixed(self, text: Tokens, seen: Tokens) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B R D"]]:
        """What becomes of both."""

    def forward(self, encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]) -> Fused:
        given = {m: as_tokens(encoded[m]) for m in self.widths if m in encoded}
        masks = {m: each.mask & present[m][:, None] for m, each in given.items()}
        text, seen = (self.side(given, masks, here) or self.nothing(present) for here in (True, False))
        states = self.mixed(text, seen)
        said: dict[str, Tokens] = {}
        for side, here in zip(states, (True, False), strict=True):
            names = [m for m in given if (m in self.texts) == here]
            parts = side.split([given[m].mask.shape[1] for m in names], dim=1) if names else ()
            for modality, part in zip(names, parts, strict=True):
                if encoded[modality].tokens is not None:
                    mask = masks[modality]
                    said[modality] = Tokens(part.where(mask[:, :, None], 0.0), mask, given[modality].spans)
        return Fused(states[0][:, 0], said)

    def side(self, given: Mapping[str, Tokens], masks: Mapping[str, Tensor], text: bool) -> Tokens | None:
        """The tokens of all modalities of one side, 0 where there is none; None where there is no modality."""
        names = [m for m in given if (m in self.texts) == text]
        if not names:
            return None
        mask = torch.cat([masks[m] for m in names], dim=1)
        entered = [self.enter[m](given[m].values.where(masks[m][:, :, None], 0.0)) for m in names]
        return Tokens(torch.cat(entered, dim=1).where(mask[:, :, None], 0.0), mask)

    def nothing(self, present: Mapping[str, Bool[Tensor, " B"]]) -> Tokens:
        """One token that is masked."""
        mask = torch.zeros_like(next(iter(present.values())))[:, None]
        return Tokens(torch.zeros(mask.shape[0], 1, self.width, device=mask.device), mask)


def enter(width: int, into: int) -> nn.Module:
    """Nothing where widths are equal."""
    return nn.Identity() if width == into else nn.Linear(width, into)


def both(text: Tokens, seen: Tokens) -> tuple[Tensor, Tensor]:
    """The masks of both sides as transformers takes them; a row with nothing on either side attends to its filler."""
    whole, place = attended(torch.cat([text.mask, seen.mask], dim=1)).long(), text.mask.shape[1]
    return whole[:, :place], whole[:, place:]


class VisualBert(PublishedFusion):
    """Li et al., "VisualBERT: A Simple and Performant Baseline for Vision and Language" (2019, arXiv 1908.03557)."""

    def built(self, known: Any) -> nn.Module:
        from transformers import VisualBertModel

        known.bypass_transformer = False
        model: Any = VisualBertModel(known, add_pooling_layer=False)
        model.embeddings.word_embeddings = model.embeddings.visual_projection = nn.Identity()
        return model

    def mixed(self, text: Tokens, seen: Tokens) -> tuple[Tensor, Tensor]:
        masks = both(text, seen)
        states = self.model(
            inputs_embeds=text.values, attention_mask=masks[0], visual_embeds=seen.values, visual_attention_mask=masks[1]
        ).last_hidden_state
        return states[:, : text.mask.shape[1]], states[:, text.mask.shape[1] :]


class Vilt(PublishedFusion):
    """Kim et al., "ViLT: Vision-and-Language Transformer Without Convolution or Region Supervision" (ICML 2021, 2102.03334)."""

    def built(self, known: Any) -> nn.Module:
        from transformers import ViltModel

        model: Any = ViltModel(known, add_pooling_layer=False)
        model.embeddings.text_embeddings.word_embeddings = model.embeddings.patch_embeddings = nn.Identity()
        model.embeddings.cls_token = model.embeddings.position_embeddings = None
        return model

    def mixed(self, text: Tokens, seen: Tokens) -> tuple[Tensor, Tensor]:
        masks = both(text, seen)
        states = self.model(
            inputs_embeds=text.values, attention_mask=masks[0], image_embeds=seen.values, pixel_mask=masks[1]
        ).last_hidden_state
        return states[:, : text.mask.shape[1]], states[:, text.mask.shape[1] :]


class Lxmert(PublishedFusion):
    """Tan, Bansal, "LXMERT: Learning Cross-Modality Encoder Representations from Transformers" (EMNLP 2019, arXiv 1908.07490).

    The last visual layers, which the text's first state does not depend on, stay as they are.
    """

    def built(self, known: Any) -> nn.Module:
        from transformers import LxmertModel

        model: Any = LxmertModel(known)
        model.embeddings.word_embeddings = model.pooler = nn.Identity()
        model.encoder.visn_fc = Features()
        last = model.encoder.x_layers[-1]
        for unused in (last.visn_self_att, last.visn_inter, last.visn_output):
            unused.requires_grad_(False)
        return model

    def mixed(self, text: Tokens, seen: Tokens) -> tuple[Tensor, Tensor]:
        said = self.model(
            inputs_embeds=text.values,
            attention_mask=attended(text.mask).long(),
            visual_feats=seen.values,
            visual_pos=seen.values,
            visual_attention_mask=attended(seen.mask).long(),
        )
        return said.language_output, said.vision_output


class Features(nn.Module):
    """Regions that an encoder has placed already."""

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        return features


MODELS: dict[str, type[PublishedFusion]] = {"visual_bert": VisualBert, "vilt": Vilt, "lxmert": Lxmert}
"""By transformers' `model_type`."""
