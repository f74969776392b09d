"""IFD: who is near whom at every layer is to be as the teacher has it, strongly at first, and through an assistant if wanted.

Idea: how information flows through the layers is described by who is near whom at each; the student follows that flow at layers
paired by depth, in a critical first period above all, and at its last layer throughout.
Paper: Passalis, Tzelepi, Tefas, "Heterogeneous Knowledge Distillation using Information Flow Modeling", CVPR 2020.
Differs: mimicking the flow and the critical period are the paper's; similarities in place of information, kernels, Jeffreys'
divergence, alpha 100 falling by 0.7 an epoch, the last layer at 1 and an auxiliary teacher are its published code's. Ours: a row
is no neighbour of itself and its divergence a sum over the others, so that weights mean another thing than there; layers are
those inside encoders, of modalities that both read, one vector a row (means of map cells, of tokens), paired by their share of
the depth; the last is the embedding before the head; the loss on labels has weight 1; the assistant is of the student's kind and
twice its width, learns from labels and the teacher's last layer, and teaches the student with all of its own. Neighbours are
the rows of one batch, of all processes.
Use when: teacher and student differ in kind (`assistant=True`), and the student is to search or group as the teacher does.
Related: `pkt` is `pairs=last kernel=cosine divergence=kl`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import nn

from understudy import objectives
from understudy.batches.batch import NOTHING, Wanted, layer
from understudy.methods.options import check_weights, check_words, warn_idle
from understudy.methods.taught import TaughtByFeatures
from understudy.models.model import Model
from understudy.objectives.ifd import Divergence, Kernel, pairs_by_depth
from understudy.objectives.objective import Objective
from understudy.tasks import Retrieval, Task
from understudy.teachers.teacher import Teacher


class IFD(TaughtByFeatures):
    """supervised + weight * (last layer + alpha * gamma^epoch * sum over pairs of inner layers), each a divergence.

    weight, alpha: at least 0; at weight 0 the teacher is not asked. gamma: above 0 and at most 1. kernel: "combined" adds the
    divergences under both. pairs: "depth", or "last" for the last layer alone. assistant: whether one stands between the two.
    ValueError for options that cannot be, and an assistant in retrieval; a warning for those without effect.
    """

    def __init__(
        self,
        student: Model,
        teacher: Teacher,
        *,
        weight: float = 1.0,
        alpha: float = 100.0,
        gamma: float = 0.7,
        kernel: Kernel = "combined",
        divergence: Divergence = "jeffreys",
        pairs: Literal["depth", "last"] = "depth",
        assistant: bool = False,
    ) -> None:
        self.check(student.task, {}, assistant=assistant, weight=weight)
        wanted = self.wants(student.modalities, teacher.modalities, weight=weight, alpha=alpha, pairs=pairs)
        super().__init__(student, teacher.saying(wanted) if wanted != NOTHING else teacher)
        self.wanted = wanted
        self.weight, self.alpha, self.gamma, self.kernel, self.divergence = weight, alpha, gamma, kernel, divergence
        self.pairs, self.assistant = pairs, assistant
        check_weights(weight=weight, alpha=alpha)
        check_words(self, IFD)
        if not 0 < gamma <= 1:
            raise ValueError(f"gamma {gamma} given; it must be above 0 and at most 1: what is left of alpha from epoch to epoch")
        # Whether any alpha would pair inner layers: then even 0 has an effect.
        paired = self.wants(student.modalities, teacher.modalities, weight=weight, alpha=1.0, pairs=pairs).layers
        effects = {"alpha": (paired, "no inner layer is paired"), "gamma": (wanted.layers, "no inner layer is paired")}
        warn_idle(self, IFD, effects)
        told: dict[str, Any] = {"kernel": kernel, "divergence": divergence}
        self.last, inner = objectives.IFD(**told), self.teacher.layers if wanted.layers else {}
        self.inner = nn.ModuleDict(
            {
                f"{m}_layer{ours}": objectives.IFD(ours=layer(m, ours), theirs=layer(m, theirs), **told)
                for m, many in student.layers.items()
                for ours, theirs in pairs_by_depth(many, inner.get(m, 0))
            }
        )

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], *, assistant: bool, weight: float, **options: Any) -> None:
        if assistant and weight and isinstance(task, Retrieval):
            raise ValueError("assistant given, but in retrieval it would answer by branches, as no teacher does; leave it out")

    @classmethod
    def wants(
        cls, student: Sequence[str], teacher: Sequence[str], *, weight: float, alpha: float, pairs: str, **others: Any
    ) -> Wanted:
        return Wanted(layers=True) if weight and alpha and pairs == "depth" and set(student) & set(teacher) else NOTHING

    @classmethod
    def assisted(cls, *, assistant: bool, weight: float, **others: Any) -> bool:
        return assistant and bool(weight)

    @classmethod
    def assist(
        cls, student: Model, teacher: Teacher, *, weight: float, kernel: Kernel, divergence: Divergence, **others: Any
    ) -> "IFD":
        return cls(student, teacher, weight=weight, kernel=kernel, divergence=divergence, pairs="last")

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        if not self.weight:
            return {}
        falling = self.weight * self.alpha * self.gamma**self.epoch
        inner = {name: (each, falling) for name, each in self.inner.items() if isinstance(each, Objective)}
        return {"last": (self.last, self.weight)} | inner
