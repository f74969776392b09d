"""Remote: a corpus behind a URL that fsspec reads, such as s3://bucket/clips, copied into the user's cache and opened there.

What is in the cache is known by what corpus.json says of it, so the same corpus is copied once, whatever URL it lies behind.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from understudy.corpus.items import SHARD
from understudy.corpus.saved import ENDINGS, SAVED, path_of, saved_hashes
from understudy.process.cache import cache_folder
from understudy.process.document import Shape
from understudy.process.whole import Unwritable, read_json, sha256, whole_file

TRIES, PATIENCE = 4, 60.0
"""How often a file is asked for, and seconds without a byte after which it is asked for anew."""
PAUSE = 1.0
"""Seconds before the second try; twice as many before each later one."""
CORPUS = "corpus.json"
SHARDS: Shape = {"shards": [SHARD], "items?": {...: [SHARD]}}


def is_remote(place: Path | str) -> bool:
    """Whether it is a URL and no folder."""
    return isinstance(place, str) and "://" in place


def copied(url: str) -> Path:
    """The folder with all of the corpus behind the URL, as far as its files were not there yet.

    FileNotFoundError where there is none. OSError for a store that does not answer, or sends other bytes than corpus.json says,
    after TRIES times; ImportError where what reads such URLs is not installed.
    """
    there = Behind(url)
    with TemporaryDirectory() as folder:
        there.bring(document := Path(folder) / CORPUS)
        try:
            said, digest = read_json(document, SHARDS), sha256(document)
        except ValueError as error:
            raise ValueError(str(error).replace(str(document), f"{there.url}/{CORPUS}")) from None
    folder = cache_folder() / "corpora" / digest[:16]
    for shard in chain(said["shards"], *said.get("items", {}).values()):
        path = folder / Path(shard["file"]).name
        if not path.is_file():
            there.bring(path, digest=shard["sha256"])
    there.bring(folder / CORPUS, digest=digest)
    with suppress(FileNotFoundError):
        there.bring(folder / SAVED)
    # A split never changes once it is saved, but there may be more of them than last time.
    for name in saved_hashes(folder):
        for path in (folder / "splits" / f"{name}{ending}" for ending in ENDINGS):
            if not path_of(folder, name).exists():
                with suppress(FileNotFoundError):
                    there.bring(path, "splits")
    return folder


class Behind:
    """The files behind a URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            import fsspec

            self._files, self._path = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            raise ImportError(f"{url} cannot be read ({error}): pip install 'understudy[remote]'") from None
        except ValueError as error:
            raise ValueError(f"{url}: {error}; known are, among others, s3, gs, hf, http and https") from None

    def bring(self, path: Path, inside: str = "", *, digest: str = "") -> None:
        """The file of this name, in the folder `inside`, whole or not at all; asked for again where it does not come, or comes as
        another one than that of this SHA-256. FileNotFoundError, and a full disk, are said at once.
        """
        name = f"{inside}/{path.name}".lstrip("/")
        for number in range(1, TRIES + 1):
            try:
                with whole_file(path) as unfinished:
                    watched(unfinished, partial(self._files.get_file, f"{self._path}/{name}", str(unfinished)))
                    if digest and sha256(unfinished) != digest:
                        raise OSError("what came is not what corpus.json says")
                return
            except Unwritable:
                raise
            except FileNotFoundError:
                raise FileNotFoundError(f"there is no {self.url}/{name}") from None
            except Exception as error:  # whatever object stores raise has no common ancestor
                if number == TRIES:
                    said = " ".join(str(error).split()) or type(error).__name__
                    raise OSError(f"{self.url}/{name} does not come, asked for {TRIES} times: {said}") from None
                time.sleep(PAUSE * 2 ** (number - 1))


def watched(path: Path, work: Callable[[], object]) -> None:
    """Have `work` fill a file, in a thread that is left behind (TimeoutError) once it has not grown for PATIENCE seconds."""
    failed = list[BaseException]()

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    before, since = 0, time.monotonic()
    while thread.is_alive():
        thread.join(min(1.0, PATIENCE))
        if (size := path.stat().st_size) != before:
            before, since = size, time.monotonic()
        elif thread.is_alive() and time.monotonic() - since > PATIENCE:
            raise TimeoutError(f"not a byte in {PATIENCE:g} seconds")
    if failed:
        raise failed[0]
