#!/usr/bin/env bash
# accelerate 1.15.0 with torch 2.13.0: `accelerate launch --cpu --num_processes 2` starts one process, and says nothing about it.
#
# One would guess that two processes are started, as they are on two GPUs and by `torchrun --nproc-per-node 2`, and as a
# configuration file with `distributed_type: MULTI_CPU` and `num_processes: 2` asks for in so many words. Processes of the CPU are
# started through mpirun alone, where a host file is named; without one the script runs once, with no RANK and no WORLD_SIZE, and
# the exit status is 0: a training that was meant to be shared runs in one process. Seen: one line from `accelerate launch` either
# way, two lines from torchrun.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 torch==2.13.0 accelerate==1.15.0
cd "$work"
export PATH="$work/venv/bin:$PATH" HF_HOME="$work/home"
cat > script.py <<'PYTHON'
import os

print("process", os.environ.get("RANK"), "of", os.environ.get("WORLD_SIZE"), flush=True)
PYTHON
cat > config.yaml <<'YAML'
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_CPU
machine_rank: 0
mixed_precision: 'no'
num_machines: 1
num_processes: 2
use_cpu: true
YAML
flags=(--cpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no)
accelerate launch "${flags[@]}" script.py 2> /dev/null | grep "^process" | sort > flags.txt
accelerate launch --config_file config.yaml script.py 2> /dev/null | grep "^process" | sort > config.txt
torchrun --nproc-per-node 2 script.py 2> /dev/null | grep "^process" | sort > torchrun.txt
python - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

seen = {name: Path(f"{name}.txt").read_text().splitlines() for name in ("flags", "config", "torchrun")}
print(f"accelerate {version('accelerate')}, torch {version('torch')}: {seen}")
assert seen["torchrun"] == ["process 0 of 2", "process 1 of 2"], "torchrun no longer starts two"
for name in ("flags", "config"):
    assert seen[name] == ["process None of None"], f"accelerate launch by {name} behaves otherwise now"
PYTHON
