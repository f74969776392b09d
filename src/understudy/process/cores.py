"""Cores: how many this process may use."""

import os


def cores() -> int:
    """Those that it is allowed where the system says so, as Linux does, else all of the machine's."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
