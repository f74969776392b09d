"""UCF101, and UCF51, its classes with sound: the official lists of clips, beside features or videos of them in folders."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split, hold_out
from understudy.corpus.importers.clip_features import Clip, Steps, read_clips
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus
from understudy.prepare.reader import MediaReader, OnError
from understudy.process.whole import sha256
from understudy.tasks import Classification

ABOUT = {
    "name": "UCF101",
    "licence": "research data; its clips are from YouTube",
    "layout": "ucfTrainTestlist, https://www.crcv.ucf.edu/data/UCF101.php",
    "citation": "K. Soomro, A. R. Zamir and M. Shah, arXiv 1212.0402",
}
Listed = Mapping[str, Clip]


def import_ucf(
    lists: Path | str,
    out: Path | str,
    *,
    modalities: Mapping[str, Path | str],
    classes_of: str = "",
    steps: Steps = "mean",
    valid: float = 0.1,
    seed: int = 0,
    on_error: OnError = "fail",
) -> Corpus:
    """Modalities from folders, and `split-1` to `split-3` as far as lists hold them, grouped by what clips were cut from.

    lists: holds classInd.txt, trainlist01.txt, testlist01.txt ... modalities: name -> folder with NAME.npy or CLASS/NAME.npy
    ([D] or [T D]), video files named so, or the feature pickles of GeWu-Lab/cross-modal-distillation. classes_of: the modality
    whose class folders are the label set, as UCF51 is the classes of the audio features; else all of classInd.txt. steps: a
    clip's mean, or a sequence. valid: share of the train clips that validates, whole groups, drawn by `seed` (ours: the lists
    have none). A clip without features, or with nothing but zeros, is absent in that modality and counted in `schema.about`.
    """
    lists = Path(lists)
    if not 0 <= valid < 1:
        raise ValueError(f"valid={valid}: a share of the train clips, from 0 to below 1")
    classes = read_classes(lists / "classInd.txt")
    kept = classes if not classes_of else with_folder(classes, modalities, classes_of)
    parts = read_lists(lists, classes)
    clips = {each.name: each for listed in parts.values() for part in listed for each in part.values() if each.label in kept}
    rows = [clips[name] for name in sorted(clips)]
    if not rows:
        raise ValueError(f"{lists}: no listed clip is of the classes {', '.join(kept)}")
    reader = MediaReader(on_error)
    described, cells, said = read_clips(modalities, rows, steps=steps, reader=reader)

    def splits(corpus: Corpus) -> list[Split]:
        return [official(corpus, name, rows, *listed, valid=valid, seed=seed) for name, listed in parts.items()]

    about = {"classes": f"{len(kept)} of {len(classes)}" + (f", those with a folder of {classes_of}" if classes_of else "")}
    files = sorted([lists / "classInd.txt", *lists.glob("t*list0[123].txt")])
    whole = hashlib.sha256("".join(sha256(path) for path in files).encode()).hexdigest()
    about |= {"clips": f"steps: {steps}", "id_hash": whole} | said
    return write_corpus(
        out,
        Schema(Classification(classes=tuple(kept)), described, grouped=True, about=ABOUT | about),
        ids=[clip.name for clip in rows],
        targets=[kept.index(clip.label) for clip in rows],
        groups=[clip.group for clip in rows],
        cells=cells,
        splits=splits,
        errors=reader.errors,
    )


def lines(path: Path) -> list[str]:
    """The lines of a list that hold something."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; ucfTrainTestlist holds classInd.txt, trainlist01.txt, testlist01.txt ...")
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file: {error}") from None


def read_classes(path: Path) -> list[str]:
    """The names in classInd.txt, in its order, which counts from 1."""
    found = []
    for number, line in enumerate(lines(path), start=1):
        parts = line.split()
        if len(parts) != 2 or parts[0] != str(number) or parts[1] in found:
            raise ValueError(f"{path}, line {number}: {line!r}; expected `{number} CLASS`, each class once")
        found.append(parts[1])
    if len(found) < 2:
        raise ValueError(f"{path}: {len(found)} classes; expected two or more")
    return found


def read_lists(folder: Path, classes: Sequence[str]) -> dict[str, tuple[Listed, Listed]]:
    """Train and test clips of each split, by name."""
    found = {}
    for number in (1, 2, 3):
        train, test = (folder / f"{part}list{number:02d}.txt" for part in ("train", "test"))
        if number == 1 or train.is_file() or test.is_file():
            found[f"split-{number}"] = read_list(train, classes, numbered=True), read_list(test, classes, numbered=False)
            both = set(found[f"split-{number}"][0]) & set(found[f"split-{number}"][1])
            if both:
                raise ValueError(f"{test}: {min(both)!r} stands in {train.name} too")
    return found


def read_list(path: Path, classes: Sequence[str], *, numbered: bool) -> Listed:
    """The clips of one list: `CLASS/NAME.avi`, in a train list with the number of the class from 1."""
    found: dict[str, Clip] = {}
    for row, line in enumerate(lines(path), start=1):
        named, *number = line.split()
        label, slash, file = named.partition("/")
        name = file.rpartition(".")[0]
        if not slash or not name or "/" in name or label not in classes or name in found:
            raise ValueError(f"{path}, line {row}: {line!r}; expected CLASS/NAME.avi of a class in classInd.txt, each clip once")
        if number != ([str(classes.index(label) + 1)] if numbered else []):
            wanted = f"{classes.index(label) + 1} behind it" if numbered else "nothing behind it"
            raise ValueError(f"{path}, line {row}: {line!r}; {label} has {wanted}")
        found[name] = Clip(name, label)
    return found


def with_folder(classes: Sequence[str], folders: Mapping[str, Path | str], name: str) -> list[str]:
    """The classes that have a folder among a modality's features; upper and lower case are one, as UCF101 itself mixes them."""
    if name not in folders:
        raise KeyError(f"classes_of {name!r} is no modality; there are {', '.join(folders)}")
    folder = Path(folders[name])
    there = {path.name.casefold(): path.name for path in sorted(folder.glob("*")) if path.is_dir()}
    unknown = set(there) - {each.casefold() for each in classes}
    if unknown or not there:
        said = f"has no class of that name: {there[min(unknown)]}" if unknown else "holds no folders of classes"
        raise ValueError(f"{folder} {said}; its folders are to be the label set")
    return [each for each in classes if each.casefold() in there]


def official(corpus: Corpus, name: str, rows: Sequence[Clip], train: Listed, test: Listed, *, valid: float, seed: int) -> Split:
    """One official split, of whose train clips some validate."""
    parts = ["train" if clip.name in train else "test" if clip.name in test else None for clip in rows]
    return hold_out(corpus, given_split(corpus, name=name, parts=parts), valid, seed=seed)
