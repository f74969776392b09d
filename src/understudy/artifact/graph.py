"""The student as an ONNX graph: flat named inputs, and the prediction itself (or one branch's embedding) as its output."""

import copy
import logging
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from understudy.artifact.contract import GraphInput
from understudy.artifact.gru import with_onnx_grus
from understudy.batches.batch import Fields
from understudy.models.model import Model
from understudy.prepare.cells import Cells
from understudy.prepare.view import FieldArrays, trim
from understudy.tasks import Retrieval

OPSET = 20
"""onnxruntime 1.18, the oldest that the package admits, runs it: 1.18.0 answered as 1.31 did, to 1e-4 with integers."""
IR = 10
"""The newest form of ONNX files that it reads."""
LARGEST_FILE = 2**31 - 2**24
"""Bytes of weights that one file can hold: protobuf stops at 2 GiB, and the graph itself needs some."""


class Graph(nn.Module):
    """What is exported: tensors in the order of `inputs` -> `task.decode(logits)`, or the embedding of the branch it `reads`."""

    def __init__(self, model: Model, inputs: tuple[GraphInput, ...], reads: Collection[str]) -> None:
        super().__init__()
        self.model, self.reads = model, reads
        self.names = [i.name for i in inputs]

    def forward(self, *flat: Tensor) -> Tensor:
        given = dict(zip(self.names, flat, strict=True))
        everyone = torch.ones_like(flat[0].reshape(flat[0].shape[0], -1)[:, 0], dtype=torch.bool)
        present = {m: given.pop(f"{m}.present", everyone) if m in self.reads else ~everyone for m in self.model.modalities}
        fields: dict[str, Fields] = {m: {} for m in self.reads}
        for modality, into in fields.items():
            prefix = f"{modality}."
            into |= {name.removeprefix(prefix): x for name, x in given.items() if name.startswith(prefix)}
        logits, embedding, *_ = self.model.answer(fields, present)
        task = self.model.task
        return task.embed(logits, embedding) if isinstance(task, Retrieval) else task.decode(logits)


def example_inputs(model: Model, cells: Mapping[str, Cells]) -> dict[str, FieldArrays]:
    """Prepared fields of a few rows with two steps at least: an axis of length one would be taken for a constant."""
    examples: dict[str, FieldArrays] = {}
    for extra, (modality, view) in enumerate(model.views.items()):
        fields = trim(view.prepare(cells[modality]))
        if "mask" in fields:
            steps = max(fields["mask"].shape[1], 5 + extra)
            fields = {name: pad_steps(values, steps) for name, values in fields.items()}
        if len(model.modalities) > 1 and not model.branches:
            fields["present"] = cells[modality].present
        examples[modality] = fields
    return examples


def pad_steps(values: np.ndarray, steps: int) -> np.ndarray:
    """Zeros along axis 1 up to `steps`."""
    return np.pad(values, [(0, steps - values.shape[1]) if axis == 1 else (0, 0) for axis in range(values.ndim)])


def graph_inputs(examples: Mapping[str, FieldArrays]) -> tuple[GraphInput, ...]:
    """Name, dtype and axes of each input: the batch is free, and so are the steps of a ragged view."""
    inputs = []
    for modality, fields in examples.items():
        for name, values in fields.items():
            axes: list[str | int] = ["batch", *values.shape[1:]]
            if "mask" in fields and values.ndim > 1:
                axes[1] = f"{modality}.steps"
            inputs.append(GraphInput(f"{modality}.{name}", str(values.dtype), tuple(axes)))
    return tuple(inputs)


def write_graph(model: Model, examples: Mapping[str, FieldArrays], path: Path) -> tuple[GraphInput, ...]:
    """Trace `model` (in evaluation mode, on the CPU) on `examples` and write one checked ONNX file; the same bytes each time.

    A modality that `examples` lack is absent in every row: so a branch is written.

    Returns the inputs that the graph reads (a text's `spans`, say, reach no answer and are left out). Weights above 2 GiB go
    into a second file beside it, since ONNX cannot hold them in one.
    """
    inputs = graph_inputs(examples)
    tensors = tuple(torch.from_numpy(values) for fields in examples.values() for values in fields.values())
    axes = tuple({axis: name for axis, name in enumerate(i.axes) if isinstance(name, str)} for i in inputs)
    traced = copy.deepcopy(model)
    with_onnx_grus(traced)
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            Graph(traced, inputs, tuple(examples)).eval(),
            tensors,
            dynamo=True,
            opset_version=OPSET,
            input_names=[i.name for i in inputs],
            output_names=["prediction"],
            dynamic_shapes=(axes,),
            verbose=False,
        )
    assert program is not None
    graph = program.model.graph
    for node in graph.all_nodes():
        # The exporter notes source paths and Python frames of this machine in every node.
        node.metadata_props.clear()
    read = [value for value in graph.inputs if value.uses()]
    graph.inputs[:] = read
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    program.save(path, external_data=size > LARGEST_FILE)
    onnx.checker.check_model(str(path), full_check=True)
    return tuple(i for i in inputs if i.name in {value.name for value in read})


@contextmanager
def quiet() -> Iterator[None]:
    """The exporter's notes about packages that we do not use and its own deprecations say nothing to a user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
