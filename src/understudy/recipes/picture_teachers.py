"""picture_teachers: a small CLIP and a small text encoder, trained on made pictures with captions, saved as transformers folders.

The pictures and captions are drawn apart from every task's rows. CLIP learns which caption goes with which picture (symmetric
InfoNCE; Radford et al., ICML 2021, arXiv 2103.00020); the text encoder, which never meets a picture, fills in masked words
(Devlin et al., NAACL 2019, arXiv 1810.04805). Both read the same BPE, trained on these captions.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from understudy.prepare.text import train_bpe
from understudy.process.progress import progress
from understudy.process.whole import read_json, whole_folder
from understudy.worlds.picture_world import caption, painted

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SIDE, PATCH, LONGEST = 32, 8, 128
"""Pixels of a picture and of a patch; tokens that a text may have."""
MEAN, STD = (0.45, 0.43, 0.42), (0.2, 0.19, 0.19)
MASKED = 0.15
"""Share of a caption's tokens that the text encoder fills in."""
HELD = 500
"""Pairs that nothing is trained on, for `about.json`."""


@dataclass(frozen=True)
class Schooling:
    """How large the teachers are and how long they learn: pairs of picture and caption, epochs over them, pairs in a step."""

    pairs: int = 20_000
    epochs: int = 8
    batch: int = 128
    rate: float = 2e-3
    width: int = 64
    depth: int = 2
    vocabulary: int = 600
    seed: int = 1_000_003


def picture_teachers(folder: Path | str, schooling: Schooling | None = None) -> tuple[str, str]:
    """The folders of the CLIP and of the text encoder; trained unless `folder` holds them.

    ValueError where it holds teachers of another schooling.
    """
    folder, schooling = Path(folder), schooling or Schooling()
    if not (folder / "about.json").is_file():
        with whole_folder(folder) as partial:
            train_teachers(partial, schooling)
    told = read_json(folder / "about.json")
    if told["schooling"] != asdict(schooling):
        raise ValueError(f"{folder} holds teachers of another schooling ({told['schooling']}); give another folder, or remove it")
    return str(folder / "clip"), str(folder / "text")


