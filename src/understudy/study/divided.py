"""A store that several workers fill: each asks for its part and keeps it as a store of its own, which who asked takes over."""

from collections.abc import Callable
from pathlib import Path

from understudy.process import hardware
from understudy.process.crew import Crew
from understudy.process.progress import progress
from understudy.process.share import Share
from understudy.teachers.header import Header, read_header
from understudy.teachers.writer import shared, stores_of


def divide_store(
    crew: Crew,
    work: Callable[[Share], object],
    folder: Path,
    header: Header,
    share: Share,
    *,
    title: str,
    total: int,
    quiet: bool,
) -> None:
    """Have the workers do `work` with their parts of the share. What other crews left is taken over first, and asked of nobody.

    header: of the store at `folder`. total: rows of all shares, for who waits. Each worker has a GPU where models answer on GPUs.
    """
    with shared(folder, header, share):
        pass
    gpus = int(hardware.device().type == "cuda")
    with progress(title, total=total // share.of, quiet=quiet) as tell:

        def look() -> None:
            mine = [each for other, each in stores_of(folder).items() if other.within(share)]
            tell(sum(shard.rows for each in mine for shard in read_header(each).shards), "")

        crew.divide(work, share, look=look, gpus=gpus, device=hardware.one_device)
