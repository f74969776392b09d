"""IEMOCAP as MulT (yaohungt/Multimodal-Transformer) has it: one pickle, four yes-or-no decisions, of which one is the target."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.importers.cleaning import naming
from understudy.corpus.importers.iemocap import UTTERANCE, speaker_of
from understudy.corpus.importers.mmsa import feature_cells, read_parts, strings
from understudy.corpus.importers.sentiment import PARTS, id_hash, published_split
from understudy.corpus.importers.unpickle import read_pickle
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.process.whole import sha256
from understudy.tasks import Classification

Emotion = Literal["neutral", "happy", "sad", "angry"]
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)
"""In the order of the file's labels, as MulT's eval_metrics.py names them."""
ABOUT = {
    "licence": "research data under agreement with SAIL (USC), not for redistribution",
    "layout": "MulT features, https://github.com/yaohungt/Multimodal-Transformer",
    "citation": "C. Busso et al., Language Resources and Evaluation 2008; Y.-H. H. Tsai et al., ACL 2019 (features)",
}


def import_mult(path: Path | str, out: Path | str, *, emotion: Emotion, across_speakers: bool = False) -> Corpus:
    """Sequences `text`, `audio` and `vision`; the target is whether a row is of this `emotion`; the split `given`.

    path: iemocap_data.pkl or iemocap_data_noalign.pkl, read without running anything in it: train, valid and test, each with
    labels [N 4 2], whose larger number of the two decides. Where `id` names IEMOCAP's utterances, rows are grouped by speaker,
    and a speaker in two parts is an error unless `across_speakers`; where it does not, overlap cannot be checked, which
    `schema.about` says. Padding, zeros and numbers that are not finite are treated as in `import_mmsa`.
    """
    path = Path(path)
    if emotion not in EMOTIONS:
        raise ValueError(f"emotion {emotion!r}: choose from {', '.join(EMOTIONS)}")
    with naming(path):
        data = read_parts(read_pickle(path), ("labels",))
        parts = [part for part in PARTS for _ in range(len(data[part]["labels"]))]
        target = np.concatenate([decided(part, data[part]["labels"], EMOTIONS.index(emotion)) for part in PARTS])
        ids, speakers = named(data)
        modalities, cells, said = feature_cells(data, ids)
        about = {"name": f"IEMOCAP, {emotion} or not", "sha256": sha256(path), "id_hash": id_hash(ids)}
        about["counts"] = ", ".join(f"{parts.count(part)} {part}" for part in PARTS) + f", {len(ids)} in all"
        if not speakers:
            about["groups"] = "the file names no speakers: whether one stands in two parts cannot be checked"
        return write_corpus(
            out,
            Schema(Classification(classes=(f"not {emotion}", emotion)), modalities, bool(speakers), ABOUT | about | said),
            ids=ids,
            targets=target,
            groups=speakers,
            cells=cells,
            splits=lambda corpus: published_split(corpus, parts, across_videos=across_speakers),
        )


def decided(part: str, labels: Any, place: int) -> NDArray[np.int64]:
    """1 where a row is of the emotion at `place`, else 0."""
    found = np.asarray(labels)
    if found.dtype.kind not in "biuf" or found.shape[1:] != (len(EMOTIONS), 2):
        raise ValueError(f"{part}, labels: {found.dtype} of shape {found.shape}; expected numbers [N {len(EMOTIONS)} 2]")
    no, yes = found[:, place].astype(np.float64).T
    wrong = ~((no < yes) | (no > yes))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{part}, labels, row {row}: {found[row, place].tolist()} decides neither yes nor no")
    return (yes > no).astype(np.int64)


def named(data: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str] | None]:
    """Ids and speakers where the file names utterances of IEMOCAP; else numbers, and None."""
    if all("id" in data[part] for part in PARTS):
        firsts = {part: [np.ravel(np.asarray(each, object))[:1].tolist() for each in data[part]["id"]] for part in PARTS}
        if all(each and isinstance(each[0], (str, bytes)) for part in PARTS for each in firsts[part]):
            ids = [name for part in PARTS for name in strings(part, "id", firsts[part])]
            if all(UTTERANCE.fullmatch(each) for each in ids):
                return ids, [speaker_of(each) for each in ids]
    return [f"{part}-{row:05d}" for part in PARTS for row in range(len(data[part]["labels"]))], None
