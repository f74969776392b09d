"""A batch and two outputs of given embeddings, for tests of objectives that bind two players."""

from torch import Tensor

from understudy.batches.batch import Batch, Output


def two_players(
    left: Tensor, right: Tensor, *, valid: Tensor | None = None, ids: tuple[str, ...] = ()
) -> tuple[Batch, Output, Output]:
    rows = (left[:, 0] == left[:, 0]) if valid is None else valid
    batch = Batch({}, {}, left.new_zeros(len(left)), rows, ids or tuple(str(row) for row in range(len(left))))
    return batch, Output(valid=rows, embedding=left, source="left"), Output(valid=rows, embedding=right, source="right")
