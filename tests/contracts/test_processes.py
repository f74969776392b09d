"""Two gloo processes through `fit` give the one-process gradient: critics, players beside, windows and missing modalities."""

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from accelerate import Accelerator
from torch import Tensor, nn

from toy import NUMBER, ToyLoader, toy_batch, toy_experts, toy_model, toy_prompted, toy_slots
from toy_method import joined
from understudy.batches.batch import Batch
from understudy.methods import AMID, CET, MSD, UMI, VideoAdviser
from understudy.methods.method import Group, Method, Terms
from understudy.objectives import Supervised
from understudy.objectives.answer_entropy import AnswerGame
from understudy.objectives.objective import over
from understudy.teachers.teacher import Frozen
from understudy.training.fit import Plan, Scores, fit

# A small rate, since Adam turns the rounding of a gradient near 0 into a whole step.
PLAN = Plan(epochs=2, rate=0.001, warmup=0.0, clip=None, accumulate=2)


class Adversary(Method):
    """A student that pleases a critic which learns to tell labelled rows: two parts, each with gradients into the other's."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.critic = toy_model(NUMBER, "x", "y"), nn.Linear(6, 1)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        nn.init.constant_(self.critic.weight, 0.3)
        nn.init.zeros_(self.critic.bias)
        self.supervised = Supervised(NUMBER)
        self.gradients: list[dict[str, Tensor]] = []

    def parts(self) -> tuple[str, ...]:
        return ("critic", "main")

    def groups(self) -> list[Group]:
        critic, student = list(self.critic.parameters()), list(self.student.parameters())
        return [Group("critic", critic, part="critic"), Group("student", student)]

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        answer = self.play("student", batch)
        told = self.critic(answer.need("embedding"))[:, 0]
        if part == "critic":
            return {"tell": over(answer.valid, (told - batch.labelled.float()).square())}
        return {"supervised": self.supervised(batch, answer), "please": over(batch.labelled, told.square()).times(0.1)}

    def after_step(self) -> None:
        self.gradients.append({name: p.grad.clone() for name, p in self.named_parameters() if p.grad is not None})


class Along(VideoAdviser):
    """A teacher with class prompts that trains along; step 2 moves both, so that every gradient crosses the processes."""

    def __init__(self) -> None:
        super().__init__(toy_model(NUMBER, "x", seed=1), toy_prompted(NUMBER, "x", "y", seed=2), step2_detach=False)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.gradients: list[dict[str, Tensor]] = []

    def after_step(self) -> None:
        self.gradients.append({name: p.grad.clone() for name, p in self.named_parameters() if p.grad is not None})


def quarters() -> list[Batch]:
    """Eight batches of unequal size and counts: two updates of two batches for each of two processes.

    The last batch of the first update lacks modality y everywhere; in the second update no row counts at all.
    """
    batches = [toy_batch(NUMBER, rows, seed=rows) for rows in (3, 9, 4, 7)]
    batches[2:] = [batch.keep("x") for batch in batches[2:]]
    batches[1] = replace(batches[1], labelled=torch.zeros_like(batches[1].labelled))
    empty = [
        replace(b, labelled=torch.zeros_like(b.labelled), present={m: torch.zeros_like(h) for m, h in b.present.items()})
        for b in batches
    ]
    return batches + empty


class Three(AMID):
    """Three players, a game and a bound: what crosses the processes are gathered rows and two parts' gradients."""

    def __init__(self) -> None:
        student, teacher, auxiliary = (toy_model(NUMBER, *each, seed=1) for each in (("x",), ("x", "y"), ("y",)))
        torch.manual_seed(2)
        super().__init__(student, teacher, auxiliary, cond_entropy="answers_gan", detach_teacher_in_h=False, beta=5.0)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        assert isinstance(self.entropy, AnswerGame)
        self.entropy.noise = 0.0
        self.gradients: list[dict[str, Tensor]] = []

    def after_step(self) -> None:
        super().after_step()
        self.gradients.append({name: p.grad.clone() for name, p in self.named_parameters() if p.grad is not None})


class Joined(UMI):
    """Two branches over common slots, pseudo-labels of predictors of one modality each, and learnt tokens."""

    def __init__(self) -> None:
        torch.manual_seed(2)
        teacher = Frozen(toy_experts(NUMBER, "x", "y", width=7, seed=2))
        super().__init__(toy_slots(NUMBER, "x", "y", seed=1, dropout=0.0), teacher, align=0.5, anchors=3)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
            if isinstance(module, nn.MultiheadAttention):
                # No answer depends on a key's bias: its gradient is rounding alone, of which Adam makes a whole step.
                queries_and_values = torch.tensor([1.0, 0.0, 1.0]).repeat_interleave(module.embed_dim)
                module.in_proj_bias.register_hook(lambda gradient, some=queries_and_values: gradient * some)
        self.gradients: list[dict[str, Tensor]] = []

    def after_step(self) -> None:
        super().after_step()
        self.gradients.append({name: p.grad.clone() for name, p in self.named_parameters() if p.grad is not None})


