"""How fuzz damages a file: rules alone, drawn by a seed. No damaged file is kept."""

import hashlib
import io
import json
import os
import random
import struct
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = (
    "", " ", "nan", "NaN", "NULL", "NA", "inf", "-inf", "1e999", "-1e308", "1_2", "1,5", "33,365.48", "12 %", "0x1F", "True", "tbc",
    "=1+1", "9" * 30, "-0", "1.0", "\u0000", "\u202e", "\ufeff", "🙂" * 50, "é" * 300, '"', "'", "\\", "../../x.npy", "/", ".", "..",
    "in", "table.csv", "NaT", "2024-01-01", "[1, 2]", '{"a": 1}', "x" * 40_000, "\r", "\n", "a\tb", ";",
)  # fmt: skip
"""Cells and texts."""
NUMBERS = (0, -1, 1, 2, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 10**30, -(2**63))
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    *WORDS[:30],
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": None},
    1e308,
    1.5,
    float("nan"),
    float("inf"),
)
"""Of JSON."""
DESCRIPTIONS = (
    "<f4",
    ">f8",
    "<f2",
    "|b1",
    "<i8",
    "<u1",
    "|O",
    "<U4",
    "|S3",
    "<c16",
    "<M8[ns]",
    "|V4",
    "<f16",
    "",
    "x",
    "<U0",
    "|S0",
)
DEEP = 5000
"""Brackets of a document that is nested without end."""
Draw = random.Random


def mutate(path: Path, draw: Draw) -> str:
    """Damage a file in one way or a few; what was done."""
    content = path.read_bytes()
    special = [rule for ending, rule in RULES if path.name.endswith(ending)]
    if draw.random() < 0.04:
        return replaced(path, draw)
    done = []
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        rule = draw.choice(special if special and draw.random() < 0.65 else GENERIC)
        try:
            content, name = rule(content, draw), rule.__name__
        except Exception:  # a rule for whole files, of one that is damaged already
            content, name = flip(content, draw), "flip"
        done.append(name)
    path.write_bytes(content)
    return " + ".join(done) + resealed(path, draw)


def replaced(path: Path, draw: Draw) -> str:
    """Something else stands where the file was."""
    what = draw.choice(("nothing", "empty", "folder", "pipe", "loop", "other", "unreadable"))
    others = [each for each in path.parent.iterdir() if each.is_file() and each != path]
    path.unlink()
    if what == "empty":
        path.touch()
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path.name)
    elif what == "other" and others:
        path.write_bytes(draw.choice(others).read_bytes())
    elif what == "unreadable":
        path.symlink_to("/dev/zero")
    return what


def resealed(path: Path, draw: Draw) -> str:
    """Often a damaged file's checksum is made right, so that it is read."""
    if draw.random() < 0.25:
        return ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sums, corpus = path.parent / "checksums.json", path.parent / "corpus.json"
    for note in (sums, corpus):
        if note == path or not note.is_file():
            continue
        try:
            document = json.loads(note.read_text())
            if note == sums and path.name in document:
                document[path.name] = digest
            for shard in document.get("shards", []) if note == corpus else []:
                if shard["file"] == path.name:
                    shard |= {"sha256": digest, "bytes": path.stat().st_size}
        except (ValueError, TypeError, AttributeError):
            continue
        note.write_text(json.dumps(document))
    return ", sealed" if sums.is_file() or corpus.is_file() else ""


def flip(content: bytes, draw: Draw) -> bytes:
    """Some bits."""
    found = bytearray(content or b"\0")
    for _ in range(draw.choice((1, 1, 3, 20))):
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def cut(content: bytes, draw: Draw) -> bytes:
    """The end is missing, or only an end is left."""
    place = draw.randrange(len(content) + 1)
    return content[place:] if draw.random() < 0.15 else content[:place]


