"""How many cores there are, on systems that say what a process may use and on those that do not."""

import os

from understudy.process.cores import cores


def test_cores_where_the_system_says_and_where_it_does_not(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()
