"""A command, called in this process: its exit status and what it wrote."""

from understudy.cli import main


def call(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err