def chunk(content: bytes, draw: Draw) -> bytes:
    """A piece is removed, doubled, zeroed, all ones, or stands elsewhere."""
    size = min(len(content), draw.choice((1, 4, 16, 100, 1000)))
    start = draw.randrange(len(content) - size + 1)
    piece, rest = content[start : start + size], content[:start] + content[start + size :]
    way = draw.randrange(5)
    if way == 4:
        start = draw.randrange(len(rest) + 1)
    middle = (b"", piece * 2, b"\0" * size, b"\xff" * size, piece)[way]
    return rest[:start] + middle + rest[start:]


def number(content: bytes, draw: Draw) -> bytes:
    """Some bytes become an extreme number."""
    size, order = draw.choice((1, 2, 4, 8)), draw.choice(("little", "big"))
    start = draw.randrange(max(1, len(content) - size + 1))
    said = (draw.choice(NUMBERS) % 2 ** (8 * size)).to_bytes(size, order)
    return content[:start] + said + content[start + size :]


def head(content: bytes, draw: Draw) -> bytes:
    """An extreme number among the first bytes, where formats say their sizes."""
    long = min(len(content), 128)
    return number(content[:long], draw) + content[long:]


def behind(content: bytes, draw: Draw) -> bytes:
    """Something stands behind the end."""
    return content + draw.choice((b"\0" * 1000, b"\n", b"\xff", content[:1000], draw.randbytes(200)))


def line(content: bytes, draw: Draw) -> bytes:
    """A line is removed, doubled, moved, joined to the next, or long."""
    lines = content.split(b"\n")
    at = draw.randrange(len(lines))
    way = draw.randrange(6)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(at, lines[at])
    elif way == 2:
        lines.insert(0, lines.pop(at))
    elif way == 3:
        lines[at : at + 2] = [b"".join(lines[at : at + 2])]
    elif way == 4:
        lines[at] = lines[at] * 200
    else:
        lines[at] = b""
    return b"\n".join(lines)


def cell(content: bytes, draw: Draw) -> bytes:
    """A cell of some lines says something else."""
    lines = content.split(b"\n")
    between = b"\t" if b"\t" in lines[0] else b","
    column = draw.randrange(lines[0].count(between) + 1)
    for at in {draw.randrange(len(lines)) for _ in range(draw.choice((1, 1, 2, 60)))} | ({0} if draw.random() < 0.1 else set()):
        cells = lines[at].split(between)
        cells[min(column, len(cells) - 1)] = draw.choice(WORDS).encode()
        lines[at] = between.join(cells)
    return b"\n".join(lines)


def code(content: bytes, draw: Draw) -> bytes:
    """The same text in another encoding, with other ends of lines, or with a mark."""
    text = content.decode()
    way = draw.randrange(7)
    if way < 4:
        return text.encode(("utf-16", "latin-1", "utf-32", "utf-8-sig")[way], errors="replace")
    return text.replace("\n", ("\r", "\r\n", "\n\n")[way - 4]).encode()


def packed(content: bytes, draw: Draw) -> bytes:
    """What is in a gzip."""
    import gzip

    return gzip.compress(draw.choice((cell, line, flip, code))(gzip.decompress(content), draw))


def document(content: bytes, draw: Draw) -> bytes:
    """One value of a JSON document is another, gone, renamed, or nested without end."""
    found = json.loads(content)
    owner, key = place(found, draw)
    way = draw.randrange(8)
    if owner is None or way == 0:
        return b"[" * DEEP + content + b"]" * DEEP if draw.random() < 0.3 else json.dumps(draw.choice(VALUES)).encode()
    if way == 1:
        del owner[key]
    elif way == 2 and isinstance(owner, dict):
        owner[draw.choice(WORDS)] = owner.pop(key)
    elif way == 3:
        owner[key] = [owner[key]]
    elif way == 4 and isinstance(owner, list):
        owner.append(owner[key])
    elif way == 5:
        other, there = place(found, draw)
        owner[key] = json.loads(json.dumps(other[there]))
    elif way == 6 and isinstance(owner[key], int | float) and not isinstance(owner[key], bool):
        owner[key] = draw.choice((owner[key] + 1, -owner[key], owner[key] * 10**6, float(owner[key]), str(owner[key])))
    else:
        owner[key] = draw.choice(VALUES)
    return json.dumps(found).encode()


