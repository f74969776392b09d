#!/usr/bin/env bash
# pyarrow 26.0.1: a pickled slice of one row carries the buffers of the whole table; the IPC format cuts them.
#
# One would guess that handing one row of a table to a worker process costs one row: `nbytes` of the slice says 8. Pickle (what
# multiprocessing, Ray and joblib send) writes the whole buffers. Seen: 8 bytes by `nbytes`, 8,000,272 pickled, under 1,000 as an
# IPC stream. A loop that hands out N slices sends N whole tables; write slices as IPC, or `take` the rows first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 pyarrow==26.0.1
"$work/venv/bin/python" - <<'PYTHON'
import pickle

import numpy as np
import pyarrow as pa

table = pa.table({"value": np.arange(1_000_000.0)})
row = table.slice(0, 1)
sink = pa.BufferOutputStream()
with pa.ipc.new_stream(sink, row.schema) as writer:
    writer.write_table(row)
sizes = {
    "nbytes": row.nbytes,
    "pickled": len(pickle.dumps(row, protocol=5)),
    "ipc": sink.getvalue().size,
    "taken and pickled": len(pickle.dumps(table.take([0]), protocol=5)),
}
print(f"pyarrow {pa.__version__}: bytes of one row of a million: {sizes}")
assert sizes["nbytes"] == 8
assert sizes["pickled"] > 8_000_000, "a pickled slice no longer carries the whole table"
assert sizes["ipc"] < 1_000
assert sizes["taken and pickled"] < 1_000
PYTHON
