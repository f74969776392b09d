"""How the modalities of a run's models join, by name: what there is to choose from, and the fusion of a blueprint."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from understudy.corpus import Corpus
from understudy.encoders.joint import JOINT
from understudy.encoders.published import published_config
from understudy.models.fusion import Beside, Concat, Fusion, SingleStream
from understudy.models.published_fusion import MODELS
from understudy.models.slots import Slots
from understudy.prepare.cells import TEXTS
from understudy.tasks import Choice, Retrieval

APART = {"experts": "never trains an encoder", "late": "trains each modality alone"}
"""Fusions of a teacher: each modality has a head of its own, and its encoder stays as it is, or trains without the others."""
FUSIONS = ("concat", "single_stream", "slots", *APART)
"""Vectors beside each other; one transformer over all tokens; the sum over common slots; those of a teacher."""
DEEP = ("single_stream", "slots")
"""Those that have blocks of their own."""
DEPTH, SLOTS = 2, 16
"""Blocks of these, and slots, where `sizes` says nothing else."""


def check_fusion(player: str, name: str, corpus: Corpus, modalities: Sequence[str], *, prompts: bool = False) -> None:
    """ValueError for a fusion that there is not, or that does not go with the player, what it reads, its task or its head.

    prompts: whether the player answers through class prompts.
    """
    if name not in FUSIONS:
        model_type(player, name)
    if name in APART and player != "teacher":
        raise ValueError(f"{player}'s fusion {name!r} {APART[name]}, so it is for a teacher; choose another")
    if name in APART and isinstance(corpus.task, Retrieval):
        raise ValueError(f"teacher's fusion {name!r} has no common embedding to search in; choose another for retrieval")
    if name == "late" and isinstance(corpus.task, Choice):
        raise ValueError("teacher's fusion 'late' compares no choice with what else is there; choose another for choices")
    if name == "experts" and isinstance(corpus.task, Choice) and "choices" not in kinds_of(corpus, modalities).values():
        raise ValueError("teacher's fusion 'experts' reads none of the choices; let the teacher read them, or choose another")
    if prompts and name != "concat":
        raise ValueError(f"{player}'s fusion {name!r} does not go with class prompts; choose 'concat'")


def model_type(player: str, name: str) -> str:
    """Of a published vision-language model; ValueError for a name that is neither a fusion of ours nor such a model."""
    try:
        found = published_config(name)["model_type"]
    except FileNotFoundError as error:
        found, reason = "", str(error).splitlines()[0]
    else:
        reason = f"a {found}"
    if found not in JOINT:
        allowed = f"{', '.join(FUSIONS)}, or a transformers folder or hub id of {', '.join(JOINT)}"
        raise ValueError(f"{player}'s fusion {name!r} ({reason}): choose from {allowed}")
    return found


def kinds_of(corpus: Corpus, modalities: Sequence[str]) -> dict[str, str]:
    """Modality -> its kind."""
    return {modality: corpus.modalities[modality].kind for modality in modalities}


def own_parts(corpus: Corpus, name: str, modalities: Sequence[str]) -> dict[str, str]:
    """The encoders with which a published model comes, by modality: its words, and its pictures or regions where they fit."""
    if name in FUSIONS:
        return {}
    config = published_config(name)
    found = {m: name for m, kind in kinds_of(corpus, modalities).items() if kind in TEXTS}
    for modality, kind in kinds_of(corpus, modalities).items():
        width = config.get("visual_feat_dim", config.get("visual_embedding_dim"))
        fits = kind == "regions" and corpus.modalities[modality].width == width
        if fits or (kind == "image" and config["model_type"] == "vilt"):
            found[modality] = name
        elif kind == "image":
            found[modality] = "patches"
    return found


def fusion_of(
    name: str,
    widths: Mapping[str, int],
    *,
    width: int,
    depth: int,
    slots: int,
    dropout: float,
    texts: Collection[str],
    config: Mapping[str, Any],
    weights: bool,
) -> Fusion:
    """The fusion of that name over vectors and tokens of these widths.

    texts: the modalities that a published model reads as text; config: its configuration; weights: fetch its weights.
    """
    if name == "single_stream":
        return SingleStream(widths, width=width, depth=depth, dropout=dropout)
    if name == "slots":
        return Slots(widths, width=width, slots=slots, depth=depth, dropout=dropout)
    if name in APART:
        return Beside(widths)
    if name == "concat":
        return Concat(widths, width=width, dropout=dropout)
    make = MODELS[config["model_type"]]
    return make.pretrained(name, widths, texts=texts) if weights else make(widths, texts=texts, config=config)
