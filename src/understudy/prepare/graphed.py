"""What a frozen ONNX graph says of pictures or sound: a view, so that it ships as the first graph of an artifact."""

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.kept import Kept, digest
from understudy.prepare.pictures import Pictures
from understudy.prepare.view import FieldArrays, View
from understudy.prepare.waveform import Waveform

ASSET = "encoder.onnx"


@dataclass(frozen=True, eq=False)
class Graphed(View):
    """Fields `vector` [N D] and, of a graph that has them, `tokens` [N P D].

    inner: prepares what enters. graph: the ONNX file, which is an asset. entry: the graph's input; vector, tokens: its outputs by
    name, no tokens where that is "". width, steps: D and P. kept: a file of what was said before, where there is one; it is no
    part of the view's state.
    """

    inner: View
    graph: bytes = field(repr=False)
    entry: str
    vector: str
    tokens: str
    width: int
    steps: int
    kept: Path | None = None

    def fit(self, cells: Cells) -> "Graphed":
        return self

    def keeping(self, folder: Path) -> "Graphed":
        return replace(self, kept=folder / f"{self.key}.sqlite")

    def prepare(self, cells: Cells) -> FieldArrays:
        fields: FieldArrays = {"vector": np.zeros((len(cells), self.width), dtype=np.float32)}
        if self.tokens:
            fields["tokens"] = np.zeros((len(cells), self.steps, self.width), dtype=np.float32)
        here = np.flatnonzero(cells.present).tolist()
        said = self._said(cells, here) if self.kept is None else self._remembered(cells, here, Kept(self.kept))
        for row, values in said:
            fields["vector"][row] = values[0]
            if self.tokens:
                fields["tokens"][row] = values[1:]
        return fields

    def _remembered(self, cells: Cells, rows: list[int], kept: Kept) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """What the graph said of each row before, or says now; of equal rows it is asked once."""
        keys = {row: digest(cells.values[row]) for row in rows}
        known = kept.get(keys.values())
        yield from ((row, known[key].reshape(-1, self.width)) for row, key in keys.items() if key in known)
        new: dict[bytes, list[int]] = {}
        for row, key in keys.items():
            if key not in known:
                new.setdefault(key, []).append(row)
        for (key, rows), (_, values) in zip(new.items(), self._said(cells, [rows[0] for rows in new.values()]), strict=True):
            kept.put(key, values)
            yield from ((row, values) for row in rows)
        kept.close()

    def _said(self, cells: Cells, rows: list[int]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """[1 + P, D] of each row: its vector and its tokens. Row by row: in company the last bit of an answer may be another."""
        outputs = [self.vector, *filter(None, [self.tokens])]
        for row in rows:
            said = run(self.session, {self.entry: self.inner.prepare(cells.take([row]))["values"]}, outputs)
            yield row, np.concatenate([np.asarray(each, dtype=np.float32).reshape(-1, self.width) for each in said])

    @property
    def session(self) -> Any:
        """The graph in onnxruntime: of this process, since its threads do not live on in a forked one."""
        process, session = self.__dict__.get("_session", (0, None))
        if process != os.getpid():
            session = session_of(self.graph, ASSET)
            object.__setattr__(self, "_session", (os.getpid(), session))
        return session

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def state(self) -> dict[str, Any]:
        names = ("entry", "vector", "tokens", "width", "steps")
        return {"inner": self.inner.state()} | {name: getattr(self, name) for name in names}

    def assets(self) -> dict[str, bytes]:
        return {ASSET: self.graph}

    @classmethod
    @abstractmethod
    def within(cls) -> type[View]:
        """The class of `inner`."""

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Graphed":
        return cls(cls.within().restore(state["inner"], {}), assets[ASSET], **{k: v for k, v in state.items() if k != "inner"})


class GraphedPictures(Graphed):
    """Of pictures."""

    kind: ClassVar[Kind] = "image"

    @classmethod
    def within(cls) -> type[Pictures]:
        return Pictures


class GraphedSound(Graphed):
    """Of sound."""

    kind: ClassVar[Kind] = "audio"

    @classmethod
    def within(cls) -> type[Waveform]:
        return Waveform


def session_of(graph: bytes, name: str) -> Any:
    """The graph on the CPU, on OMP_NUM_THREADS cores where that is set; ValueError for one that cannot be run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdigit() else 0
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever onnxruntime raises has no common ancestor
        raise ValueError(
            f"onnxruntime {onnxruntime.__version__} cannot run {name}: {' '.join(str(error).split()):.300}"
        ) from None


def run(session: Any, inputs: FieldArrays, outputs: list[str]) -> list[NDArray[Any]]:
    """What a graph says; ValueError where it cannot."""
    try:
        return session.run(outputs, inputs)
    except Exception as error:  # as above
        raise ValueError(f"the encoder's graph cannot be run: {' '.join(str(error).split()):.300}") from None
