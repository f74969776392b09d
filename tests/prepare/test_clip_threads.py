"""Decoding leaves nothing behind: a process that is kept warm decodes thousands of clips."""

import gc
from pathlib import Path

import numpy as np
import pytest

from tiny_clips import film
from understudy.prepare.clip import pictures_at
from understudy.prepare.picture import Square

STATUS = Path("/proc/self/status")


def threads() -> int:
    return int(next(line for line in STATUS.read_text().splitlines() if line.startswith("Threads")).split()[1])


@pytest.mark.skipif(not STATUS.is_file(), reason="threads are counted where /proc says how many there are")
def test_no_thread_lives_on_in_a_picture_that_was_kept():
    content, places = film(90), (np.arange(4) + 0.5) / 4
    pictures_at(content, places, Square(16).of)
    gc.disable()
    try:
        before = threads()
        for _ in range(3):
            pictures_at(content, places, Square(16).of)
        assert threads() == before
    finally:
        gc.enable()
