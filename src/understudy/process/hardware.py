"""Hardware: where models train and answer, so that both are on one device, and how many can do so at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import parse_flag_from_env

from understudy.process.cores import cores
from understudy.process.launched import several
from understudy.process.tracking import wanted

Jobs = int | Literal["auto", "devices"]
"""How many trainings run at once: a number; one a device, "devices"; or, where there is no accelerator, one a core, "auto"."""
Precision = Literal["fp32", "bf16", "fp16"]
"""Of products in training; weights, sums and answers are of 32 bits."""
CPU = "ACCELERATE_USE_CPU"
"""What keeps Accelerate, here and in processes that start here, from any other device."""


def device() -> torch.device:
    """The first accelerator that is there, else the CPU; unless `on` says another, or ACCELERATE_USE_CPU=1 keeps the CPU."""
    return torch.device(PartialState().device or "cpu")


@contextmanager
def on(name: str = "", *, threads: int = 0) -> Iterator[None]:
    """Inside, models train and answer on this device; the usual one when "".

    threads: of the CPU for one operation; torch's choice, all cores, when 0. ValueError for a device that is not here, or fewer.
    """
    if threads < 0:
        raise ValueError(f"threads is {threads}; give how many, 1 or more, or 0 for all cores")
    if name and several():
        raise ValueError(
            f"device is {name!r}, but of processes launched together each takes its own; leave it out, or set {CPU}=1 for the CPU"
        )
    wanted = here(name) if name else None
    before, usual = torch.get_num_threads(), os.environ.get(CPU)
    if threads:
        torch.set_num_threads(threads)
    if wanted:
        choose(wanted, "1" if wanted.type == "cpu" else "0")
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if wanted:
            choose(None, usual)


def here(name: str) -> torch.device:
    """The device of this name; ValueError where there is none."""
    kinds = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    kind, _, number = name.partition(":")
    if kind not in kinds or not (number or "0").isdigit():
        raise ValueError(f"device is {name!r}; choose cpu, cuda, cuda:N or mps")
    if int(number or 0) >= kinds[kind]:
        there = ", ".join(f"{each}:{i}" if each == "cuda" else each for each, many in kinds.items() for i in range(many))
        raise ValueError(f"device is {name!r}, which this machine has not; it has {there}")
    return torch.device(name)


def choose(wanted: torch.device | None, cpu: str | None) -> None:
    """Let Accelerate choose anew, which keeps its first choice for the whole process."""
    os.environ.pop(CPU, None)
    if cpu is not None:
        os.environ[CPU] = cpu
    if wanted and wanted.type == "cuda" and wanted.index is not None:
        torch.cuda.set_device(wanted)
    AcceleratorState._reset_state(reset_partial_state=True)


def meet() -> None:
    """Of several processes that were launched together: each takes its device, the CPU where no GPU is, and they connect."""
    if not torch.accelerator.is_available() or torch.backends.mps.is_available():
        os.environ[CPU] = "1"
    PartialState(cpu=parse_flag_from_env(CPU))


def accelerator(precision: Precision, *, run: Path | None = None) -> Accelerator:
    """What a fit of this precision runs on, tracked where that is wished for and it is of a run's folder.

    Accelerate would keep the first precision of a process for all that follow.
    """
    AcceleratorState._reset_state()
    return Accelerator(mixed_precision="no" if precision == "fp32" else precision, **(wanted(run) if run else {}))


def check_precision(precision: Precision) -> None:
    """ValueError for one that the device has not."""
    if precision == "fp16" and device().type != "cuda":
        raise ValueError(f"precision is fp16, which needs a GPU, and this is {device().type}; choose bf16 or fp32")


def jobs_of(asked: Jobs) -> int:
    """How many that are here; ValueError for none."""
    if isinstance(asked, int) and asked < 1:
        raise ValueError(f"jobs is {asked}; give how many trainings may run at once, 1 or more, or auto")
    if many := several():
        if isinstance(asked, int) and asked > 1:
            raise ValueError(
                f"jobs is {asked}, but this is one of {many} processes launched together, which train one model at a time; leave "
                "jobs out, or start it without torchrun or accelerate launch"
            )
        return 1
    if isinstance(asked, int):
        return asked
    return len(cuda()) or (cores() if asked == "auto" else 1)


def cuda() -> list[str]:
    """The names of the CUDA devices that may be used, as CUDA_VISIBLE_DEVICES has them."""
    if device().type != "cuda":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]


def one_device(number: int) -> dict[str, str]:
    """The environment in which process `number` of several sees one CUDA device, each its own while they last."""
    found = cuda()
    return {"CUDA_VISIBLE_DEVICES": found[number % len(found)]} if found else {}
