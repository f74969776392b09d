#!/usr/bin/env bash
# ray 2.60.0: `ray.cancel` of a task that is done ends the process that calls it, now and then: "Check failed: it !=
# submissible_tasks_.end() Tried to complete task that was not pending", a stack trace and exit status 1, which no `except` catches.
#
# Nothing happens then, says its documentation, as there is nothing left to cancel: whoever waits for several tasks and cancels
# all of them in a `finally`, so that none outlives an error, loses the results that were there. `force=False` does the same. Seen: a
# driver of 300 pairs of tasks, each waited for by `ray.wait` and then cancelled, never reaches its last line; without the cancel,
# or with it for tasks that still run alone, it does.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0
cd "$work"
export PATH="$work/venv/bin:$PATH"
cat > script.py <<'PYTHON'
import sys

import ray

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
one = ray.remote(max_retries=0)(lambda: 1)
for _ in range(300):
    tasks = [one.remote(), one.remote()]
    done, running = ray.wait(tasks, num_returns=2)
    for task in {"all": tasks, "running": running, "none": []}[sys.argv[1]]:
        ray.cancel(task, force="force" in sys.argv)
print("reached the end")
PYTHON
ends() { python script.py "$@" 2> said.txt | grep -c "reached the end" || true; }
for way in "all force" "all" "running force" "none"; do
  # shellcheck disable=SC2086
  echo "cancelled $way: reached the end $(ends $way) of 1 times, $(grep -c 'not pending' said.txt || true) check failed"
done | tee seen.txt
grep -q "cancelled all force: reached the end 0 of 1 times, 1 check failed" seen.txt
grep -q "cancelled all: reached the end 0 of 1 times, 1 check failed" seen.txt
grep -q "cancelled running force: reached the end 1 of 1 times, 0 check failed" seen.txt
grep -q "cancelled none: reached the end 1 of 1 times, 0 check failed" seen.txt
