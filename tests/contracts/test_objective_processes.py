"""Two gloo processes give the one-process gradient for every objective of the catalogue; one spawn for all of them."""

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from test_objectives import ALL, Case, Example, ask, build, case, pick, said
from torch import Tensor

from understudy.objectives import CRD
from understudy.objectives.adversary import Adversary

ROWS, FIRST = 16, 5
"""The first process has five rows, the second one the other eleven."""
EVERY = [parameter.values[0] for parameter in ALL]
Found = dict[str, Tensor]


def gradients(example: Example, given: Case) -> Found:
    """Sums, counts and gradients that a process finds for its rows, of forward and of a critic; and the banks after an update."""
    objective, found = build(example), {}
    terms = {"main": ask(objective, example, given)}
    if isinstance(objective, Adversary):
        terms["critic"] = objective.critic(given.batch, given.student, given.teacher)
    for name, term in terms.items():
        objective.zero_grad()
        term.total.backward()
        found |= {f"{name}.total": term.total.detach(), f"{name}.count": term.count}
        found |= {f"{name}.{key}": p.grad.clone() for key, p in objective.named_parameters() if p.grad is not None}
    if isinstance(objective, CRD):
        objective.update()
        found |= {f"bank.{name}": value for name, value in objective.named_buffers()}
    return found | {
        f"{player}.{n}": x.grad
        for player in ("student", "teacher")
        for n, x in enumerate(said(getattr(given, player)))
        if x.grad is not None
    }


def process(rank: int, folder: Path) -> None:
    """One of two processes with its rows of every example's batch."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    rows = torch.arange(ROWS).tensor_split([FIRST])[rank]
    torch.save([gradients(example, pick(case(example.task, ROWS), rows)) for example in EVERY], folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def shares(tmp_path_factory) -> list[tuple[Found, Found]]:
    """What each process found, for every example."""
    made = tmp_path_factory.mktemp("two")
    multiprocessing.set_forkserver_preload(["torch._dynamo", "understudy.objectives"])
    mp.start_processes(process, args=(made,), nprocs=2, start_method="forkserver")
    one, two = (torch.load(made / f"{rank}.pt", weights_only=True) for rank in range(2))
    return list(zip(one, two, strict=True))


@pytest.mark.parametrize("index", range(len(EVERY)), ids=[parameter.id for parameter in ALL])
def test_two_processes_give_the_gradient_of_one(shares, index):
    one, two = shares[index]
    alone = gradients(EVERY[index], pick(case(EVERY[index].task, ROWS), torch.arange(ROWS)))
    assert one.keys() == two.keys() == alone.keys()
    assert float(one["main.count"]) != float(two["main.count"])
    for name, expected in alone.items():
        if name.startswith("bank"):
            assert torch.equal(one[name], two[name])
            torch.testing.assert_close(one[name], expected, rtol=1e-6, atol=1e-6)
            continue
        per_row = name.startswith(("student", "teacher"))
        found = torch.cat([one[name], two[name]]) if per_row else one[name] + two[name]
        scale = 1 if name.endswith("count") else float(alone["main.count"])
        torch.testing.assert_close(found / scale, expected / scale, rtol=1e-6, atol=1e-6)
