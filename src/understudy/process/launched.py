"""Launched: whether this is one of several processes that torchrun or accelerate launch started together. Without torch."""

import os


def several() -> int:
    """How many they are; 0 where this process is alone."""
    # Not Accelerate's count: without a GPU it takes each process of torchrun for the only one.
    many = int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1
    return many if many > 1 else 0
