"""deploy/: what it types exists, what it copies is there, it is not root, it has no PyTorch, and systemd reads its unit."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from understudy.cli import choose
from understudy.serve.running import PARTING
from understudy.serve.token import VARIABLE

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
KNOWN = {"FROM", "COPY", "RUN", "USER", "EXPOSE", "CMD", "HEALTHCHECK"}
SERVICE = {"build", "environment", "ports", "volumes", "read_only", "tmpfs", "cap_drop", "security_opt", "mem_limit", "restart"}


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, with continued lines as one."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


def unit() -> str:
    return (DEPLOY / "understudy.service").read_text()


def started() -> dict[str, list[str]]:
    """What each of them starts."""
    command = next(rest for word, rest in instructions() if word == "CMD")
    line = re.search(r"^ExecStart=(.*)$", unit(), re.MULTILINE)[1]
    return {"Dockerfile": json.loads(command), "unit": shlex.split(line)}


@pytest.mark.parametrize("where", ["Dockerfile", "unit"])
def test_what_is_started_is_a_command_of_ours(where):
    program, command, *arguments = started()[where]
    assert Path(program).name == "understudy"
    assert command == "serve"
    assert choose([command, *arguments], as_json=False).args


def test_the_image_has_what_it_copies_and_no_torch():
    parts = instructions()
    assert {word for word, _ in parts} <= KNOWN
    assert parts[0][0] == "FROM"
    assert ":" in parts[0][1]
    for sources in (rest.split()[:-1] for word, rest in parts if word == "COPY"):
        assert all((ROOT / source).exists() for source in sources)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.search(r"/build\[([a-z,]+)\]", str(parts))[1].split(",")
    packages = [package for extra in asked for package in extras[extra]]
    assert packages
    assert not any(package.startswith("torch") for package in packages)


def test_the_image_is_not_root_and_says_whether_it_lives():
    words = [word for word, _ in instructions()]
    assert dict(instructions())["USER"] == "understudy"
    assert words.index("USER") < words.index("CMD")
    check = dict(instructions())["HEALTHCHECK"].partition("CMD ")[2]
    program, flag, code = json.loads(check)
    assert (program, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert "/health" in code


def test_compose_asks_for_a_token_and_faces_this_machine_alone():
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    service = document["services"]["student"]
    assert service.keys() <= SERVICE | {"stop_grace_period"}
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert service["environment"][VARIABLE].startswith(f"${{{VARIABLE}:?")
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    assert int(service["stop_grace_period"].removesuffix("s")) > PARTING


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_reads_the_unit(tmp_path):
    program = started()["unit"][0]
    (tmp_path / "understudy.service").write_text(unit().replace(program, sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "understudy.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit(), re.MULTILINE)[1]) > PARTING