class Ahead(MSD):
    """Views whose weights a look-ahead step judges: a gradient of all processes inside each one's loss."""

    def __init__(self) -> None:
        student, teacher = toy_model(NUMBER, "x", "y", seed=1), toy_model(NUMBER, "x", "y", width=7, seed=2)
        torch.manual_seed(2)
        super().__init__(student, Frozen(teacher), weights="learned", meta=0.5, look_ahead=1.0)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.gradients: list[dict[str, Tensor]] = []

    def after_step(self) -> None:
        self.gradients.append({name: p.grad.clone() for name, p in self.named_parameters() if p.grad is not None})


class Competing(CET):
    """Two students of which the more reliable one, over all rows of all processes, moves the teacher."""

    def __init__(self) -> None:
        student = toy_model(NUMBER, "x", "y", seed=1)
        for module in student.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        super().__init__(student, weight=5.0, ramp=1, source="softmax", temperature=1.0, decay=0.4)
        self.gradients: list[dict[str, Tensor]] = []

    def after_step(self) -> None:
        super().after_step()
        self.gradients.append({name: p.grad.clone() for name, p in self.named_parameters() if p.grad is not None})


KINDS = (Adversary, Along, Three, Joined, Ahead, Competing)
Kind = type[Adversary] | type[Along] | type[Three] | type[Joined] | type[Ahead] | type[Competing]


def validate() -> Scores:
    """Another score in each process, as if they had seen different rows: the first process decides for all."""
    return Scores(float(os.environ.get("RANK", 0)), False, {})


def trained(
    kind: Kind, train: ToyLoader, plan: Plan, out: Path | None = None
) -> tuple[list[dict[str, Tensor]], dict[str, Tensor], list]:
    method = kind()
    settings = {"plan": plan, "seed": 0, "validate": validate, "accelerator": Accelerator(cpu=True)}
    history = fit(method, train, out=out, save_every=0.0, **settings)
    log = [{**line, "seconds": 0} for line in history.epochs]
    return method.gradients, method.state_dict(), log


def process(rank: int, folder: Path) -> None:
    """One of two processes; its batches are every second one."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    os.environ |= {"ACCELERATE_USE_CPU": "yes", "GLOO_SOCKET_IFNAME": "lo"}
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    for kind in KINDS:
        found = trained(kind, ToyLoader(quarters()[rank::2]), PLAN, folder / kind.__name__)
        again = trained(kind, ToyLoader(quarters()[rank::2]), PLAN, folder / kind.__name__)
        torch.save((found, again), folder / f"{kind.__name__}-{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What two processes found, for every kind."""
    made = tmp_path_factory.mktemp("two")
    # The children are forked from a process that has imported PyTorch once and computed nothing.
    multiprocessing.set_forkserver_preload(["torch._dynamo", "understudy.training.fit"])
    mp.start_processes(process, args=(made,), nprocs=2, start_method="forkserver")
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_give_the_gradient_of_one(folder, kind):
    (one, _), (two, again) = (torch.load(folder / f"{kind.__name__}-{rank}.pt", weights_only=True) for rank in range(2))
    alone = trained(kind, ToyLoader(quarters()), replace(PLAN, accumulate=4))
    if kind is not Adversary:  # Candidates of a contrast, and rows that vouch for classes, are a batch of all processes.
        pairs = [joined(quarters()[at : at + 2]) for at in range(0, 8, 2)]
        alone = trained(kind, ToyLoader(pairs), PLAN)
    assert len(alone[0]) == len(one[0]) == 2, "the update in which nothing counts is skipped in both"
    for mine, theirs, expected in zip(one[0], two[0], alone[0], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(one[1], two[1], rtol=0, atol=0)
    torch.testing.assert_close(one[1], alone[1], rtol=1e-4, atol=1e-5)
    for mine, expected in zip(one[2], alone[2], strict=True):
        assert mine["terms"].keys() == expected["terms"].keys()
        torch.testing.assert_close(mine["terms"], expected["terms"], rtol=1e-5, atol=1e-6)
    assert again[0] == [], "the checkpoint of the finished run is found by both"
    torch.testing.assert_close(again[1], two[1], rtol=0, atol=0)
