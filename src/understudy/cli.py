"""The command line: command name -> function, and nothing else."""

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr
from functools import partial, wraps
from importlib import import_module
from io import StringIO
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from understudy.commands import data, protocol, ready, ship, stored, study, vision_language, vision_table
from understudy.commands.answer import Answer
from understudy.process.launched import several
from understudy.process.stop import CODE, Terminated, terminable

COMMANDS = {
    "demo": study.demo,
    "import": {
        "table": data.import_table,
        "mfeat": data.import_mfeat,
        "mosi": data.import_mosi,
        "mmsa": data.import_mmsa,
        "csd": data.import_csd,
        "raw": data.import_raw,
        "av-digits": data.import_av_digits,
        "wikipedia": data.import_wikipedia,
        "stamps": data.import_stamps,
        "av-hdf5": data.import_av_hdf5,
        "iemocap": protocol.import_iemocap,
        "mult": protocol.import_mult,
        "ucf": protocol.import_ucf,
        "activitynet": protocol.import_activitynet,
        "vcr": vision_language.import_vcr,
        "snli-ve": vision_language.import_snli_ve,
        "vqa": vision_language.import_vqa,
    },
    "check": data.check,
    "split": data.split,
    "advise": study.advise,
    "plan": ready.plan,
    "distill": study.distill,
    "evaluate": study.evaluate,
    "search": protocol.search,
    "information": protocol.information,
    "protocol": {
        "vision-language": vision_table.vision_language,
        "score-vqa": vision_language.score_vqa,
        "score-vcr": vision_language.score_vcr,
        "score-snli-ve": vision_language.score_snli_ve,
        "q-ar": vision_language.q_ar,
        "submit-vqa": vision_language.submit_vqa,
        "submit-vcr": vision_language.submit_vcr,
        "rule-sets": vision_language.rule_sets,
        "words-only-hard": vision_language.words_only_hard,
    },
    "compare": study.compare,
    "store": stored.store,
    "export": ship.export,
    "push": ship.push,
    "pull": ship.pull,
    "predict": ship.predict,
    "serve": ship.serve,
    "report": study.report,
    "list": study.list_,
    "doctor": ready.doctor,
}
FAULT = 70
"""The exit code of a fault of understudy itself (EX_SOFTWARE of sysexits.h)."""
RESUMED = {"demo", "distill", "store", "vision-language"}
"""Commands that keep the work that was done when they are interrupted; others leave nothing."""
SENTENCE = 1000
"""Characters of an error that are said."""
COMPLETION = {"--tyro-print-completion", "--tyro-write-completion"}
"""Arguments that write a script for a shell, which knows every command of every group."""
GROUPS = {"import": data.import_, "protocol": vision_language.protocol}
"""What a group of commands says of itself among the others."""
ABOUT = """Train with every sense, ship with one: distil a multimodal teacher into a student that needs only some modalities.

`understudy --version` says which this is; `understudy --tyro-print-completion bash` (or zsh) writes a script that completes
commands and flags in a shell.
Every command takes --json (one JSON document on stdout) and exits 0 on success, 2 on unusable arguments or input,
70 after a fault of its own, 130 after Ctrl-C and 143 after SIGTERM."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Of processes that were launched together the first does; the others train along."""
    # Before torch is imported, which reads it once: threads that wait for each other otherwise spin, and where other programs
    # want the cores, too, a small network trains tens of times slower (torch 2.13.0, libgomp).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not several():
        return run(argv)
    from understudy.study.together import lead

    return lead(partial(run, argv), otherwise=lambda: 0)


def run(argv: Sequence[str] | None = None) -> int:
    """The exit code of one command.

    0 on success, 2 for unusable arguments or input, 70 after a fault of understudy itself, 130 after Ctrl-C,
    143 after SIGTERM, 141 where nobody reads what is printed.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    if "--version" in arguments[:2] and not set(arguments) - {"--version", "--json"}:
        version = import_module("understudy").__version__
        return say(json.dumps({"version": version}) if as_json else f"understudy {version}")
    try:
        with terminable(), plain_warnings():
            answer = choose([a for a in arguments if a != "--json"], as_json=as_json)()
    except (ValueError, KeyError, OSError, ImportError) as error:
        message = sentence(error)
        if isinstance(error, ModuleNotFoundError):
            message += "; this command needs more than is installed: pip install 'understudy[all]'"
        said = json.dumps({"error": message}) if as_json else f"understudy: {message}"
        return say(said, aside=not as_json) or 2
    except KeyboardInterrupt as stop:
        how, code = ("terminated", CODE) if isinstance(stop, Terminated) else ("interrupted", 130)
        again = "goes on where it stopped" if RESUMED & set(arguments[:2]) else "begins anew"
        return say(f"understudy: {how}; the same command {again}", aside=True) or code
    except Exception as error:  # the last resort: what comes here is no input's fault
        said, code = (out_of_memory(error, arguments), 2) if starved(error) else (unforeseen(error), FAULT)
        return say(json.dumps({"error": said}) if as_json else f"understudy: {said}", aside=not as_json) or code
    following = f"\n\nNext: {answer.next}" if answer.next else ""
    said = json.dumps(answer.document, indent=1, allow_nan=False) if as_json else answer.text + following
    return say(said) or (0 if answer.ok else 2)


def starved(error: Exception) -> bool:
    """Whether memory ran out: of Python, NumPy, Arrow, or of torch, which raises a RuntimeError of its own."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "allocate" in str(error) and "memory" in str(error)
    )


