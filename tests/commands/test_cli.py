"""The command line: what a stranger types, what comes back, and what is said of bad input."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from commands.calls import call
from study.small import make_corpus
from understudy.cli import COMMANDS, GROUPS, main

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


def test_nobody_reads(home):
    """What `| head` leaves behind: a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from understudy.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = [sys.executable, "-c", code, "check", str(home / "corpus"), "--json"]
    done = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


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
