"""Splits at rest beside a corpus: Arrow files of row positions, each with its hash; JSON files of ids, as before, open too."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.split import PARTS, Positions, Rows, Split, validate
from understudy.process.alone import alone
from understudy.process.document import Shape, misfit, parsed
from understudy.process.partial import sweep_inside
from understudy.process.whole import read_json, refuse_endless, whole_file, write_json

SAVED = "splits.json"
"""Beside corpus.json: the hash of each split that was saved, so that one that is lost or replaced is missed."""
ENDINGS = (".arrow", ".json")
"""Of splits, and of those of before."""
KEY = b"understudy split"
"""Of what an Arrow file says of itself beside its rows."""
COLUMNS = pa.schema([pa.field(part, pa.list_(pa.uint32()), nullable=False) for part in PARTS])
ABOUT: Shape = {"group": bool, "seed": (int, None), "hash": str, "corpus": str, "rows": str}
"""hash: SHA-256 over the ids. corpus: the fingerprint of the corpus whose rows are meant. rows: SHA-256 over their positions."""
IDS: Shape = {"group": bool, "seed": (int, None), "hash?": str} | {part: [str] for part in PARTS}


def split_names(folder: Path) -> tuple[str, ...]:
    """Names of the splits saved in a corpus folder."""
    paths = [path for path in (folder / "splits").glob("*") if path.suffix in ENDINGS and not path.name.startswith(".")]
    return tuple(sorted({path.stem for path in paths}))


def path_of(folder: Path, name: str) -> Path:
    """Where the split lies: as it is written now where it is nowhere, or in both forms."""
    paths = [folder / "splits" / f"{name}{ending}" for ending in ENDINGS]
    return next((path for path in paths if path.exists()), paths[0])


def read_split(folder: Path, name: str, rows: Rows) -> Split:
    """The split `name`; ValueError for unknown ids, an id or a group in two parts, and empty parts."""
    path = path_of(folder, name)
    if not path.exists() or path.stem != name or name.startswith("."):
        known = ", ".join(split_names(folder)) or "none (make one with `understudy split`)"
        raise KeyError(f"the corpus has no split {name!r}; it has {known}")
    split = _of_ids(path, name, rows) if path.suffix == ".json" else _of_positions(path, name, rows)
    validate(split, rows)
    return split


def _of_ids(path: Path, name: str, rows: Rows) -> Split:
    """As earlier versions wrote it."""
    document = read_json(path, IDS)
    position = {each: row for row, each in enumerate(rows.ids)}
    try:
        parts = {part: _found(part, document[part], position) for part in PARTS}
        split = Split(name, **parts, group=document["group"], seed=document["seed"], hash=hash_of(parts, rows.ids))
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from None
    if document.get("hash", split.hash) != split.hash:
        raise ValueError(f"{path} was changed after it was written: its hash does not fit its ids")
    return split


def _found(part: str, wanted: Sequence[str], position: Mapping[str, int]) -> Positions:
    unknown = [each for each in wanted if each not in position]
    if unknown:
        raise ValueError(f"{part} names {len(unknown)} ids that the corpus does not have, the first {unknown[0]!r}")
    return np.array([position[each] for each in wanted], np.intp)


def _of_positions(path: Path, name: str, rows: Rows) -> Split:
    about, batch = _opened(path)
    parts = {part: batch.column(part).values.to_numpy().astype(np.intp) for part in PARTS}
    if about["rows"] != _positions_hash(parts):
        raise ValueError(f"{path} was changed after it was written: its hash does not fit its rows")
    if about["corpus"] != rows.fingerprint or max(int(each.max(initial=0)) for each in parts.values()) >= len(rows.ids):
        raise ValueError(f"{path} cannot be used: it names rows of another corpus; draw it anew from this one")
    return Split(name, **parts, group=about["group"], seed=about["seed"], hash=about["hash"])


def _opened(path: Path) -> tuple[dict[str, Any], pa.RecordBatch]:
    """What an Arrow file says of itself, and its one row; ValueError that names a file which is damaged."""
    refuse_endless(path)
    try:
        with pa.OSFile(str(path)) as file:
            reader = pa.ipc.open_file(file)
            about = parsed((reader.schema.metadata or {}).get(KEY, b"").decode())
            fits = reader.num_record_batches == 1 and reader.schema.equals(COLUMNS)
            batch = reader.get_batch(0) if fits else None
        if batch is not None:
            batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    said = misfit(about, ABOUT)
    if said or batch is None or len(batch) != 1:
        raise ValueError(f"{path} is damaged: {said or 'expected one row of ' + ', '.join(PARTS)}")
    return about, batch


def _positions_hash(parts: Mapping[str, Positions]) -> str:
    digest = hashlib.sha256()
    for part in PARTS:
        digest.update(np.array([len(parts[part])], "<u8").tobytes() + parts[part].astype("<u4").tobytes())
    return digest.hexdigest()


def hash_of(parts: Mapping[str, Positions], ids: NDArray[np.object_]) -> str:
    """Over the sets of ids; their order does not matter."""
    listed = {part: sorted(ids[rows].tolist()) for part, rows in parts.items()}
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()


def write_splits(folder: Path, splits: Sequence[Split], rows: Rows) -> None:
    """Validate them all, then write each splits/NAME.arrow, all or none, and note its hash in splits.json.

    One that is there with these rows stays as it is; ValueError for one that is there with others, on which runs may rest.
    """
    for split in splits:
        if not split.name or split.name.startswith(".") or Path(split.name).name != split.name:
            raise ValueError(
                f"split name {split.name!r}: it becomes a file name, so give one without / and not starting with a dot"
            )
        validate(split, rows)
    parts = {split.name: {part: getattr(split, part) for part in PARTS} for split in splits}
    hashes = {name: hash_of(each, rows.ids) for name, each in parts.items()}
    if hashes.items() <= saved_hashes(folder).items() and all(_there(folder, name, hashes[name]) for name in hashes):
        # Whoever was killed just after it had saved them left its lock.
        sweep_inside(folder / "splits")
        return
    with alone(folder / "splits"):
        new = [split for split in splits if not _there(folder, split.name, hashes[split.name])]
        try:
            for split in new:
                about = {"group": split.group, "seed": split.seed, "hash": hashes[split.name], "corpus": rows.fingerprint}
                _write(path_of(folder, split.name), about, parts[split.name])
            write_json(folder / SAVED, saved_hashes(folder) | hashes)
        except BaseException:
            for split in new:
                path_of(folder, split.name).unlink(missing_ok=True)
            raise


def _write(path: Path, about: Mapping[str, Any], parts: Mapping[str, Positions]) -> None:
    said = json.dumps(dict(about) | {"rows": _positions_hash(parts)})
    schema = COLUMNS.with_metadata({KEY: said.encode()})
    lists = [pa.ListArray.from_arrays([0, len(parts[part])], pa.array(parts[part].astype(np.uint32))) for part in PARTS]
    with whole_file(path) as partial, pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch([each.cast(COLUMNS[0].type) for each in lists], schema))


def saved_hashes(folder: Path) -> dict[str, str]:
    """Name -> hash of every split that was saved here, whether or not its file is still there; {} of old corpora."""
    return read_json(folder / SAVED, {...: str}) if (folder / SAVED).is_file() else {}


def _there(folder: Path, name: str, wanted: str) -> bool:
    """Whether the split is saved with these rows; ValueError where it is with others, or cannot be read."""
    path = path_of(folder, name)
    if not path.exists():
        return False
    found = read_json(path).get("hash") if path.suffix == ".json" else _opened(path)[0]["hash"]
    if found != wanted:
        raise ValueError(
            f"{folder} has a split {name!r} of other rows, on which runs may rest: choose another name, or remove {path} "
            "if none does"
        )
    return True
