"""Shares: the pieces of a file that are this process's, or several workers', answered and put among the parts. No torch."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from understudy.artifact.asked import Asked
from understudy.artifact.parts import Parts
from understudy.artifact.predict import Artifact
from understudy.prepare.pieces import rows_of
from understudy.process.crew import Crew
from understudy.process.progress import progress
from understudy.process.share import Share


def answer_all(artifact: Artifact, asked: Asked, parts: Parts, share: Share, crew: Crew, *, quiet: bool) -> int:
    """Answer each piece of the share that is no part yet; how many pieces the input has. ValueError where one cannot be read."""
    rows = rows_of(asked.path)
    total = None if rows is None else -(-rows // share.of)
    begun, before = time.monotonic(), len(parts.paths()) * asked.rows
    with progress("rows", total=total, quiet=quiet) as tell:

        def told(done: int) -> None:
            rate = (done - before) / (time.monotonic() - begun)
            tell(done if total is None else min(done, total), f"{rate:,.0f} rows/s")

        if crew.single:
            return answer_share(artifact, asked, parts, share, share, told)
        work = Piecework(artifact.folder.resolve(), crew.cores, asked.somewhere(), parts.somewhere(), share)
        return max(crew.divide(work, share, look=lambda: told(len(parts.paths()) * asked.rows)))


def answer_share(artifact: Artifact, asked: Asked, parts: Parts, share: Share, mine: Share, told: Callable[[int], object]) -> int:
    """mine: what of the share this process answers. `told` hears how many rows are done."""
    there, first_row, count = set(parts.paths()), 1, 0
    done = len(there) * asked.rows
    for count, piece in enumerate(asked.pieces(), start=1):
        if mine.has(count - 1) and count - 1 not in there:
            parts.put(share, count - 1, asked.answer(artifact, piece, first_row))
            told(done := done + len(piece))
        first_row += len(piece)
    return count


@dataclass(frozen=True)
class Piecework:
    """What each of several workers does: the pieces of its part, by a session of its own."""

    folder: Path
    threads: int
    asked: Asked
    parts: Parts
    share: Share

    def __call__(self, mine: Share) -> int:
        return answer_share(
            Artifact(self.folder, threads=self.threads), self.asked, self.parts, self.share, mine, lambda done: None
        )