def out_of_memory(error: Exception, arguments: Sequence[str]) -> str:
    """One sentence that names the file or folder that was asked for."""
    asked = next((argument for argument in arguments[1:] if Path(argument).exists()), "this")
    what = f" ({' '.join(str(error).split())[:200]})" if str(error) else ""
    return f"{asked} needs more memory than there is{what}; ask for less at once, or end other programs"


def sentence(error: Exception) -> str:
    """What it says, in one line: of outside libraries on several, and without the middle where a long cell is named."""
    said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    line = " ".join(filter(None, map(str.strip, said.splitlines()))) or type(error).__name__
    return line if len(line) <= SENTENCE else f"{line[: SENTENCE // 2]} ... {line[-SENTENCE // 4 :]}"


def unforeseen(error: Exception) -> str:
    """One sentence for who reports it: what was raised, and where in the code."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"a fault of understudy, please report it: {what} ({Path(place.filename).name}, line {place.lineno})"


def choose(arguments: list[str], *, as_json: bool) -> Callable[[], Answer]:
    """The command that was typed, with its arguments. SystemExit after --help, and with 2 where they make no command."""
    table, program = COMMANDS, "understudy"
    if arguments and arguments[0] in GROUPS:
        table, program, arguments = COMMANDS[arguments[0]], f"understudy {arguments[0]}", arguments[1:]
    # Where a group is only named, its own table is read once it is asked for.
    named = one_of if COMPLETION & set(arguments) else lambda group: later(GROUPS[group])
    functions = {name: named(name) if isinstance(f, dict) else later(f) for name, f in table.items()}
    said = StringIO()
    try:
        with redirect_stderr(said) if as_json else nullcontext():
            return tyro.extras.subcommand_cli_from_dict(functions, prog=program, args=arguments, description=ABOUT)
    except SystemExit as stop:
        if stop.code and as_json:
            say(json.dumps({"error": unboxed(said.getvalue())}))
        raise
    finally:
        say(said.getvalue(), aside=True, end="")


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Inside, what the package warns of is one line for people, without a place in the code; those of other kinds stay."""
    before = warnings.formatwarning

    def line(message: Warning | str, category: type[Warning], *where: Any) -> str:
        return f"warning: {message}\n" if category is UserWarning else before(message, category, *where)

    warnings.formatwarning = line
    try:
        yield
    finally:
        warnings.formatwarning = before


def one_of(group: str) -> Callable[..., Callable[[], Answer]]:
    """A command with those of a group as its own, for the script that completes them in a shell."""
    table: Any = COMMANDS[group]
    kinds = tuple(
        Annotated[Any, tyro.conf.subcommand(name, constructor=later(command), prefix_name=False)]
        for name, command in table.items()
    )

    def chosen(command: Callable[[], Answer]) -> Callable[[], Answer]:
        return command

    chosen.__annotations__["command"] = tyro.conf.OmitArgPrefixes[Union[kinds]]  # noqa: UP007  (made of what is known only here)
    return chosen


def later(command: Callable[..., Answer]) -> Callable[..., Callable[[], Answer]]:
    """The same signature, but called it only holds its arguments: what exits while they are read is no error of the command."""

    @wraps(command)
    def held(*given: Any, **named: Any) -> Callable[[], Answer]:
        return partial(command, *given, **named)

    return held


def unboxed(said: str) -> str:
    """What tyro complains of, without its frame (drawn, or in ASCII) and what stands below its first rule: advice for people."""
    title, *lines = said.splitlines() or [""]
    title, lines = title.strip("╭╮─+- "), [line.strip("│| ") for line in lines]
    complaint = " ".join(takewhile(lambda line: line.strip("─-"), dropwhile(lambda line: not line.strip("─-"), lines)))
    return complaint if complaint.startswith(title) else f"{title}: {complaint}"


def say(text: str, *, aside: bool = False, end: str = "\n") -> int:
    """Print at once, aside: on stderr; 0, or where the reader has gone (`| head`) 141, as of a program that SIGPIPE ended."""
    stream = sys.stderr if aside else sys.stdout
    try:
        print(text, file=stream, end=end, flush=True)
    except BrokenPipeError:
        # Python would flush what is left once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 141
    return 0


if __name__ == "__main__":
    sys.exit(main())