def place(found: Any, draw: Draw) -> tuple[Any, Any]:
    """A container somewhere in a document, and a key of it."""
    owner, key = None, None
    while isinstance(found, dict | list) and found:
        owner, key = found, draw.choice(list(found)) if isinstance(found, dict) else draw.randrange(len(found))
        found = found[key]
        if draw.random() < 0.3:
            break
    return owner, key


def json_line(content: bytes, draw: Draw) -> bytes:
    """A line of JSON lines."""
    lines = content.split(b"\n")
    at = draw.randrange(len(lines))
    lines[at] = document(lines[at], draw)
    return b"\n".join(lines)


def array_head(content: bytes, draw: Draw) -> bytes:
    """A .npy whose header says another shape, order or type."""
    size = struct.unpack("<H", content[8:10])[0]
    said = eval(content[10 : 10 + size], {"__builtins__": {}})  # of a file that we wrote
    way = draw.randrange(6)
    shape = list(said["shape"]) or [1]
    at = draw.randrange(len(shape))
    if way == 0:
        said["descr"] = draw.choice(DESCRIPTIONS)
    elif way == 1:
        shape[at] = draw.choice((*NUMBERS, 1.5, None, "3", True))
        said["shape"] = tuple(shape)
    elif way == 2:
        said["shape"] = draw.choice(((), (0,), (1, *shape), tuple(shape[::-1]), (1,) * 70, (2**62, 4), (-1, -8), [3], 5, None))
    elif way == 3:
        said["fortran_order"] = draw.choice((True, None, 1, "x"))
    elif way == 4:
        said = draw.choice(
            ({}, [], said | {"more": 1}, {**said, "descr": [("a", "<f4"), ("b", "|O")]}, {**said, "descr": ("<f4", (2,))})
        )
    else:
        return content[:6] + bytes(draw.choice(((0, 0), (2, 0), (3, 0), (9, 9)))) + content[8:]
    text = repr(said).encode() + b" " * 20 + b"\n"
    return content[:8] + struct.pack("<H", len(text)) + text + content[10 + size :]


def array_type(content: bytes, draw: Draw) -> bytes:
    """A .npy of the same numbers in another type or shape; none of objects."""
    import numpy as np

    found = np.load(io.BytesIO(content))
    kind = draw.choice(("f2", ">f4", "f8", "g", "i1", "u8", "?", "c8", "S4", "U5", "M8[s]", "m8[s]"))
    shaped = draw.choice(
        (found, found[None], found.reshape(-1), found[..., None], found[:0], found.reshape(-1)[0], found * np.nan)
    )
    sink = io.BytesIO()
    np.save(sink, np.asarray(shaped).astype(kind))
    return sink.getvalue()


def members(content: bytes, draw: Draw) -> bytes:
    """A .npz with a damaged, doubled, renamed, missing or foreign member."""
    import warnings
    from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

    with ZipFile(io.BytesIO(content)) as archive:
        found = [(name, archive.read(name)) for name in archive.namelist()]
    at = draw.randrange(len(found))
    name, inner = found[at]
    way = draw.randrange(7)
    if way < 3:
        found[at] = name, (array_head, array_type, flip)[way](inner, draw)
    elif way == 3:
        del found[at]
    elif way == 4:
        found.append((name, inner))
    elif way == 5:
        found[at] = draw.choice(("", "../x.npy", "a_9.npy", "y", "é.npy", "id.npy", "y.npy")), inner
    else:
        found.append(("b.txt", b"text"))
    sink = io.BytesIO()
    with warnings.catch_warnings(), ZipFile(sink, "w", draw.choice((ZIP_STORED, ZIP_DEFLATED))) as archive:
        warnings.simplefilter("ignore")
        for each, inside in found:
            archive.writestr(each, inside)
    return sink.getvalue()


