"""The command line: what a stranger types, what comes back, and what is said of bad input."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from study.small import make_corpus
from understudy.cli import COMMANDS, GROUPS, main
from understudy.commands.answer import Answer
from understudy.process.stop import Terminated
from understudy.process.whole import whole_file, whole_folder

ROWS = 90


def write_table(path: Path) -> Path:
    """A user's table: two numbers, a category, a text, a group, a target with empty cells."""
    random = np.random.default_rng(0)
    lines = ["name,speed,weight,colour,note,owner,price"]
    for row in range(ROWS):
        speed, weight = random.normal(size=2)
        price = "" if row % 10 == 9 else f"{2 * speed + 0.1 * random.normal():.3f}"
        note = "fast and good" if speed > 0 else "slow, and dull"
        lines.append(f'r{row},{speed:.3f},{weight:.3f},{["red", "blue"][row % 2]},"{note}",o{row % 30},{price}')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def call(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A table taken all the way: corpus, split, run, artifact."""
    home = tmp_path_factory.mktemp("home")
    table = write_table(home / "cars.csv")
    modalities = ["numbers=vector:speed,weight", "looks=table:colour", "note=text:note"]
    steps = [
        [
            "import",
            "table",
            table,
            "--out",
            home / "corpus",
            "--target",
            "price",
            "--id",
            "name",
            "--group",
            "owner",
            "--modalities",
            *modalities,
        ],
        ["split", home / "corpus", "--name", "main"],
        [
            "distill",
            home / "corpus",
            "--student",
            "note",
            "--plan",
            "epochs=3",
            "--sizes",
            "width=16",
            "--seeds",
            "2",
            "--out",
            home / "run",
        ],
        ["export", home / "run", "--out", home / "artifact"],
    ]
    for step in steps:
        assert main([str(a) for a in step]) == 0
    return home


def test_every_command_is_listed_and_has_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)


@pytest.mark.parametrize(
    "name", [n for n in COMMANDS if n not in GROUPS] + [f"{group} {n}" for group in GROUPS for n in COMMANDS[group]]
)
def test_help_of_each_command_says_what_its_arguments_mean(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*name.split(), "--help"])
    assert stop.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) >= 4


@pytest.mark.parametrize("arguments", [["--help"], ["distill", "--help"], ["list"]])
def test_what_only_tells_imports_neither_torch_nor_numpy(arguments):
    heavy = "{'torch', 'numpy', 'pyarrow'} & set(sys.modules)"
    code = f"import sys; from understudy.cli import main\ntry: main({arguments})\nexcept SystemExit: pass\nprint({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_a_page_that_answers_by_itself(home, capsys, tmp_path):
    from understudy.artifact import verify
    from understudy.serve.browser import LIBRARIES

    code, _, err = call(capsys, "export", home / "run", "--out", tmp_path / "page", "--browser", tmp_path / "node_modules")
    assert code == 2
    assert "npm install" in err
    for name, files in LIBRARIES.items():
        package = tmp_path / "node_modules" / name.rpartition("@")[0]
        (package / "dist").mkdir(parents=True)
        (package / "package.json").write_text(json.dumps({"name": name, "version": "<1>", "license": "MIT"}))
        for file in files:
            (package / file).write_text("")
    arguments = ("export", home / "run", "--out", tmp_path / "page", "--browser", tmp_path / "node_modules", "--json")
    code, out, _ = call(capsys, *arguments)
    assert code == 0
    verify(Path(json.loads(out)["artifact"]))
    page = (tmp_path / "page" / "index.html").read_text()
    assert "&lt;1&gt;" in page
    assert "default-src 'none'" in page
    assert not set(re.findall(r"https?://", page))
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == [
        "artifact",
        "assets",
        "index.html",
        "lib",
        "probes.json",
    ]


def test_table_to_predictions(home, capsys, tmp_path):
    code, out, _ = call(
        capsys, "predict", home / "artifact", home / "cars.csv", "--out", tmp_path / "p.csv", "--id", "name", "--json"
    )
    assert code == 0
    told = {"rows": ROWS, "answered": ROWS, "modalities": ["note"], "coverage": 1.0, "errors": 0}
    told |= {"abstained": 0, "handed_over": 0}
    assert json.loads(out) | {"out": ""} == {"out": ""} | told
    assert len((tmp_path / "p.csv").read_text().splitlines()) == ROWS + 1


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["check", "corpus"], "errors"),
        (["advise", "corpus", "--student", "note"], "verdict"),
        (["evaluate", "run"], "subsets"),
        (["evaluate", "run", "--system", "teacher"], "subsets"),
        (["compare", "run", "run"], "runs"),
        (["report", "run"], "report"),
        (["list"], "methods"),
    ],
)
def test_json_is_one_document(home, capsys, arguments, key, monkeypatch):
    monkeypatch.chdir(home)
    code, out, _ = call(capsys, *arguments, "--json")
    assert code == 0
    assert key in json.loads(out)


def test_store_goes_on_and_reports_its_error(home, capsys, tmp_path):
    out = ""
    for _ in range(2):
        code, out, _ = call(capsys, "store", home / "run", "--out", tmp_path / "store", "--codec", "float16", "--json")
        assert code == 0
    assert json.loads(out)["rows"] == ROWS
    assert json.loads(out)["error"]["logits"]["max"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--views", "5", "--on-error", "skip"], "--views and --on-error would have no effect without --features"),
        (["corpus", "--features", "note=x", "--codec", "int8"], "--codec would have no effect beside --features"),
    ],
)
def test_options_that_a_store_would_not_heed_are_refused(home, capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(home)
    code, _, err = call(capsys, "store", *arguments, "--out", tmp_path / "store")
    assert code == 2
    assert said in err
    assert not (tmp_path / "store").exists()


def test_a_missing_package_is_named_with_what_to_install(home, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "understudy.study.run", None)
    code, out, err = call(capsys, "export", home / "run", "--out", home / "new")
    assert (code, out) == (2, "")
    assert "pip install 'understudy[all]'" in err


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


def test_a_fault_of_ours_is_one_sentence_that_asks_for_a_report(home, capsys, monkeypatch):
    def broken(*_):
        raise AttributeError("no attribute\n'x'")

    monkeypatch.setattr("understudy.corpus.Corpus.__init__", broken)
    code, out, err = call(capsys, "check", home / "corpus")
    assert (code, out) == (70, "")
    where = f"(test_cli.py, line {broken.__code__.co_firstlineno + 1})"
    assert err == f"understudy: a fault of understudy, please report it: AttributeError: no attribute 'x' {where}\n"
    assert main(["check", str(home / "corpus"), "--json"]) == 70
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
def test_memory_that_runs_out_is_one_sentence_about_what_was_asked_for(home, capsys, monkeypatch, error, told):
    def starved(*_):
        raise error

    monkeypatch.setattr("understudy.corpus.Corpus.__init__", starved)
    code, out, err = call(capsys, "check", home / "corpus")
    assert (code, out) == (2, "")
    assert err.startswith(f"understudy: {home / 'corpus'} needs more memory than there is{told}")
    assert err.endswith("; ask for less at once, or end other programs\n")


@pytest.mark.parametrize(("command", "again"), [("check", "begins anew"), ("distill", "goes on where it stopped")])
def test_what_an_interrupted_command_says_of_the_next_is_true(home, capsys, monkeypatch, command, again):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("understudy.corpus.Corpus.__init__", interrupted)
    more = ["--student", "note", "--out", home / "another"] if command == "distill" else []
    assert call(capsys, command, home / "corpus", *more) == (130, "", f"understudy: interrupted; the same command {again}\n")


def test_few_label_draws(home, capsys, tmp_path):
    corpus = make_corpus(tmp_path / "corpus").folder
    code, out, _ = call(capsys, "split", corpus, "--name", "few", "--labelled", 10, "--draws", 3, "--json")
    assert code == 0
    assert {name: parts["labelled"] for name, parts in json.loads(out)["splits"].items()} == {
        "few-0": 10,
        "few-1": 10,
        "few-2": 10,
    }


def next_step(said: str) -> list[str]:
    """What the shell makes of the last line."""
    program, *arguments = shlex.split(said.splitlines()[-1].removeprefix("Next: "))
    assert program == "understudy"
    return arguments


def test_each_step_says_the_next_as_it_can_be_typed(home, capsys, tmp_path):
    table = shutil.copy(home / "cars.csv", tmp_path)
    out = tmp_path / "my corpus"
    named = ["--target", "price", "--modalities", "note=text:note", "speed=vector:speed", "looks=table:colour"]
    code, said, _ = call(capsys, "import", "table", table, "--out", out, *named)
    assert "inferred: task: regression, from column 'price'" in said
    wanted = [["check", str(out)], ["split", str(out)], ["check", str(out)]]
    for arguments in wanted:
        assert (code, next_step(said)) == (0, arguments)
        code, said, _ = call(capsys, *arguments)
    assert next_step(said) == ["distill", str(out), "--student", "MODALITY"]
    assert call(capsys, "split", out, "--name", "another")[0] == 0
    assert next_step(call(capsys, "check", out)[1]) == ["distill", str(out), "--student", "MODALITY", "--split", "another"]
    assert call(capsys, "split", out, "--name", "more", "--valid", 0)[0] == 0
    said = call(capsys, "advise", out, "--student", "note", "--split", "more")[1]
    assert next_step(said) == ["distill", str(out), "--student", "note", "--split", "more"]
    said = call(capsys, "advise", out, "--student", "speed", "note", "--split", "main")[1]
    assert "Distil speed+note? no." in said
    assert "Next: ask the same of another student" in said


def test_leave_one_group_out_skips_groups_without_labels_and_says_so(home, capsys, tmp_path):
    shutil.copytree(home / "corpus", tmp_path / "corpus")
    code, out, _ = call(capsys, "split", tmp_path / "corpus", "--leave-one-group-out")
    assert code == 0
    assert "3 groups have no labelled row, so they train only: o19, o29, o9" in out
    again = ("split", tmp_path / "corpus", "--leave-one-group-out", "--valid", 0, "--json")
    code, out, _ = call(capsys, *again)
    assert (code, "of other rows, on which runs may rest" in json.loads(out)["error"]) == (2, True)
    shutil.rmtree(tmp_path / "corpus" / "splits")
    code, out, _ = call(capsys, *again)
    assert json.loads(out)["unlabelled_groups"] == ["o19", "o29", "o9"]
    assert {name: parts["valid"] for name, parts in json.loads(out)["splits"].items()} == {
        f"leave-o{number}": 0 for number in range(30) if number % 10 != 9
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--folds", "3", "--labelled", "20"], "--labelled would have no effect beside --folds"),
        (["--folds", "3", "--test", "0.4", "--across-groups"], "--test and --across-groups would have no effect beside --folds"),
        (["--leave-one-group-out", "--folds", "3"], "--folds would have no effect beside --leave-one-group-out"),
        (["--leave-one-group-out", "--valid", "0.3"], "with --valid 0 none"),
        (["--draws", "3"], "as many equal splits"),
        (["--draws", "0"], "expected 1 or more"),
    ],
)
def test_options_that_a_split_would_not_heed_are_refused(home, capsys, arguments, said):
    before = sorted((home / "corpus" / "splits").iterdir())
    code, _, err = call(capsys, "split", home / "corpus", *arguments)
    assert code == 2
    assert said in err
    assert sorted((home / "corpus" / "splits").iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "nowhere"], "nowhere"),
        (["distill", "corpus", "--student", "smell"], "no modality 'smell'"),
        (["distill", "corpus", "--student", "note", "--split", "nope"], "no split 'nope'"),
        (["distill", "corpus", "--student", "note", "--plan", "epochs"], "write NAME=VALUE"),
        (["distill", "corpus", "--student", "note", "--plan", "epochs=0"], "plan.epochs is 0"),
        (["distill", "corpus", "--student", "note", "--out", "run", "--seeds", "3"], "another run"),
        (["distill", "corpus", "--student", "note", "--encoder", "note=no/such-model", "--out", "new"], "no/such-model"),
        (["export", "run", "--out", "artifact"], "exists already"),
        (["export", "nowhere", "--out", "new"], "no run"),
        (["predict", "artifact", "cars.csv", "--out", "p.csv", "--modalities", "smell"], "smell"),
        (["predict", "artifact", "nowhere.csv", "--out", "p.csv"], "nowhere.csv"),
        (["predict", "corpus", "cars.csv", "--out", "p.csv"], "artifact"),
        (["import", "table", "cars.csv", "--out", "new", "--target", "cost", "--modalities", "n=vector:speed"], "cost"),
        (["import", "table", "cars.csv", "--out", "new", "--target", "price", "--modalities", "n=vector:sped"], "sped"),
        (["import", "table", "cars.csv", "--out", "corpus", "--target", "price", "--modalities", "n=vector:speed"], "corpus"),
        (["compare", "corpus"], "results.json"),
        (["split", "corpus", "--name", "../up"], "split name"),
    ],
)
def test_bad_input_is_one_sentence_exit_2_and_leaves_nothing(home, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(home)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = sorted(path for path in home.rglob("*") if "__pycache__" not in path.parts)
    code, out, err = call(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("understudy: ")
    assert said in err
    assert "Traceback" not in err
    assert sorted(path for path in home.rglob("*") if "__pycache__" not in path.parts) == before
    code, out, _ = call(capsys, *arguments, "--json")
    assert code == 2
    assert said in json.loads(out)["error"]


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


def test_nobody_reads(home):
    """What `| head` leaves behind: a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from understudy.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = [sys.executable, "-c", code, "check", str(home / "corpus"), "--json"]
    done = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


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


def test_a_corpus_with_an_error_fails_the_check(capsys, tmp_path):
    corpus = make_corpus(tmp_path / "corpus")
    shard = next((corpus.folder).glob("*.arrow"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert call(capsys, "check", corpus.folder)[0] == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_shell_completes_commands_of_groups_and_their_flags(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--tyro-print-completion", "bash"])
    assert not stop.value.code
    (tmp_path / "complete").write_text(capsys.readouterr().out)
    ask = 'source "$0"; COMP_WORDS=(understudy "$@"); COMP_CWORD=$#; _tyro_understudy understudy "${@: -1}" "${@: -2:1}"; '
    ask += 'echo "${COMPREPLY[@]}"'

    def completed(*words):
        command = ["bash", "-c", ask, str(tmp_path / "complete"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert completed("dis").strip() == "distill"
    assert completed("import", "wiki").strip() == "wikipedia"
    assert "--guess" in completed("import", "table", "--gu")
