"""Where models answer outside of `fit`: Accelerate's choice, so that training and asking are on one device."""

import torch


def device() -> torch.device:
    """The first accelerator that is there, else the CPU; ACCELERATE_USE_CPU=1 keeps the CPU."""
    from accelerate import PartialState

    return torch.device(PartialState().device or "cpu")
