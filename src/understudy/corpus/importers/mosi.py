"""CMU-MOSI: 2,199 utterances of 93 video reviews with sentiment in [-3, 3] (Zadeh et al. 2016, arXiv 1606.06259)."""

import warnings
from pathlib import Path

import numpy as np

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split
from understudy.corpus.importers.sentiment import id_hash
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.columns import Column
from understudy.prepare.npz import read_arrays
from understudy.prepare.source import read_table
from understudy.tasks import Regression

SDK = {"train": 1284, "valid": 229, "test": 686}
"""Utterances of the standard folds of the CMU MultimodalSDK."""
LEAK = "fitted on the labels of the bc-LSTM train split, which holds rows of the SDK test fold: never use them on split sdk"
ABOUT = {
    "name": "CMU-MOSI",
    "licence": "research data, not for redistribution",
    "citation": "Zadeh et al. 2016, arXiv 1606.06259; features: Poria et al., ACL 2017",
    "audio": "openSMILE features, unsupervised",
}


def import_mosi(folder: Path | str, out: Path | str, *, leaky: bool = False) -> Corpus:
    """From `folder` with utterances.csv and features.npz, to splits `sdk` and `bclstm`, both by video.

    utterances.csv: id, video, split, split_bclstm, sentiment, transcript. features.npz: id, audio [N 73], text and video [N 100].
    Labels, folds and transcripts are those of the CMU MultimodalSDK; the features are those published with bc-LSTM.
    leaky: add the modalities text_cnn and video, which are fitted on labels.
    """
    folder = Path(folder)
    for name in ("utterances.csv", "features.npz"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} is missing; CMU-MOSI comes from the CMU MultimodalSDK and is not bundled")
    table = read_table(folder / "utterances.csv")
    wanted = {"id", "video", "split", "split_bclstm", "sentiment", "transcript"}
    if not wanted <= set(table.column_names):
        raise ValueError(f"{folder / 'utterances.csv'} lacks the column {', '.join(sorted(wanted - set(table.column_names)))}")
    column = {name: Column.of(table, name, 1) for name in wanted}
    ids = column["id"].categories()
    if any(each is None for each in ids):
        raise ValueError(f"{folder / 'utterances.csv'}: an id is empty")
    features = read_arrays(folder / "features.npz")
    if features["id"].tolist() != ids.tolist():
        raise ValueError(f"{folder}: features.npz and utterances.csv do not hold the same ids in the same order")
    texts = column["transcript"].texts()
    modalities = {"text": Modality("text", source=("transcript",)), "audio": Modality("vector", width=73)}
    cells = {"text": Cells("text", texts, np.array([text is not None for text in texts]))}
    if leaky:
        modalities |= {"text_cnn": Modality("vector", width=100), "video": Modality("vector", width=100)}
    for name in [name for name in modalities if name != "text"]:
        values = features["text" if name == "text_cnn" else name].astype(np.float32)
        cells[name] = Cells("vector", values, np.ones(len(ids), bool))
    parts = {"sdk": column["split"].categories(), "bclstm": column["split_bclstm"].categories()}
    _warn_of_counts(parts["sdk"].tolist())
    return write_corpus(
        out,
        Schema(
            Regression(low=-3.0, high=3.0, unit="sentiment points", sentiment=True),
            modalities,
            grouped=True,
            about=ABOUT | {"id_hash": id_hash(ids.tolist())} | ({"leak": f"text_cnn and video were {LEAK}"} if leaky else {}),
        ),
        ids=ids,
        targets=column["sentiment"].numbers(),
        groups=column["video"].categories(),
        cells=cells,
        splits=lambda corpus: [given_split(corpus, name=name, parts=each) for name, each in parts.items()],
    )


def _warn_of_counts(parts: list[str | None]) -> None:
    """Distributions of the set differ by a handful of rows; results over different rows do not compare."""
    found = {name: parts.count(name) for name in SDK}
    if found != SDK:
        warnings.warn(f"MOSI split sdk has {found} utterances, the standard folds have {SDK}", stacklevel=3)