def column(content: bytes, draw: Draw) -> bytes:
    """A Parquet file with a column of another type, doubled rows, no rows, or renamed columns."""
    table = pq.read_table(io.BytesIO(content))
    at = draw.randrange(table.num_columns)
    name, many = table.column_names[at], len(table)
    number_of = [draw.choice((0, 1, None, row)) for row in range(many)]
    made: tuple[Callable[[], Any], ...] = (
        lambda: pa.array([None if n is None else Decimal(n) / 3 for n in number_of], pa.decimal128(30, 10)),
        lambda: pa.array([None if n is None else date(2020, 1, 1 + n % 28) for n in number_of]),
        lambda: pa.array(number_of, pa.timestamp("ns")),
        lambda: pa.array(number_of, pa.duration("s")),
        lambda: pa.array(number_of, pa.time64("us")),
        lambda: pa.nulls(many),
        lambda: pa.array([None if n is None else n % 2 == 0 for n in number_of]),
        lambda: pa.array(
            [None if n is None else bytes([n % 256, 255]) for n in number_of], draw.choice((pa.binary(), pa.large_binary()))
        ),
        lambda: pa.array([None if n is None else b"abcd" for n in number_of], pa.binary(4)),
        lambda: pa.array([None if n is None else {"a": n, "b": "x"} for n in number_of]),
        lambda: pa.array([None if n is None else [("k", n)] for n in number_of], pa.map_(pa.string(), pa.int64())),
        lambda: pa.array([None if n is None else [float(n)] * draw.choice((0, 1, 3)) for n in number_of]),
        lambda: pa.array([None if n is None else [n, n, None] for n in number_of], pa.list_(pa.int32(), 3)),
        lambda: pa.array([None if n is None else [["x"], []] for n in number_of]),
        lambda: pa.array([None if n is None else [[[1.0]]] for n in number_of]),
        lambda: pa.array(number_of, pa.uint64()),
        lambda: pa.array([None if n is None else float(n) for n in number_of]).cast(pa.float16()),
        lambda: pa.array([None if n is None else f"c{n % 3}" for n in number_of]).dictionary_encode(),
        lambda: pa.array([draw.choice(WORDS[:30]) for _ in number_of], draw.choice((pa.string(), pa.large_string()))),
        lambda: pa.array([draw.choice((float("nan"), float("inf"), -1e308, 1e-320)) for _ in number_of]),
    )
    way = draw.random()
    if way < 0.75:
        table = table.set_column(at, name, draw.choice(made)())
    elif way < 0.85:
        table = table.rename_columns([draw.choice(WORDS) if other == name else other for other in table.column_names])
    elif way < 0.9:
        table = table.append_column(name, table.column(at))
    else:
        table = draw.choice((table.slice(0, 0), table.slice(0, 1), pa.concat_tables([table] * 3), table.drop_columns([name])))
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=draw.choice((1, 7, 1000)), compression=draw.choice(("snappy", "none", "zstd")))
    return sink.getvalue()


GENERIC = (flip, cut, chunk, number, head, behind)
RULES: tuple[tuple[str, Callable[[bytes, Draw], bytes]], ...] = (
    *((ending, rule) for ending in (".csv", ".tsv") for rule in (cell, cell, cell, line, code)),
    *((".json", rule) for rule in (document, document, document, code)),
    *((".jsonl", rule) for rule in (json_line, json_line, json_line, line, code)),
    *((ending, rule) for ending in (".txt", ".list", ".lst") for rule in (line, code, cell)),
    (".gz", packed),
    (".npy", array_head),
    (".npy", array_type),
    (".npz", members),
    (".parquet", column),
)
"""Endings of names, and what is done to such files beside GENERIC."""
