"""Several workers do each its share, and what goes wrong with one of them is said in one sentence."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from understudy.process import crew as module
from understudy.process.crew import ALONE, Crew
from understudy.process.share import ALL, Share


@dataclass(frozen=True)
class Squares:
    """The squares of a share of so many numbers; `bad`: the share's number whose worker does `how`."""

    count: int
    bad: int = -1
    how: str = ""

    def __call__(self, share: Share) -> list[int]:
        if share.index == self.bad:
            if self.how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise {"ValueError": ValueError, "TypeError": TypeError}[self.how]("the third number is none")
        return [number**2 for number in range(self.count)[share.slice]]


def test_each_does_its_share_and_the_answers_come_in_order():
    looks = []
    found = Crew(3).divide(Squares(10), ALL, look=lambda: looks.append(1))
    assert found == [[0, 9, 36, 81], [1, 16, 49], [4, 25, 64]]
    assert looks
    assert Crew(2).divide(Squares(10), Share(1, 2)) == [[1, 25, 81], [9, 49]]


def environment(share: Share) -> tuple[str, str]:
    return os.environ["OMP_NUM_THREADS"], os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_knows_its_cores_and_its_device():
    before = dict(os.environ)
    found = Crew(2, threads=3).divide(environment, ALL, device=lambda number: {"CUDA_VISIBLE_DEVICES": str(number)})
    assert found == [("3", "0"), ("3", "1")]
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("ValueError", ValueError, r"^the third number is none$"),
        (
            "killed",
            ChildProcessError,
            r"^worker 2 of 2: its process died \(SIGKILL, so perhaps out of memory\); what is finished",
        ),
        ("TypeError", ChildProcessError, r"^worker 2 of 2: its process died \(exit code 1\)"),
    ],
)
def test_the_first_that_fails_is_told_of(how, kind, said):
    with pytest.raises(kind, match=said):
        Crew(2).divide(Squares(4, bad=1, how=how), ALL)


def wait(share: Share) -> None:
    Path(f"worker-{share.index}").write_text(str(os.getpid()))
    time.sleep(60)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nobody_works_on_for_one_that_is_gone(tmp_path, how):
    code = "from process.test_crew import *\nif __name__ == '__main__':\n    Crew(2).divide(wait, ALL)"
    (tmp_path / "job.py").write_text(code)
    path = os.pathsep.join(sys.path)
    job = subprocess.Popen([sys.executable, "job.py"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path})
    while len(begun := list(tmp_path.glob("worker-*"))) < 2 or not all(each.read_text() for each in begun):
        time.sleep(0.01)
    job.send_signal(how)
    job.wait()
    for each in begun:
        for _ in range(500):
            if (
                not Path(f"/proc/{each.read_text()}/cmdline").exists()
                or not Path(f"/proc/{each.read_text()}/cmdline").read_bytes()
            ):
                break
            time.sleep(0.01)
        else:
            pytest.fail("a worker lives on")


def test_a_crew_that_there_cannot_be(monkeypatch):
    assert ALONE.single
    with pytest.raises(ValueError, match="jobs=0 given; expected 1 worker or more"):
        Crew(0)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"^engine is 'ray', and Ray is not installed: pip install 'understudy\[ray\]'$"):
        Crew(engine="ray")


def test_shares_within_shares():
    assert Share(5, 12).within(Share(1, 4))
    assert not Share(5, 12).within(Share(0, 4))
    assert not Share(1, 4).within(Share(5, 12))
    assert Share(1, 4).within(ALL)
    assert Share.named(Share(1, 4).name) == Share(1, 4)
    assert {Share(1, 4).part(index, 3) for index in range(3)} == {Share(1, 12), Share(5, 12), Share(9, 12)}
