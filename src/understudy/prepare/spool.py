"""Spool: a table that is read again and again, on disk where it is large; memory holds what was just looked at. Torch-free."""

import mmap
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

import pyarrow as pa

from understudy.process.whole import writing

MEMORY = 2**25
"""Bytes that stay in memory; more of them go to a nameless file in the folder of temporary files (TMPDIR)."""


class Spool:
    """`table`, and `release`, which lets go of the memory that its pages have taken; they come back when they are looked at."""

    def __init__(self, table: pa.Table, mapped: mmap.mmap | None = None) -> None:
        self.table, self._mapped = table, mapped

    def release(self) -> None:
        """Nothing is lost."""
        pa.default_memory_pool().release_unused()
        if self._mapped is not None:
            self._mapped.madvise(mmap.MADV_DONTNEED)


def spooled(pieces: Iterable[pa.Table]) -> Spool:
    """The rows of pieces that have the same columns; ValueError for a column that is of another type in a later one."""
    held, several = list[pa.Table](), iter(pieces)
    for piece in several:
        held.append(piece)
        if sum(each.nbytes for each in held) > MEMORY:
            break
    else:
        return Spool(pa.concat_tables(held, promote_options="permissive"))
    schema = pa.unify_schemas([each.schema for each in held], promote_options="permissive")
    with writing(Path(gettempdir())), TemporaryFile() as file:
        with pa.ipc.new_file(file, schema) as writer:
            for piece in held:
                writer.write_table(piece.cast(schema))
            held.clear()
            for piece in several:
                writer.write_table(fitting(piece, schema))
                # What Arrow keeps for itself would grow to several times a piece.
                pa.default_memory_pool().release_unused()
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    return Spool(pa.ipc.open_file(pa.py_buffer(mapped)).read_all(), mapped)


def fitting(piece: pa.Table, schema: pa.Schema) -> pa.Table:
    """The piece with the types of the first ones."""
    try:
        return piece.cast(schema)
    except (pa.ArrowException, ValueError):
        name = next((field.name for field in schema if piece.schema.field(field.name).type != field.type), "")
        kinds = f"{schema.field(name).type}, and then {piece.schema.field(name).type}"
        raise ValueError(f"column {name!r} holds {kinds}; give it one type") from None
