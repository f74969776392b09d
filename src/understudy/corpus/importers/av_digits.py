"""Spoken and written digits: Free Spoken Digit Dataset recordings, each paired with an MNIST image of its digit."""

import io
import re
import tarfile
import warnings
import wave
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import leave_one_group_out
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification

RATE = 8000
NAME = re.compile(r"(\d)_([A-Za-z]+)_(\d+)\.wav")
ABOUT = {
    "name": "Spoken and written digits (FSDD and MNIST)",
    "licence": "FSDD: CC BY-SA 4.0; MNIST: CC BY-SA 3.0",
    "citation": "Z. Jackson et al., Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset; "
    "Y. LeCun et al., MNIST",
    "splits": "leave-SPEAKER: that speaker is tested, the next one in alphabetical order validates, the others train",
}


def import_av_digits(fsdd_folder: Path | str, mnist_folder: Path | str, out: Path | str, *, seed: int = 0) -> Corpus:
    """Audio (8 kHz) and image (28 x 28) by digit, grouped by speaker, with one split a left-out speaker.

    fsdd_folder: holds recordings.tar, or recordings/ as in the public repository. mnist_folder: holds mnist_5k.csv.gz, 784 pixels
    and the digit in a line. seed: draws which image goes with which recording; no image is used twice, so none crosses a split.
    """
    names, sounds = _recordings(Path(fsdd_folder))
    digits = np.array([int(digit) for digit, _, _ in names])
    images = _pair(digits, *_mnist(Path(mnist_folder)), seed=seed)
    here = np.ones(len(names), bool)
    return write_corpus(
        out,
        Schema(
            Classification(classes=tuple("0123456789")),
            {"audio": Modality("audio", rate=RATE), "image": Modality("image")},
            grouped=True,
            about=ABOUT | {"pairing": f"by digit, drawn with seed {seed}, no image twice"},
        ),
        ids=["_".join(name) for name in names],
        targets=digits,
        groups=[speaker for _, speaker, _ in names],
        cells={"audio": Cells("audio", sounds, here), "image": Cells("image", images, here)},
        splits=leave_one_group_out,
    )


def _recordings(folder: Path) -> tuple[list[tuple[str, str, str]], list[NDArray[np.float32]]]:
    """(digit, speaker, index) and samples in [-1, 1] of every recording, sorted by name."""
    found = {}
    for name, content in _wav_files(folder):
        match = NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"{folder}: {name!r} is not named DIGIT_SPEAKER_INDEX.wav")
        try:
            with wave.open(io.BytesIO(content)) as sound:
                if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (RATE, 1, 2):
                    raise ValueError(f"{folder}: {name} is not {RATE} Hz, mono, 16 bit")
                samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
        except (wave.Error, EOFError) as error:
            raise ValueError(f"{folder}: {name} cannot be read: {error}") from None
        digit, speaker, index = match.groups()
        found[digit, speaker, index] = samples.astype(np.float32) / 32768
    if not found:
        raise ValueError(f"{folder}: no recording found")
    counts = Counter((digit, speaker) for digit, speaker, _ in found)
    if len(set(counts.values())) > 1 or len(counts) != len({d for d, _ in counts}) * len({s for _, s in counts}):
        warnings.warn(f"{folder}: speakers and digits do not have equally many recordings; is the copy whole?", stacklevel=3)
    names = sorted(found, key=lambda name: (name[0], name[1], int(name[2])))
    return names, [found[name] for name in names]


def _wav_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each .wav file; a tar is read in place, nothing of it is unpacked."""
    if (folder / "recordings.tar").is_file():
        try:
            with tarfile.open(folder / "recordings.tar") as archive:
                for member in archive:
                    source = archive.extractfile(member) if member.name.endswith(".wav") else None
                    if source is not None:
                        yield Path(member.name).name, source.read()
        except tarfile.TarError as error:
            raise ValueError(f"{folder / 'recordings.tar'} cannot be read: {error}") from None
    elif (folder / "recordings").is_dir():
        yield from ((path.name, path.read_bytes()) for path in (folder / "recordings").glob("*.wav"))
    else:
        raise FileNotFoundError(
            f"{folder} holds neither recordings.tar nor recordings/; see https://github.com/Jakobovski/free-spoken-digit-dataset"
        )


def _mnist(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images [N 28 28 1] and digits [N]."""
    path = folder / "mnist_5k.csv.gz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it holds 784 pixels (0 to 255) and the digit in a line, without a heading")
    try:
        table = csv.read_csv(path, read_options=csv.ReadOptions(autogenerate_column_names=True))
        numbers = np.stack([column.to_numpy() for column in table.columns], axis=1)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if (
        numbers.shape[1] != 785
        or numbers.dtype.kind != "i"
        or numbers.min() < 0
        or numbers.max() > 255
        or numbers[:, -1].max() > 9
    ):
        raise ValueError(f"{path}: expected lines of 784 whole numbers in 0..255 and a digit")
    return numbers[:, :-1].astype(np.uint8).reshape(-1, 28, 28, 1), numbers[:, -1].astype(np.uint8)


def _pair(
    digits: NDArray[np.int64], images: NDArray[np.uint8], labels: NDArray[np.uint8], *, seed: int
) -> list[NDArray[np.uint8]]:
    """An image of the same digit for each recording, none twice."""
    random = np.random.default_rng(seed)
    chosen = np.zeros(len(digits), np.intp)
    for digit in np.unique(digits):
        pool = random.permutation(np.flatnonzero(labels == digit))
        rows = np.flatnonzero(digits == digit)
        if len(pool) < len(rows):
            raise ValueError(
                f"{len(rows)} recordings of digit {digit}, but only {len(pool)} images; each recording needs its own"
            )
        chosen[rows] = pool[: len(rows)]
    return [images[image] for image in chosen]
