"""Fuzz: of inputs of every kind that enters, damaged by rule and seed, is each answered by a result or by one sentence?

python -m benchmarks.fuzz [--cases 3000] [--seed 0] [--out FOLDER] [--only SUBJECT ...]

The same command goes on where it stopped; beside it, others that begin later (`--first N`) may fill the same notes. A case is its number and the seed alone: `--case N` runs that one and shows what was said.
"""

import argparse
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.forked import Ended, run, warm
from benchmarks.fuzz_inputs import SUBJECTS, Subject
from benchmarks.fuzz_mutations import mutate
from benchmarks.record import table, write_result
from understudy.cli import main as understudy
from understudy.process.progress import progress

LONGEST, PATIENCE, LARGEST = 20.0, 90.0, 2**31
"""Seconds of the processor and on the clock, and bytes of memory that a case may take: others may be at work on the machine."""
QUICK = ("mapping",)
SENTENCE = 1500
"""Characters of what may still be called a sentence: some name twenty columns."""


def main() -> None:
    asked = arguments()
    warm(*(["understudy.corpus.importers.table", "understudy.prepare.isolated"] if asked.quick else []))
    # No TemporaryDirectory: the end of a fork would remove it.
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        rows = small(asked.seed, scratch) if asked.quick else measured(asked, scratch)
    finally:
        shutil.rmtree(scratch)
    found = figures(rows)
    if asked.quick or asked.only or asked.first or asked.case is not None:
        print(json.dumps(found, indent=1))
    else:
        write_result("fuzz", figures=found, rows=by_subject(rows), seeds=[asked.seed], text=page(rows, found))


def small(seed: int, scratch: Path) -> list[dict[str, Any]]:
    """A few cases."""
    rows = [one(case, seed, chosen(QUICK), scratch) for case in range(4)]
    assert not any(row["fault"] for row in rows), rows
    return rows


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="subjects whose names begin so; writes no result")
    parser.add_argument("--case", type=int)
    parser.add_argument("--first", type=int, default=0, help="begin at this case; writes no result")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


def chosen(names: Sequence[str]) -> list[Subject]:
    return [subject for subject in SUBJECTS if not names or subject.name.startswith(tuple(names))]


