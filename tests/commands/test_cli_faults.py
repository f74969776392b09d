"""The command line when something ends it: a fault, memory that runs out, a signal, arguments that nothing can be made of."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands.calls import call
from understudy.cli import COMMANDS, main
from understudy.commands.answer import Answer
from understudy.process.stop import Terminated
from understudy.process.whole import whole_file, whole_folder


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("cannot be read:\n  no end \r\n", "cannot be read: no end"),
        (f"cell {'x' * 40_000} is no number; mend it", f"cell {'x' * 495} ... {'x' * 228} is no number; mend it"),
        ("", "ValueError"),
    ],
)
def test_an_error_is_one_line_that_can_be_read(capsys, monkeypatch, given, said):
    def refused(*_):
        raise ValueError(given)

    monkeypatch.setattr("understudy.corpus.Corpus.__init__", refused)
    assert call(capsys, "check", "corpus") == (2, "", f"understudy: {said}\n")


def test_a_fault_of_ours_is_one_sentence_that_asks_for_a_report(tmp_path, capsys, monkeypatch):
    def broken(*_):
        raise AttributeError("no attribute\n'x'")

    monkeypatch.setattr("understudy.corpus.Corpus.__init__", broken)
    code, out, err = call(capsys, "check", tmp_path / "corpus")
    assert (code, out) == (70, "")
    where = f"(test_cli_faults.py, line {broken.__code__.co_firstlineno + 1})"
    assert err == f"understudy: a fault of understudy, please report it: AttributeError: no attribute 'x' {where}\n"
    assert main(["check", str(tmp_path / "corpus"), "--json"]) == 70
    assert "please report" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), ""),
        (MemoryError("Unable to allocate 7 TiB"), " (Unable to allocate 7 TiB)"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            " ([enforce fail] DefaultCPUAllocator: can't all",
        ),
    ],
)
def test_memory_that_runs_out_is_one_sentence_about_what_was_asked_for(tmp_path, capsys, monkeypatch, error, told):
    def starved(*_):
        raise error

    monkeypatch.setattr("understudy.corpus.Corpus.__init__", starved)
    code, out, err = call(capsys, "check", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"understudy: {tmp_path} needs more memory than there is{told}")
    assert err.endswith("; ask for less at once, or end other programs\n")


@pytest.mark.parametrize(("command", "again"), [("check", "begins anew"), ("distill", "goes on where it stopped")])
def test_what_an_interrupted_command_says_of_the_next_is_true(tmp_path, capsys, monkeypatch, command, again):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("understudy.corpus.Corpus.__init__", interrupted)
    more = ["--student", "note", "--out", tmp_path / "another"] if command == "distill" else []
    assert call(capsys, command, tmp_path / "corpus", *more) == (130, "", f"understudy: interrupted; the same command {again}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["split"], "Required options: Missing from understudy split: STR folder of the corpus. (required)"),
        (["split", "x", "--folds", "q"], "Value error: Error parsing --folds: invalid literal for int() with base 10: 'q'"),
        (["spilt"], "Unrecognized options: spilt"),
        (["import"], "Missing subcommand: Expected one of {table, "),
    ],
)
def test_unusable_arguments_are_one_document_too(capsys, arguments, said):
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--json"])
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert json.loads(printed.out)["error"].startswith(said)
    assert "understudy" in printed.err


def test_a_warning_is_one_line():
    code = """if True:
        import sys, warnings
        from understudy import cli
        from understudy.commands.answer import Answer

        def warn() -> Answer:
            warnings.warn("there is little to learn from")
            return Answer({}, "done")

        cli.COMMANDS["list"] = warn
        sys.exit(cli.main(["list"]))
        """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "warning: there is little to learn from\n")


def test_sigterm_cleans_up_and_ends_with_143(capsys, monkeypatch, tmp_path):
    def half(corpus: Path, /) -> Answer:
        """Is ended while it writes."""
        with whole_folder(corpus), whole_file(corpus.with_suffix(".csv")):
            signal.raise_signal(signal.SIGTERM)
        raise AssertionError("it went on")

    def fit(corpus: Path, /) -> Answer:
        """Writes its checkpoint first, then ends in its own way."""
        asked: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
        signal.raise_signal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
        assert asked == [signal.SIGTERM]
        raise Terminated

    before = signal.getsignal(signal.SIGTERM)
    for command in (half, fit):
        monkeypatch.setitem(COMMANDS, "check", command)
        code, out, err = call(capsys, "check", tmp_path / "new")
        assert (code, out) == (143, "")
        assert "terminated" in err
        assert list(tmp_path.iterdir()) == []
        assert signal.getsignal(signal.SIGTERM) is before


def test_the_second_sigterm_does_not_wait():
    """As of a process whose cleaning up hangs."""
    code = """
import signal
from understudy.process.stop import terminable
with terminable():
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        signal.raise_signal(signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGTERM
