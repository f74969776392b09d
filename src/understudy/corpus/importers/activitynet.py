"""ActivityNet, UCF51 and the like: an annotation.json of clips, as GeWu-Lab and CCL have it, beside features in folders."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split, hold_out
from understudy.corpus.importers.cleaning import naming
from understudy.corpus.importers.clip_features import Clip, Steps, read_clips
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.reader import MediaReader, OnError
from understudy.process.whole import read_json, sha256
from understudy.tasks import Classification

SUBSETS = {"training": "train", "validation": "test"}
"""The published validation clips are what is scored; the validation rows of a corpus choose its epoch."""
ABOUT = {
    "licence": "research data; its clips are from YouTube",
    "layout": "annotation.json: https://github.com/GeWu-Lab/cross-modal-distillation, https://github.com/yanbeic/CCL",
}


def import_activitynet(
    annotation: Path | str,
    out: Path | str,
    *,
    modalities: Mapping[str, Path | str],
    steps: Steps = "mean",
    valid: float = 0.1,
    seed: int = 0,
    on_error: OnError = "fail",
) -> Corpus:
    """Modalities from folders, as in `import_ucf`, and the split `given`: the published validation clips are the test rows.

    annotation: {"labels": [...], "database": {CLIP: {"subset": "training" | "validation", "label": CLASS}}}, where CCL has the
    label inside "annotations". Rows are grouped by the video that a segment was cut from, and a video in two parts is an error.
    Clips of classes that `labels` does not name (CCL's UCF51 lists all of UCF101) and of other subsets are left out and counted.
    valid: share of the training clips that validates, whole videos, drawn by `seed` (ours).
    """
    annotation = Path(annotation)
    with naming(annotation):
        classes, database = read_annotation(annotation)
        clips, parts, left_out = listed(classes, database)
        if not 0 <= valid < 1:
            raise ValueError(f"valid={valid}: a share of the training clips, from 0 to below 1")
    reader = MediaReader(on_error)
    described, cells, said = read_clips(modalities, clips, steps=steps, reader=reader)
    counts = ", ".join(f"{parts.count(part)} {subset}" for subset, part in SUBSETS.items())
    about = (
        {"name": annotation.stem, "counts": counts, "clips": f"steps: {steps}", "id_hash": sha256(annotation)} | left_out | said
    )
    with naming(annotation):
        return write_corpus(
            out,
            Schema(Classification(classes=tuple(classes)), described, grouped=True, about=ABOUT | about),
            ids=[clip.name for clip in clips],
            targets=[classes.index(clip.label) for clip in clips],
            groups=[clip.group for clip in clips],
            cells=cells,
            splits=lambda corpus: [hold_out(corpus, given_split(corpus, name="given", parts=parts), valid, seed=seed)],
            errors=reader.errors,
        )


def read_annotation(path: Path) -> tuple[list[str], dict[str, Any]]:
    """Classes in their order, and the entries by clip."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; it is JSON with labels and database")
    document = read_json(path, {"labels": [str], "database": {}})
    classes, database = document["labels"], document["database"]
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ValueError(
            f"labels names {len(classes)} classes, {len(set(classes))} different ones; expected two or more, each once"
        )
    return classes, database


def listed(classes: list[str], database: Mapping[str, Any]) -> tuple[list[Clip], list[str], dict[str, str]]:
    """Clips and their parts, by name, and what was left out in words."""
    clips, parts, left = [], [], Counter()
    for name in sorted(database):
        entry = database[name]
        inner = entry.get("annotations", entry) if isinstance(entry, dict) else None
        subset = entry.get("subset") if isinstance(entry, dict) else None
        label = inner.get("label") if isinstance(inner, dict) else None
        if subset not in SUBSETS:
            left[f"of subset {subset!r}"] += 1
        elif not isinstance(label, str):
            raise ValueError(f"clip {name!r}: {entry!r} has no label")
        elif label not in classes:
            left["of classes that labels does not name"] += 1
        else:
            clips.append(Clip(name, label))
            parts.append(SUBSETS[subset])
    if not clips:
        raise ValueError(f"none of {len(database)} clips is of a class in labels and of training or validation")
    said = "; ".join(f"{count} clips {what}" for what, count in sorted(left.items()))
    return clips, parts, {"left_out": said} if said else {}
