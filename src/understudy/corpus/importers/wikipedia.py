"""Wikipedia: pictures and the sections of featured articles that they illustrate, as features, in ten categories."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import draw_labelled
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus
from understudy.prepare import npz
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Retrieval

KEYS = {"image": "I", "text": "T"}
"""Modality -> the letter of its arrays `_tr` and `_te` in raw_features.mat."""
ABOUT = {
    "name": "Wikipedia cross-modal retrieval",
    "licence": "texts CC BY-SA; features for research, cite the paper",
    "citation": "N. Rasiwasia et al., A New Approach to Cross-Modal Multimedia Retrieval, ACM MM 2010",
    "image": "histogram of 128 SIFT words; text: 10 topics (LDA), as published",
}


def import_wikipedia(folder: Path | str, out: Path | str, *, valid: float = 0.2, seed: int = 0) -> Corpus:
    """Modalities `image` and `text`, and the split `given`: the published test rows, and validation rows out of the train rows.

    folder: holds raw_features.mat, trainset_txt_img_cat.list, testset_txt_img_cat.list and categories.list. valid: their share of
    the published train rows, drawn by `seed` from each category; 0 for none. ValueError names the file and what is wrong in it;
    nothing is unpickled.
    """
    folder = Path(folder)
    if not 0 <= valid < 1:
        raise ValueError(f"valid={valid}: a share of the train rows, from 0 to below 1")
    classes = tuple(lines(folder / "categories.list"))
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ValueError(f"{folder / 'categories.list'}: expected two or more different categories, one a line")
    train = listed(folder / "trainset_txt_img_cat.list", len(classes))
    test = listed(folder / "testset_txt_img_cat.list", len(classes))
    arrays = features(folder / "raw_features.mat", {"tr": len(train), "te": len(test)})
    articles = [{text.rpartition("-")[0] for text, _, _ in part} for part in (train, test)]
    here = np.ones(len(train) + len(test), bool)

    def splits(corpus: Corpus) -> list[Split]:
        rows = np.arange(len(corpus))
        mine, theirs = rows[: len(train)], rows[len(train) :]
        held = draw_labelled(mine, corpus.target, round(valid * len(mine)), seed=seed, draw=0) if valid else mine[:0]
        kept = np.setdiff1d(mine, held)
        return [replace(Split("given", kept, theirs, kept), valid=held)]

    return write_corpus(
        out,
        Schema(
            Retrieval(classes=classes, branches=tuple(KEYS)),
            {name: Modality("vector", width=array.shape[1]) for name, array in arrays.items()},
            about=ABOUT
            | {"articles": f"{len(articles[0] & articles[1])} articles have sections in both train and test, as published"},
        ),
        ids=[f"{text}/{image}" for text, image, _ in train + test],
        targets=[category for _, _, category in train + test],
        cells={name: Cells("vector", array, here) for name, array in arrays.items()},
        splits=splits,
    )


def lines(path: Path) -> list[str]:
    """The lines of a text file that hold something."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; the folder of the Wikipedia set holds raw_features.mat and three .list files")
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file: {error}") from None


def listed(path: Path, classes: int) -> list[tuple[str, str, int]]:
    """Text id, image id and category from 0 of each line."""
    found = []
    for number, line in enumerate(lines(path), start=1):
        parts = line.split()
        if len(parts) != 3 or not parts[2].isdecimal() or not 1 <= int(parts[2]) <= classes:
            raise ValueError(f"{path}, line {number}: expected a text id, an image id and a category from 1 to {classes}")
        found.append((parts[0], parts[1], int(parts[2]) - 1))
    return found


def features(path: Path, rows: Mapping[str, int]) -> dict[str, NDArray[np.float32]]:
    """Each modality's numbers, train rows before test rows, checked against the rows that the lists have."""
    arrays = read_mat(path, [f"{letter}_{part}" for letter in KEYS.values() for part in rows])
    found = {}
    for name, letter in KEYS.items():
        parts = []
        for part, count in rows.items():
            key = f"{letter}_{part}"
            array = arrays[key]
            if array.ndim != 2 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
                raise ValueError(f"{path}: {key} is no matrix of finite numbers")
            if len(array) != count:
                raise ValueError(f"{path}: {key} has {len(array)} rows, but the list names {count}")
            parts.append(array.astype(np.float32))
        if parts[0].shape[1] != parts[1].shape[1]:
            raise ValueError(f"{path}: {letter}_tr has {parts[0].shape[1]} columns, {letter}_te {parts[1].shape[1]}")
        found[name] = np.ascontiguousarray(np.concatenate(parts))
    return found


def read_mat(path: Path, keys: list[str]) -> dict[str, Any]:
    """These variables of a MATLAB file (version 5), none of which may be missing."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; the folder of the Wikipedia set holds raw_features.mat and three .list files")
    try:
        found = loadmat(path, variable_names=keys)
    except (MatReadError, LookupError, AttributeError, *npz.FAULTS) as error:
        raise ValueError(f"{path} cannot be read as a MATLAB file: {error}") from None
    missing = [key for key in keys if key not in found]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}")
    return found
