"""Experts: one head for each modality on that modality's own vector, so that a teacher says what each of them knows.

Late: experts whose encoders train, too, each alone.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.encoders.encoder import Encoded
from understudy.models.head import Features, Head
from understudy.tasks import Choice, Task

POOLED, LOGITS = ".pooled", ".logits"
"""How the features of a modality are named: its vector, which is 0 where it is absent, and what its own head says."""
Vectors = Mapping[str, Float[Tensor, "*R _"]]
"""Modality -> its vector in each row, or in each choice of each row."""


class Experts(Head):
    """A linear head a modality, on its vector alone; the logits are the mean of what the present ones say.

    No gradient goes through a head into its encoder: `features` carry the vectors themselves for whoever trains encoders. Said
    by log-probabilities where one of several classes is right, by logits elsewhere. Of choices, `text` names the modality that
    holds them, which is scored by a linear head; any other modality by its product with the choice's vector,
    (W z) . z_text / sqrt(D), where W begins as the identity if both are equally wide.
    """

    def __init__(self, task: Task, widths: Mapping[str, int], *, text: str = "") -> None:
        super().__init__()
        self.choices = task.choices if isinstance(task, Choice) else 0
        if bool(self.choices) != bool(text) or (text and text not in widths):
            raise ValueError(f"text {text!r} given for a {task.kind} task over {', '.join(widths)}; it names where choices stand")
        self.task, self.widths, self.text = task, dict(widths), text
        linear = {m: nn.Linear(width, task.outputs) for m, width in widths.items() if not text or m == text}
        bilinear = {m: nn.Linear(width, widths[text], bias=False) for m, width in widths.items() if m not in linear}
        self.heads = nn.ModuleDict(linear | bilinear)
        for modality in bilinear:
            if widths[modality] == widths[text]:
                nn.init.eye_(bilinear[modality].weight)

    def forward(
        self, embedding: Float[Tensor, "B D"], encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]
    ) -> tuple[Float[Tensor, "B C"], Features]:
        rows = {m: embedding.new_zeros(len(embedding), width) for m, width in self.widths.items()}
        pooled = {m: encoded[m].pooled if m in encoded else absent for m, absent in rows.items()}
        logits = self.apart(pooled)
        features = {m + POOLED: vectors for m, vectors in pooled.items()}
        features |= {m + LOGITS: each[:, 0] if self.choices else each for m, each in logits.items()}
        return self.joined(logits, present), features

    def apart(self, pooled: Vectors) -> dict[str, Float[Tensor, "*R C"]]:
        """Each modality's logits; of choices, one for each."""
        given = {m: self.read(vectors) for m, vectors in pooled.items()}
        said = {}
        for modality, vectors in given.items():
            said[modality] = self.heads[modality](vectors)
            if self.text and modality != self.text:
                text = given[self.text]
                said[modality] = (said[modality] * text).sum(dim=-1, keepdim=True) / text.shape[-1] ** 0.5
        return said

    def read(self, vectors: Float[Tensor, "*R _"]) -> Float[Tensor, "*R _"]:
        """What the heads see of them."""
        return vectors.detach()

    def joined(self, logits: Vectors, present: Mapping[str, Bool[Tensor, " B"]]) -> Float[Tensor, "B C"]:
        """The mean over the present modalities; 0 where there is none."""
        said = torch.stack([self._comparable(each) for each in logits.values()])
        here = torch.stack([present[m] for m in logits])[:, :, None]
        return said.where(here, 0.0).sum(dim=0) / here.sum(dim=0).clamp(min=1)

    def _comparable(self, logits: Float[Tensor, "R C"]) -> Float[Tensor, "R C"]:
        """Logits on a scale that those of other modalities share."""
        if self.choices:
            return logits.view(-1, self.choices).log_softmax(dim=1).view(-1, 1)
        return logits.log_softmax(dim=1) if self.task.discrete else logits


class Late(Experts):
    """Late fusion: each modality's encoder and head are a model of their own, of which none learns from what another says.

    That holds where their losses are their own (see `methods.apart`); the logits are the mean of what the present ones say, as
    those of `Experts`. No choices, where a head would read two modalities.
    """

    def __init__(self, task: Task, widths: Mapping[str, int], *, dropout: float) -> None:
        super().__init__(task, widths)
        self.dropout = nn.Dropout(dropout)

    def read(self, vectors: Float[Tensor, "*R _"]) -> Float[Tensor, "*R _"]:
        return self.dropout(vectors)
