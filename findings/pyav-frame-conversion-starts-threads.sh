#!/usr/bin/env bash
# PyAV 18.1.0: `VideoFrame.to_ndarray(format="rgb24")` starts threads for each frame, and they live as long as the frame does.
#
# One would guess that converting a frame of 32 x 32 pixels starts no thread, and that none is left when it returns: the decoder was
# told `thread_count = 1`. Each frame makes a conversion of its own, with as many threads as there are cores, which end with the
# frame. Frames that are kept, or that only the collector of cycles frees, keep theirs: a process that decodes clip after clip holds
# hundreds, and a limit of its address space ends it. `threads=1` starts none and gives the same picture. Seen: 12 frames that are
# kept leave 12 or more new threads on two cores or more, and none with `threads=1`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 av==18.1.0
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import os
from pathlib import Path

import av
import numpy as np


def threads():
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Threads")).split()[1])


def left(**options):
    frames = [av.VideoFrame.from_ndarray(np.full((32, 32, 3), 9 * n, np.uint8), format="rgb24").reformat(format="yuv420p") for n in range(12)]
    before = threads()
    pictures = [frame.to_ndarray(format="rgb24", **options) for frame in frames]
    return threads() - before, np.stack(pictures), frames


usual, pictures, kept = left()
alone, same, others = left(threads=1)
print(f"PyAV {av.__version__}, {os.cpu_count()} cores: {usual} threads left by 12 frames, {alone} with threads=1")
assert (pictures == same).all()
assert alone == 0, "threads=1 starts some now"
assert os.cpu_count() == 1 or usual >= 12, "no thread is left any more"
PYTHON
