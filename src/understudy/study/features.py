"""Stored features: what a frozen published encoder says of every row, once, as a corpus that teachers train on."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from understudy.batches.ahead import as_it_is, begin
from understudy.corpus import Corpus, Given, opened
from understudy.corpus.write import corpus_writer
from understudy.encoders.encoder import Encoder
from understudy.encoders.video import VideoEncoder
from understudy.players.published import published_encoder, published_view, stored_features
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.reader import FileError, OnError
from understudy.prepare.stored import StoredFrames
from understudy.prepare.view import FieldArrays, UnreadableCell, View
from understudy.process import hardware
from understudy.process.crew import ALONE, Crew
from understudy.process.partial import discard
from understudy.process.progress import progress
from understudy.process.share import ALL, Share
from understudy.study.divided import divide_store
from understudy.teachers.at_rest import Columns, Ragged, starts_of
from understudy.teachers.header import FILE, Header, read_header
from understudy.teachers.store import TOKENS, Store
from understudy.teachers.teacher import identity_of
from understudy.teachers.writer import Writer, folder_of, shared

TOGETHER = 1024
"""Rows of the new corpus that are in memory together."""
ROWS = 8
"""Of a step: few clips fill the memory, few texts are soon done."""
WORKERS = 4
"""Processes that decode ahead, where this one may use as many cores; no value depends on it."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for of a corpus's rows: `modality`, a video or a text, as a published `encoder` sees it.

    encoder: transformers folder or hub id. views: of each clip; the first shows the centre frames, as evaluation does, the others
    frames drawn from the row's id. on_error: what cannot be decoded fails, or is skipped.
    """

    modality: str
    encoder: str
    views: int = 1
    on_error: OnError = "fail"


def store_features(
    corpus: Given,
    out: Path | str,
    *,
    target: str = "",
    modality: str,
    encoder: str,
    views: int = 1,
    on_error: OnError = "fail",
    crew: Crew = ALONE,
    quiet: bool = False,
) -> Corpus:
    """A corpus at `out` in which `modality`, a video or a text, is the sequence of what a published encoder says of it.

    All else is as before: ids, targets, groups, splits, other modalities.
    corpus, target: as `us.advise` takes them. encoder, views, on_error: as of `Wanted`; training draws among the views, and a row
    that is skipped is without the modality, and in errors.json. crew: the workers that ask. What is done is kept in OUT.features
    until all is: a killed call goes on when it is repeated.
    """
    corpus, out = opened(corpus, target=target), Path(out)
    held, wanted = Path(f"{out}.features"), Wanted(modality, encoder, views, on_error)
    if out.exists():
        discard_spent(held, corpus, out, modality)
        raise ValueError(f"{out} exists already; give another folder, or remove it first")
    tower, errors = fill(corpus, held, ALL, wanted, crew=crew, quiet=quiet)
    note: dict[str, Any] = {"encoder": encoder}
    if isinstance(tower, VideoEncoder):
        assert tower.tower is not None
        shape = StoredFrames(tower.tower.frames, tower.tower.patches, tower.width, views)
        note["view"] = shape.state()
    derived = derive(corpus, out, modality, Store(held), width=tower.width, note=note, errors=errors)
    discard(held)
    return derived


def store_feature_share(
    corpus: Given,
    out: Path | str,
    share: Share,
    *,
    target: str = "",
    modality: str,
    encoder: str,
    views: int = 1,
    on_error: OnError = "fail",
    crew: Crew = ALONE,
    quiet: bool = False,
) -> Store:
    """One machine's rows of several: what `store_features` of all rows, with the same arguments, then takes over.

    They lie as a store in OUT.features.shards. The call goes on when it is repeated.
    """
    corpus, held = opened(corpus, target=target), Path(f"{out}.features")
    fill(corpus, held, share, Wanted(modality, encoder, views, on_error), crew=crew, quiet=quiet)
    return Store(folder_of(held, share))


def fill(
    corpus: Corpus, held: Path, share: Share, wanted: Wanted, *, crew: Crew = ALONE, quiet: bool
) -> tuple[Encoder, list[FileError]]:
    """Have the store at `held` what the encoder says of the share's rows; the encoder, and the rows that were skipped."""
    check(corpus, wanted)
    view = published_view(corpus, wanted.modality, wanted.encoder)
    tower = published_encoder(view, wanted.encoder).eval()
    fingerprint = {
        "teacher": identity_of(tower, wanted.encoder),
        "corpus": corpus.fingerprint,
        "preprocessing": view.key,
        "augmentation": f"{wanted.views} views",
    }
    header = Header(fingerprint, corpus.task.to_json(), [wanted.modality], "float32")
    if not crew.single:
        work = partial(filled, corpus.place, held.resolve(), wanted)
        total = len(np.unique(first_rows(corpus, wanted.modality)))
        divide_store(crew, work, held, header, share, title=wanted.modality, total=total, quiet=quiet)
    with shared(held, header, share) as writer:
        errors = ask(corpus, view, tower, writer, share, wanted, quiet=quiet)
    if share == ALL and not writer.known:
        raise ValueError(f"no row has a {wanted.modality} that {wanted.encoder} could read; {'; '.join(map(str, errors[:3]))}")
    return tower, errors


