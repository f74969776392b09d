"""Hardware: where models train and answer, so that both are on one device, and how many can do so at once."""

import os
from typing import Literal

import torch

Jobs = int | Literal["auto", "devices"]
"""How many trainings run at once: a number; one a device, "devices"; or, where there is no accelerator, one a core, "auto"."""


def device() -> torch.device:
    """The first accelerator that is there, else the CPU; ACCELERATE_USE_CPU=1 keeps the CPU."""
    from accelerate import PartialState

    return torch.device(PartialState().device or "cpu")


def jobs_of(asked: Jobs) -> int:
    """How many that are here; ValueError for none."""
    if isinstance(asked, int):
        if asked < 1:
            raise ValueError(f"jobs is {asked}; give how many trainings may run at once, 1 or more, or auto")
        return asked
    return len(cuda()) or (len(os.sched_getaffinity(0)) if asked == "auto" else 1)


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
