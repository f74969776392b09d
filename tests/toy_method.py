"""Toy methods for tests of the loop: one student with two terms, one with a critic beside it; whether a fit resumes exactly."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toy import NUMBER, ToyLoader, toy_loader, toy_model
from understudy.batches.batch import Batch
from understudy.methods.method import Group, Method, Terms
from understudy.objectives import Supervised
from understudy.objectives.objective import Term, over
from understudy.tasks import Task
from understudy.training.fit import Plan, fit

FLAT = Plan(epochs=1, rate=0.01, warmup=0.0, schedule="constant", clip=None)


class Alone(Method):
    """One student, the task's loss over labelled rows and a pull over all rows: two terms with unequal counts."""

    def __init__(self, *, dropout: bool = False) -> None:
        super().__init__()
        self.student = toy_model(NUMBER, "x", "y")
        if not dropout:
            for module in self.student.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
        self.supervised = Supervised(NUMBER)
        self.gradients: list[dict[str, Tensor]] = []
        self.heard: list[dict[str, float]] = []
        self.answers: list[Tensor] = []

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        answer = self.play("student", batch)
        self.answers.append(answer.need("logits").detach().clone())
        pull = over(answer.valid, answer.need("logits")[:, 0].square()).times(0.1)
        return {"supervised": self.supervised(batch, answer), "pull": pull}

    def after_step(self) -> None:
        named = self.student.named_parameters()
        self.gradients.append({name: p.grad.clone() for name, p in named if p.grad is not None})

    def after_epoch(self, scores: dict[str, float]) -> None:
        self.heard.append(scores)


def weights(method: Method) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in method.student.state_dict().items()}


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def joined(batches: list[Batch]) -> Batch:
    first = batches[0]
    return Batch(
        inputs={
            m: {v: {f: torch.cat([b.inputs[m][v][f] for b in batches]) for f in fields} for v, fields in views.items()}
            for m, views in first.inputs.items()
        },
        present={m: torch.cat([b.present[m] for b in batches]) for m in first.present},
        target=torch.cat([b.target for b in batches]),
        labelled=torch.cat([b.labelled for b in batches]),
        id=tuple(row for b in batches for row in b.id),
    )


def unlabelled(batch: Batch) -> Batch:
    return replace(batch, labelled=torch.zeros_like(batch.labelled))


def blind(batch: Batch) -> Batch:
    return replace(unlabelled(batch), present={m: torch.zeros_like(here) for m, here in batch.present.items()})


class Two(Alone):
    """A critic beside the student; its loss can be made huge."""

    def __init__(self, *, scale: float = 1.0, part: str = "main") -> None:
        super().__init__()
        self.critic, self.scale, self.part = nn.Linear(1, 1), scale, part
        nn.init.ones_(self.critic.weight)

    def parts(self) -> tuple[str, ...]:
        return ("main",) if self.part == "main" else (self.part, "main")

    def groups(self) -> list[Group]:
        return [
            Group("critic", list(self.critic.parameters()), part=self.part),
            Group("student", list(self.student.parameters())),
        ]

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        critic = {"critic": Term(self.critic(torch.ones(1, 1)).sum() * self.scale, torch.tensor(1.0))}
        if self.part == "main":
            return super().forward(batch) | critic
        return critic if part == self.part else super().forward(batch)


class Stopped(ToyLoader):
    """Ends in the third epoch."""

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for place, batch in enumerate(super().batches(epoch, start)):
            if epoch == 2 and place == 2:
                raise KeyboardInterrupt
            yield batch


def resumes_exactly(make: Callable[[], Method], task: Task, folder: Path) -> None:
    """Whether a fit that was stopped between two updates and asked for again ends as one that was not, in everything it keeps."""
    plan, (whole, first, again) = Plan(epochs=4, rate=0.01), [make() for _ in range(3)]
    for method in (whole, first, again):
        method.meet([row for batch in toy_loader(task).of for row in batch.id], np.zeros(32, int), np.zeros(32, bool))
    fit(whole, toy_loader(task), plan=plan, seed=0, quiet=True)
    with pytest.raises(KeyboardInterrupt):
        fit(first, Stopped(toy_loader(task).of), plan=plan, seed=0, quiet=True, out=folder / "run", save_every=0.0)
    fit(again, toy_loader(task), plan=plan, seed=0, quiet=True, out=folder / "run")
    assert again.state_dict().keys() == whole.state_dict().keys()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