def filled(corpus: str, held: Path, wanted: Wanted, share: Share) -> None:
    """What a worker does."""
    fill(Corpus(corpus), held, share, wanted, quiet=True)


def discard_spent(held: Path, corpus: Corpus, out: Path, modality: str) -> None:
    """Remove the answers that the features in `out` were made of, if a kill left them just before they were removed."""
    made = Corpus(out).schema.about if (out / "corpus.json").is_file() else {}
    spent = {f"{modality} features", f"{modality} tokens of"} & set(made) and (held / FILE).is_file()
    if spent and read_header(held).fingerprint["corpus"] == corpus.fingerprint:
        discard(held)


def check(corpus: Corpus, wanted: Wanted) -> None:
    """KeyError for a modality that the corpus lacks, ValueError for one that no published encoder reads, or for odd views."""
    modality, views = wanted.modality, wanted.views
    if modality not in corpus.modalities:
        raise KeyError(f"no modality {modality!r}; the corpus has {', '.join(corpus.modalities)}")
    kind = corpus.modalities[modality].kind
    if kind not in ("video", "text") or stored_features(corpus, modality):
        raise ValueError(f"{modality!r} is a {kind}; features are stored of videos and texts")
    if views < 1 or (kind == "text" and views > 1):
        raise ValueError(f"views={views} of a {kind}; expected at least 1, and 1 of a text, in which nothing is drawn")


def ask(
    corpus: Corpus, view: View, tower: Encoder, writer: Writer, share: Share, wanted: Wanted, *, quiet: bool
) -> list[FileError]:
    """Put into `writer` what the tower says of the rows of the share that it wants, one a shared cell; what was skipped.

    Rows are asked in the same company however they are divided and where it goes on, since that may move an answer's last bit.
    """
    device, modality = hardware.device(), wanted.modality
    tower.to(device)
    first = first_rows(corpus, modality)
    rows = np.unique(first[first >= 0])
    mine = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)][share.slice]
    chunks = [each for each in mine if any(writer.wants(key) for key in corpus.ids[each].tolist())]
    errors, total = list[FileError](), len(writer.known) + sum(map(len, chunks))
    with progress(modality, total=total, quiet=quiet) as bar, torch.inference_mode():
        for found in ahead(Chunks(corpus, modality, view, chunks, wanted.views)):
            for key, reason in found.errors.items():
                if wanted.on_error == "fail":
                    writer.flush()
                    raise ValueError(f"modality {modality!r}, row {key!r}: {reason}")
                errors.append(FileError(f"row {key!r}", modality, reason))
            if found.ids:
                said = [
                    tokens_of(tower, {n: torch.from_numpy(v).to(device) for n, v in fields.items()}) for fields in found.fields
                ]
                writer.add(found.ids, columns(modality, [np.concatenate(each) for each in zip(*said, strict=True)]), {})
            bar(len(writer.known), f"{len(errors)} skipped" if errors else "")
    return errors


def columns(modality: str, steps: list[NDArray[np.float32]]) -> Columns:
    """The steps of each row as a store holds them."""
    ragged = Ragged(np.concatenate(steps), starts_of([len(each) for each in steps]))
    return {"valid": np.ones(len(steps), dtype=bool), TOKENS + modality: ragged}


