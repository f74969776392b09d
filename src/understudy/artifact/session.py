"""Session: one graph in onnxruntime, whose every fault is one sentence. No torch."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from understudy.prepare.view import FieldArrays


class GraphError(ValueError):
    """onnxruntime cannot run a graph, or not these rows: its memory ended, say. Whatever it raises has no common ancestor."""

    def __init__(self, path: Path, error: Exception) -> None:
        said = " ".join(str(error).split()) or type(error).__name__
        super().__init__(f"onnxruntime {onnxruntime.__version__} cannot run {path.name}: {said:.300}")


class Session:
    """A graph on the CPU. threads: that one run takes; all cores when 0."""

    def __init__(self, path: Path, output: str, *, threads: int = 0) -> None:
        self.path, self.output = path, output
        options = onnxruntime.SessionOptions()
        # Its own log would say once more, in its way, what the exception says.
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise GraphError(path, error) from None
        answer = self._session.get_outputs()[0]
        self.dtype: type[np.floating[Any]] = np.float64 if answer.type == "tensor(double)" else np.float32
        self.width = answer.shape[-1]
        """Of an embedding."""

    def run(self, inputs: FieldArrays) -> NDArray[np.floating[Any]]:
        """The answer to prepared rows."""
        try:
            return np.asarray(self._session.run([self.output], inputs)[0])
        except Exception as error:
            raise GraphError(self.path, error) from None