def train_teachers(folder: Path, schooling: Schooling) -> None:
    """Both, one after the other, into a folder that exists."""
    random = np.random.default_rng(schooling.seed)
    pairs = [caption(random) for _ in range(schooling.pairs + HELD)]
    tokenizer = tokenizer_of([words for _, words in pairs[: schooling.pairs]], schooling.vocabulary)
    encoded = tokenizer([words for _, words in pairs], padding=True, return_tensors="pt")
    pictures = torch.from_numpy(np.stack([painted(scene, size=SIDE) for scene, _ in pairs]))
    colours = (pictures.permute(0, 3, 1, 2).float() / 255 - column(MEAN)) / column(STD)
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    with torch.random.fork_rng():
        torch.manual_seed(schooling.seed)
        clip, text = clip_of(schooling, tokenizer), text_of(schooling, tokenizer)
        train(clip, schooling, "CLIP", lambda rows: contrastive(clip, *cut(ids, mask, rows), colours[rows]))
        train(text, schooling, "text encoder", lambda rows: filled_in(text, *cut(ids, mask, rows), tokenizer))
        held = torch.arange(schooling.pairs, schooling.pairs + HELD)
        found = {"clip_top1_of_100": top1(clip, ids, mask, colours, held), "masked_nats": nats(text, ids, mask, tokenizer, held)}
    for name, model in (("clip", clip), ("text", text)):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    write_preprocessor(folder / "clip")
    about = {"schooling": asdict(schooling), "held-out pairs": HELD} | found
    (folder / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def tokenizer_of(captions: list[str], vocabulary: int) -> "PreTrainedTokenizerFast":
    """A BPE of these captions whose rows begin with <start> and end with <end>, as CLIP's do."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    bpe = train_bpe(captions, vocabulary)
    bpe.add_special_tokens(["<end>", "<mask>"])
    ends = [("<start>", 1), ("<end>", bpe.token_to_id("<end>"))]
    frame = processors.TemplateProcessing(single="<start> $A <end>", special_tokens=ends)
    bpe.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), frame])  # pyright: ignore
    names = {"pad_token": "<pad>", "bos_token": "<start>", "eos_token": "<end>", "mask_token": "<mask>"}
    return PreTrainedTokenizerFast(tokenizer_object=bpe, model_max_length=LONGEST, **names)


def clip_of(schooling: Schooling, tokenizer: "PreTrainedTokenizerFast") -> Any:
    """A CLIPModel from nothing."""
    from transformers import CLIPConfig, CLIPModel

    size = {"hidden_size": schooling.width, "intermediate_size": 2 * schooling.width, "num_attention_heads": 4}
    size |= {"num_hidden_layers": schooling.depth}
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    text = size | ids | {"vocab_size": len(tokenizer), "max_position_embeddings": LONGEST}
    vision = size | {"image_size": SIDE, "patch_size": PATCH}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=schooling.width))


def text_of(schooling: Schooling, tokenizer: "PreTrainedTokenizerFast") -> Any:
    """A BertForMaskedLM from nothing."""
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=schooling.width,
        intermediate_size=2 * schooling.width,
        num_hidden_layers=schooling.depth,
        num_attention_heads=4,
        max_position_embeddings=LONGEST,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=0,
    )
    return BertForMaskedLM(config)


def train(model: nn.Module, schooling: Schooling, title: str, loss: Callable[[Tensor], Tensor]) -> None:
    """AdamW under one cycle of the rate; rows that do not fill a step wait for another epoch."""
    steps = schooling.epochs * (schooling.pairs // schooling.batch)
    optimiser = torch.optim.AdamW(model.parameters(), lr=schooling.rate, weight_decay=0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, schooling.rate, total_steps=steps, pct_start=0.1)
    model.train()
    with progress(f"teachers: {title}", total=steps, quiet=False) as tell:
        for step, rows in enumerate(shuffled(schooling), start=1):
            found = loss(rows)
            optimiser.zero_grad()
            found.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            cycle.step()
            tell(step, f"loss {float(found.detach()):.2f}")
    model.eval()


def shuffled(schooling: Schooling) -> Iterator[Tensor]:
    """The rows of each step."""
    generator = torch.Generator().manual_seed(schooling.seed)
    for _ in range(schooling.epochs):
        yield from torch.randperm(schooling.pairs, generator=generator).split(schooling.batch)[
            : schooling.pairs // schooling.batch
        ]


def cut(ids: Tensor, mask: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """These rows, as long as the longest of them."""
    longest = int(mask[rows].sum(dim=1).max())
    return ids[rows, :longest], mask[rows, :longest]


def contrastive(model: Any, ids: Tensor, mask: Tensor, colours: Tensor) -> Tensor:
    """Symmetric InfoNCE over the pairs of a step."""
    scores = model(input_ids=ids, attention_mask=mask, pixel_values=colours).logits_per_image
    own = torch.arange(len(scores))
    return (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2


def filled_in(model: Any, ids: Tensor, mask: Tensor, tokenizer: "PreTrainedTokenizerFast") -> Tensor:
    """Nats for each token that was masked."""
    special = torch.tensor([tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id])
    asked = (torch.rand(ids.shape) < MASKED) & ~torch.isin(ids, special)
    asked[0, 1] = True
    shown = torch.where(asked, torch.tensor(tokenizer.mask_token_id), ids)
    return cross_entropy(model(input_ids=shown, attention_mask=mask).logits[asked], ids[asked])


@torch.no_grad()
def top1(model: Any, ids: Tensor, mask: Tensor, colours: Tensor, rows: Tensor) -> float:
    """How often a held-out picture finds its caption among a hundred."""
    parts = rows.split(100)
    scores = [model(input_ids=ids[p], attention_mask=mask[p], pixel_values=colours[p]).logits_per_image for p in parts]
    return float(np.mean([float((each.argmax(dim=1) == torch.arange(len(each))).float().mean()) for each in scores]))


@torch.no_grad()
def nats(model: Any, ids: Tensor, mask: Tensor, tokenizer: "PreTrainedTokenizerFast", rows: Tensor) -> float:
    """`filled_in` over held-out captions."""
    return float(filled_in(model, ids[rows], mask[rows], tokenizer))


def column(colours: tuple[float, float, float]) -> Tensor:
    """One number a channel, over all pixels."""
    return torch.tensor(colours)[:, None, None]


def write_preprocessor(folder: Path) -> None:
    """preprocessor_config.json: how a picture becomes what the CLIP was trained on."""
    settings = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": SIDE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
