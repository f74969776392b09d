"""Progress: a bar on a terminal, elsewhere a line a minute, and a line whenever there is something to say."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Tell = Callable[[int, str], None]
"""Told how many are done, and a few words."""
EVERY = 60.0
"""Seconds between two lines where there is no terminal."""
HUSHED = ContextVar("hushed", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """Nothing is said inside: for who asks for many trainings, as a search does."""
    before = HUSHED.set(True)
    try:
        yield
    finally:
        HUSHED.reset(before)


def say(words: str) -> None:
    """A line on stderr: stdout is for answers."""
    if not HUSHED.get():
        print(words, file=sys.stderr, flush=True)


@contextmanager
def progress(title: str, *, total: int | None, quiet: bool) -> Iterator[Tell]:
    """How many of `total` are done, on stderr: drawn on a terminal, else told now and then; not at all if `quiet`.

    total: None where nobody knows.
    """
    if quiet or HUSHED.get():
        yield lambda done, words: None
        return
    if not sys.stderr.isatty():
        yield lines(title, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as bar:
        task = bar.add_task(title, total=total, words="")
        yield lambda done, words: bar.update(task, completed=done, words=words)


def lines(title: str, total: int | None) -> Tell:
    """For a log file: what takes less than EVERY says nothing."""
    told = time.monotonic()

    def tell(done: int, words: str) -> None:
        nonlocal told
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            say(f"  {title}: {done}{'' if total is None else f' of {total}'}{', ' if words else ''}{words}")

    return tell
