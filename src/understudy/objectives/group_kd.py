"""Group KD: within each group of classes the student's answer is pulled towards that of an expert of this group.

Paper: after Xiang, Ding, Han, on learning from multiple experts (LFME), ECCV 2020. Our form of it: groups by the number of rows
of a class, the divergence without the factor T^2, and the pace are those of the published code, written from equations; the
paper's own text was not at hand, and no published number is claimed. Ours: experts answer as one teacher, whose columns of each
group are those of its expert (groups share no class), and an expert that is never right teaches nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from understudy.objectives.kd import SoftenedKD, kl_divergence


def groups_by_count(counts: Sequence[int], *, many: int = 100, few: int = 20) -> dict[str, tuple[int, ...]]:
    """Classes with at least `many` rows, at most `few`, and those between ("median"); only groups that have a class.

    counts: train rows of each class. ValueError unless 0 <= few < many.
    """
    if not 0 <= few < many:
        raise ValueError(f"many {many}, few {few} given; few must be at least 0 and below many: rows of a class")
    names = ["many" if count >= many else "few" if count <= few else "median" for count in counts]
    found = {name: tuple(n for n, own in enumerate(names) if own == name) for name in ("many", "median", "few")}
    return {name: classes for name, classes in found.items() if classes}


def self_paced(student: float, expert: float, *, alpha: float = 0.3) -> float:
    """The weight of an expert by two accuracies on its group's validation rows: 1 until the student has `alpha` of the expert's.

    From there in a straight line to 0, where the student is as good. student: its prediction is over all classes. ValueError for
    an alpha outside [0, 1), and for what is no accuracy, as of a group without validation rows.
    """
    if not 0 <= alpha < 1:
        raise ValueError(f"alpha {alpha} given; it must be at least 0 and below 1: the share of the expert's accuracy")
    if not (0 <= student <= 1 and 0 <= expert <= 1):
        raise ValueError(f"accuracies {student}, {expert} given; both must be in [0, 1], so each group needs validation rows")
    if student >= expert:
        return 0.0
    return min(1.0, (expert - student) / (expert * (1 - alpha)))


class GroupKD(SoftenedKD):
    """The sum over groups of weight * KL(softmax(teacher's columns / T) || softmax(student's columns / T)), in nats.

    groups: classes of each; together all classes, each once, or a ValueError. All weights are 1 until `pace` sets them; they are
    part of the state. detach: as in `AnswerKD`.
    """

    weights: Tensor

    def __init__(self, groups: Sequence[Sequence[int]], *, temperature: float = 2.0, detach: bool = True) -> None:
        super().__init__(temperature=temperature, detach=detach)
        every = [one for group in groups for one in group]
        if not every or not all(groups) or sorted(every) != list(range(len(every))):
            raise ValueError(f"groups {[[*group] for group in groups]} given; every class must be in one group, and in one only")
        for n, group in enumerate(groups):
            self.register_buffer(f"columns{n}", torch.tensor([*group]), persistent=False)
        self.register_buffer("weights", torch.ones(len(groups)))

    def pace(self, student: Sequence[float], experts: Sequence[float], *, alpha: float = 0.3) -> None:
        """Weights from validation accuracies in each group, by `self_paced`."""
        weights = [self_paced(float(ours), float(theirs), alpha=alpha) for ours, theirs in zip(student, experts, strict=True)]
        self.weights.copy_(torch.from_numpy(np.array(weights, dtype=np.float32)))

    def divergence(self, student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
        columns = [self.get_buffer(f"columns{n}") for n in range(len(self.weights))]
        if (classes := sum(map(len, columns))) != student.shape[1]:
            raise ValueError(f"answers over {student.shape[1]} classes given, but the groups hold {classes}")
        losses = [kl_divergence(student[:, own], teacher[:, own], temperature=self.temperature) for own in columns]
        return torch.stack(losses, dim=1) @ self.weights / self.temperature**2