def tokens_of(tower: Encoder, fields: dict[str, torch.Tensor]) -> list[NDArray[np.float32]]:
    """The steps [T D] of each row: frames and then patches of a video, tokens of a text."""
    if isinstance(tower, VideoEncoder):
        assert tower.tower is not None
        return list(torch.cat(tower.tower(fields["values"]), dim=1).float().cpu().numpy())
    tokens = tower(fields).tokens
    assert tokens is not None
    return [values[mask].float().cpu().numpy() for values, mask in zip(tokens.values, tokens.mask, strict=True)]


@dataclass(frozen=True, eq=False)
class Found:
    """The rows of a chunk that could be read, their fields in each view, and why the others could not."""

    ids: list[str]
    fields: list[FieldArrays]
    errors: dict[str, str]


@dataclass(frozen=True, eq=False)
class Chunks(Dataset[Found]):
    """Chunks of rows by number, prepared in every view; an unreadable cell is left out of its chunk."""

    corpus: Corpus
    modality: str
    view: View
    rows: Sequence[NDArray[np.intp]]
    views: int

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chunk: int) -> Found:
        rows, errors = self.rows[chunk], {}
        while len(rows):
            ids = [str(key) for key in self.corpus.ids[rows]]
            cells = self.corpus.cells(self.modality, rows)
            try:
                drawn = [self.view.draw(cells, [crc32(f"{n}/{key}".encode()) for key in ids]) for n in range(1, self.views)]
                return Found(ids, [self.view.prepare(cells), *drawn], errors)
            except UnreadableCell as error:
                errors[ids[error.row]] = error.reason
                rows = np.delete(rows, error.row)
        return Found([], [], errors)


def ahead(chunks: Chunks) -> Iterator[Found]:
    """Each chunk in order; where there is something to decode, processes prepare the next ones meanwhile."""
    workers = min(WORKERS, torch.get_num_threads()) if chunks.view.kind == "video" and len(chunks) > 1 else 0
    yield from DataLoader(chunks, batch_size=None, num_workers=workers, collate_fn=as_it_is, worker_init_fn=begin)


def first_rows(corpus: Corpus, modality: str) -> NDArray[np.intp]:
    """[N] Of each row the first one that has the same cell, itself where it shares none; -1 where it is absent."""
    items = corpus.items(modality)
    known, first, back = np.unique(items, return_index=True, return_inverse=True)
    return np.where(known < 0, -1, first)[back]


def derive(
    corpus: Corpus, out: Path, modality: str, store: Store, *, width: int, note: dict[str, Any], errors: Sequence[FileError]
) -> Corpus:
    """The corpus with `modality` replaced by what the store holds, some rows at a time."""
    noted = {f"{modality} features": json.dumps(note)} if "view" in note else {f"{modality} tokens of": note["encoder"]}
    kind = Modality("sequence", width=width, shared=corpus.modalities[modality].shared)
    modalities = corpus.modalities | {modality: kind}
    schema = replace(corpus.schema, modalities=modalities, about=corpus.schema.about | noted)
    first, splits = first_rows(corpus, modality), [corpus.split(name) for name in corpus.splits]
    with corpus_writer(out, schema, splits=splits, errors=errors) as writer:
        for start in range(0, len(corpus), TOGETHER):
            rows = np.arange(start, min(start + TOGETHER, len(corpus)))
            others = {name: corpus.cells(name, rows) for name in modalities if name != modality}
            known = corpus.has_target[rows]
            writer.add(
                ids=corpus.ids[rows],
                targets=[y if here else None for y, here in zip(corpus.target[rows].tolist(), known, strict=True)],
                groups=None if corpus.groups is None else corpus.groups[rows],
                weights=None if corpus.weights is None else corpus.weights[rows],
                cells=others | {modality: said_of(corpus, first[rows], modality, store)},
            )
    return Corpus(out)


def said_of(corpus: Corpus, rows: NDArray[np.intp], modality: str, store: Store) -> Cells:
    """What the store holds of these rows, -1 being none; rows that are equal have one array."""
    names = {row: str(corpus.ids[row]) for row in np.unique(rows).tolist() if row >= 0}
    asked = [row for row, key in names.items() if not store.missing([key])]
    tokens = store.answers([names[row] for row in asked]).tokens[modality]
    said = {row: values[mask] for row, values, mask in zip(asked, tokens.values.numpy(), tokens.mask.numpy(), strict=True)}
    values = [said.get(row) for row in rows.tolist()]
    return Cells("sequence", values, np.array([value is not None for value in values]))
