"""What is killed while it is written: a living writer is left alone, a dead one's traces go with the next on the same target."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.process.alone import alone
from understudy.process.partial import ours, sweep_inside
from understudy.process.whole import Unwritable, read_json, sha256, whole_file, whole_folder, write_json, write_text

WRITER = """
import sys
from pathlib import Path
from understudy.process.whole import whole_file, whole_folder
from understudy.process.alone import alone
with {"file": whole_file, "folder": whole_folder, "alone": alone}[sys.argv[1]](Path(sys.argv[2])) as partial:
    print("at it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer():
    """Starts another process that is at work on a target until it is killed."""
    started: list[subprocess.Popen] = []

    def start(what: str, target: Path) -> subprocess.Popen:
        command = [sys.executable, "-c", WRITER, what, str(target)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout
        assert started[-1].stdout.readline() == "at it\n"
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_file_s_writer_is_left_alone_until_it_is_dead(tmp_path, writer):
    target = tmp_path / "a.json"
    other = writer("file", target)
    write_text(target, "mine")
    assert {ours(path) for path in tmp_path.iterdir()} == {True, False}
    end(other)
    write_text(tmp_path / "b.json", "another target sweeps nothing of this one")
    assert len(list(tmp_path.iterdir())) == 3
    write_text(target, "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_of_two_writers_of_a_folder_the_second_is_refused_and_goes_on_when_the_first_is_dead(tmp_path, writer):
    target = tmp_path / "out.v1"
    other = writer("folder", target)
    with pytest.raises(ValueError, match="another process is writing"), whole_folder(target):
        pass
    end(other)
    with whole_folder(target) as partial:
        write_json(partial / "a.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["out.v1"]


def test_who_takes_a_folder_sweeps_it_and_leaves_what_is_not_ours(tmp_path, writer):
    deep = tmp_path / "seed-0"
    deep.mkdir()
    for other in (writer("file", deep / "model.bin"), writer("folder", deep / "answers"), writer("alone", deep)):
        end(other)
    (deep / ".notes.partial").write_text("a person's own")
    alive = writer("file", deep / "report.html")
    with alone(tmp_path):
        found = sorted(path.name.split("-")[0] for path in deep.iterdir())
    assert found == [".notes.partial", ".report.partial"]
    end(alive)
    sweep_inside(tmp_path)
    assert [path.name for path in deep.iterdir()] == [".notes.partial"]


PARENT = """
import os, signal, sys
from pathlib import Path
from understudy.process.alone import alone
with alone(Path(sys.argv[1])):
    child = os.fork()
    if not child:
        signal.pause()
    print(child, flush=True)
    signal.pause()
"""


def test_a_forked_child_does_not_keep_its_dead_parent_s_lock(tmp_path):
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        end(parent)
        try:
            with alone(tmp_path):
                os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)


FULL = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from understudy.process.whole import whole_file, whole_folder, write_text
try:
    if sys.argv[1] == "file":
        write_text(Path(sys.argv[2]), "x" * 9999)
    else:
        with whole_folder(Path(sys.argv[2])) as partial:
            (partial / "rows.bin").write_bytes(bytes(9999))
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_disk_that_takes_no_more_is_one_sentence_about_what_was_asked_for(tmp_path, what):
    target = tmp_path / "wanted.csv"
    done = subprocess.run([sys.executable, "-c", FULL, what, str(target)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{target} cannot be written: File too large\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("call", ["mkdir", "touch", "fsync", "replace", "rename"])
def test_whatever_takes_no_more_leaves_things_as_they_were(tmp_path, monkeypatch, code, call):
    def full(*_, **__):
        raise OSError(code, os.strerror(code))

    kept, new, folder = tmp_path / "kept.json", tmp_path / "new" / "a.json", tmp_path / "out"
    write_text(kept, "before")
    jobs = {kept: lambda: write_text(kept, "after"), new: lambda: write_text(new, "a"), folder: lambda: made_folder(folder)}
    for target, job in jobs.items():
        with monkeypatch.context() as broken:
            broken.setattr(os if call == "fsync" else Path, call, full)
            said = complaint(job)
        # A job that does not come by that call succeeds.
        assert said in ("", f"{target} cannot be written: {os.strerror(code)}")
        assert not said or not target.exists() or kept.read_text() == "before"
    assert not [path for path in tmp_path.rglob("*") if ours(path)]


def complaint(job: Callable[[], None]) -> str:
    try:
        job()
    except OSError as error:
        return str(error)
    return ""


def made_folder(folder: Path) -> None:
    with whole_folder(folder) as partial:
        (partial / "a.txt").write_text("a")


def test_a_folder_whose_first_file_could_not_be_written_is_not_left(tmp_path):
    for before in (False, True):
        if before:
            (tmp_path / "run").mkdir()
        with pytest.raises(OSError, match="No space"), alone(tmp_path / "run"):
            raise OSError(errno.ENOSPC, "No space left on device")
        assert (tmp_path / "run").exists() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(Unwritable, match=r"a\.csv cannot be written: Permission denied"), whole_file(tmp_path / "a.csv"):
        pass


def test_what_cannot_be_read_inside_is_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "out"):
        (tmp_path / "nothing").read_text()


@pytest.mark.parametrize("what", ["pipe", "folder", "device"])
@pytest.mark.parametrize("read", [read_json, sha256])
def test_what_is_no_plain_file_is_never_waited_for(tmp_path, what, read):
    path = tmp_path / "a.json"
    {"pipe": os.mkfifo, "folder": os.mkdir, "device": lambda path: path.symlink_to("/dev/zero")}[what](path)
    with pytest.raises(ValueError, match=r"a\.json is not a plain file"):
        read(path)
