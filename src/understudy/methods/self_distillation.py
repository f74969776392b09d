"""Self-distillation: the student's own moving average is its teacher.

Idea: pull the student, dropout on, towards the answers of the exponential moving average (EMA) of its weights, dropout off.
Paper: Tarvainen, Valpola, "Mean teachers are better role models", NeurIPS 2017, arXiv 1703.01780.
Differs: our form of it. KL with temperature (L1 or MSE for regression) instead of their consistency cost, and no ramp-up of the
weight; the EMA answers in evaluation mode; the student ships, not the EMA, so that a difference from the control comes from the
loss and not from averaged weights. The decay starts at 0 and grows as 1 - 1 / (update + 1) up to `decay`.
Use when: there is no teacher, or many rows lack labels.
Related: `kd` with a frozen teacher.
"""

from copy import deepcopy

import torch

from understudy import objectives
from understudy.batches.batch import Batch
from understudy.methods.method import Method, Terms
from understudy.models.model import Model, branches_of
from understudy.objectives.kd import Distance, answer_kd
from understudy.objectives.objective import together


class SelfDistillation(Method):
    """(1 - weight) * supervised + weight * kd towards the EMA player, which is in the checkpoint but in no optimiser.

    weight: in [0, 1]. temperature: above 0, for classes. distance: for regression. decay: in [0, 1), the share of the EMA that an
    update keeps.
    """

    weighs = True
    shares = True

    def __init__(
        self,
        student: Model,
        *,
        weight: float = 0.5,
        temperature: float = 2.0,
        distance: Distance = "l1",
        decay: float = 0.99,
    ) -> None:
        super().__init__()
        if not 0 <= weight <= 1 or not 0 <= decay < 1:
            raise ValueError(f"weight {weight} and decay {decay} given; weight must be in [0, 1] and decay in [0, 1)")
        self.student, self.ema = student, deepcopy(student).requires_grad_(False)
        self.weight, self.temperature, self.distance, self.decay = weight, temperature, distance, decay
        self.supervised = objectives.Supervised(student.task)
        self.kd = answer_kd(student.task, temperature=temperature, distance=distance)
        self.train()

    def train(self, mode: bool = True) -> "SelfDistillation":
        """As any module, but the EMA stays in evaluation mode: its target carries no noise."""
        super().train(mode)
        self.ema.eval()
        return self

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        played = []
        for _, seen in branches_of(self.student, batch):
            student = self.play("student", seen)
            with torch.no_grad():
                played.append((seen, student, self.play("ema", seen)))
        return {
            "supervised": together([self.supervised(seen, student) for seen, student, _ in played]).times(1 - self.weight),
            "kd": together([self.kd(seen, student, ema) for seen, student, ema in played]).times(self.weight),
        }

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the EMA towards the student; buffers that are not numbers to average are copied."""
        share = 1 - min(self.decay, 1 - 1 / (self.update + 1))
        for ours, students in zip(self.ema.state_dict().values(), self.student.state_dict().values(), strict=True):
            if ours.is_floating_point():
                ours.lerp_(students, share)
            else:
                ours.copy_(students)