def measured(asked: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    """Every case; those that had no fault in an earlier call are taken from its notes."""
    if asked.case is not None:
        found = one(asked.case, asked.seed, chosen(asked.only), scratch)
        print(json.dumps(found, indent=1))
        return [found]
    asked.out.mkdir(parents=True, exist_ok=True)
    notes = asked.out / f"seed-{asked.seed}{'-'.join(['', *asked.only])}.jsonl"
    earlier = map(json.loads, notes.read_text().splitlines()) if notes.exists() else ()
    known = {row["case"]: row for row in earlier if not row["fault"]}
    with notes.open("a") as file, progress("fuzz", total=asked.cases, quiet=False) as tell:
        for case in [case for case in range(asked.first, asked.cases) if case not in known]:
            known[case] = one(case, asked.seed, chosen(asked.only), scratch)
            print(json.dumps(known[case]), file=file, flush=True)
            tell(len(known), f"{sum(bool(row['fault']) for row in known.values())} faults")
    return [known[case] for case in range(asked.first, asked.cases)]


def one(case: int, seed: int, subjects: Sequence[Subject], scratch: Path) -> dict[str, Any]:
    """One damaged input's outcome."""
    draw = random.Random(f"{seed} {case}")
    subject = draw.choices(subjects, [each.share for each in subjects])[0]
    source, folder = made(subject, scratch), scratch / "case"
    shutil.copytree(source, folder / "in")
    files = sorted(path for pattern in subject.files for path in source.glob(pattern) if path.is_file())
    path = folder / "in" / draw.choice(files).relative_to(source)
    ended, note = damaged(path, draw, subject, folder)
    fault = fault_of(ended, folder)
    shutil.rmtree(folder)
    row = {
        "case": case,
        "subject": subject.name,
        "file": str(path.relative_to(folder / "in")),
        "damage": note,
        "code": ended.code,
    }
    said = {"fault": fault, "said": told(ended)[:400]} | ({"out": ended.out[-1500:], "err": ended.err[-3000:]} if fault else {})
    return row | said | {"seconds": round(ended.busy, 2), "mb": ended.peak >> 20}


def damaged(path: Path, draw: random.Random, subject: Subject, folder: Path) -> tuple[Ended, str]:
    """A file is damaged and the command run, both in a fork."""
    note = folder / "damage"

    def call() -> int:
        note.write_text(mutate(path, draw))
        return understudy(subject.command)

    ended = run(folder, call, longest=PATIENCE, largest=LARGEST + 2**30)
    if not note.exists():
        raise RuntimeError(f"{subject.name}, {path.name}: {ended.err}")
    return ended, note.read_text()


def made(subject: Subject, scratch: Path) -> Path:
    """The valid input, made once for all subjects of it; RuntimeError where a command does not take it."""
    source = scratch / f"input-{[each.make for each in SUBJECTS].index(subject.make)}"
    taken = scratch / f"taken-{SUBJECTS.index(subject)}"
    if not source.exists():
        source.mkdir(parents=True)
        succeeded(subject.name, run(source, partial(call_of, subject.make, source)))
    if not taken.exists():
        shutil.copytree(source, taken / "in")
        succeeded(subject.name, run(taken, partial(understudy, subject.command)))
    return source


def succeeded(name: str, ended: Ended) -> None:
    if ended.code:
        raise RuntimeError(f"{name}: {ended.out} {ended.err}")


def call_of(make: Any, folder: Path) -> int:
    make(folder)
    return 0


def fault_of(ended: Ended, folder: Path) -> str:
    """What is wrong with an outcome; "" where nothing is."""
    if ended.seconds > PATIENCE or ended.busy > LONGEST:
        return "slow"
    if ended.peak > LARGEST:
        return "large"
    if ended.code < 0:
        return "killed"
    if ended.code not in (0, 2) or "Traceback (most" in ended.err:
        return "traceback"
    left = [each.name for each in folder.rglob(".*") if each.name != ".stdout"] if folder.exists() else []
    if left or (ended.code and any(folder.glob("out*"))):
        return "left over"
    return "no sentence" if ended.code and not 10 < len(told(ended).strip()) <= SENTENCE else ""


def told(ended: Ended) -> str:
    """The error's one sentence, or what is wrong with a corpus, or "" where there is none."""
    try:
        document = json.loads(ended.out)
    except ValueError:
        return ""
    said = document.get("error", document.get("errors", "")) if ended.code else ""
    said = "; ".join(said) if isinstance(said, list) else said
    return said if "\n" not in said else ""


def figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, int | float]:
    faults = Counter(row["fault"] for row in rows)
    found = {"cases": len(rows), "tracebacks": faults["traceback"], "over_20_s": faults["slow"], "over_2_gb": faults["large"]}
    found |= {"killed": faults["killed"], "without_a_sentence": faults["no sentence"], "left_over": faults["left over"]}
    found |= {"refused": sum(row["code"] == 2 for row in rows), "taken": sum(row["code"] == 0 for row in rows)}
    return found | {"slowest_seconds": max(row["seconds"] for row in rows), "largest_mb": max(row["mb"] for row in rows)}


def by_subject(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line a subject."""
    found = []
    for name in dict.fromkeys(subject.name for subject in SUBJECTS):
        here = [row for row in rows if row["subject"] == name]
        if here:
            count = {"refused": sum(row["code"] == 2 for row in here), "faults": sum(bool(row["fault"]) for row in here)}
            found.append(
                {"subject": name, "cases": len(here)}
                | count
                | {"slowest": max(r["seconds"] for r in here), "mb": max(r["mb"] for r in here)}
            )
    return found


def page(rows: Sequence[Mapping[str, Any]], found: Mapping[str, float]) -> str:
    """The Markdown."""
    lines = [list(row.values()) for row in by_subject(rows)]
    return f"""# Damaged inputs

{len(rows):,} small inputs of every kind that enters, each damaged by rule and seed (`benchmarks/fuzz_mutations.py`): bits, cut ends, moved
pieces, absurd sizes in headers, other types in documents and columns, other encodings, pipes and folders in place of files; checksums
made right again in three of four, so that what is behind them is read. A case is a fault where it ends otherwise than with a result or one sentence
(a traceback, exit 70, a signal), takes over {LONGEST:g} s of the processor or {PATIENCE:g} s on the clock, over {LARGEST / 2**30:g} GB, or leaves half a result. {found["refused"]:,} were refused, {found["taken"]:,} still taken.

{table(["figure", "value"], list(found.items()))}

{table(["input", "cases", "refused", "faults", "slowest, s", "largest, MB"], lines)}
"""


if __name__ == "__main__":
    main()
