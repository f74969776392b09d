"""Export: a trained student becomes a folder that predicts without torch, or nothing at all."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from understudy.artifact.calibrate import calibrate
from understudy.artifact.card import write_card
from understudy.artifact.contract import CONTRACT, MISSING, Contract, ShippedView, Weights, write_checksums
from understudy.artifact.graph import IR, OPSET, example_inputs, write_graph
from understudy.artifact.missing import missing
from understudy.artifact.parity import check_parity
from understudy.artifact.predict import Artifact
from understudy.artifact.smaller import check_loss, shrink
from understudy.corpus import Corpus, Given, Split, opened_split
from understudy.evaluate.predictions import Predictions
from understudy.models.model import Model
from understudy.process.whole import whole_folder, write_json

PACKAGES = ("understudy", "torch", "onnx", "onnxruntime", "numpy", "pyarrow")


def export(
    model: Model,
    out: str | Path,
    *,
    corpus: Given,
    split: Split | str = "",
    target: str = "",
    about: Mapping[str, Any] | None = None,
    tolerance: float = 1e-4,
    recorded: Predictions | None = None,
    weights: Weights = "float",
    loss: float = 0.01,
) -> Path:
    """Ship `model` as the folder `out`, which appears whole and proven, or not at all.

    corpus, split, target: as `us.advise` takes them. about: `name` of the student, `results` and `run` (the run's results.json
    and run.json), all optional; they stand in the card. tolerance: the largest difference from the torch model on any test
    row, relative to the target's scale. recorded: test predictions that the run kept of this model, which must be what it says
    now. weights: as 8-bit integers ("int8": each row then runs by itself; "int8-static": calibrated on validation rows) or half
    floats at rest ("fp16"). loss: the share of the metric on the test rows that these may cost; parity is that of the graph
    before.
    Raises ValueError where `out` exists, where a modality is unknown to the corpus, and ParityError (a ValueError) where
    the exported graph says something else than the model.
    """
    out = Path(out)
    if out.exists():
        raise ValueError(f"{out} exists already; choose another folder, or remove it first")
    corpus, split = opened_split(corpus, split, target=target)
    about = about or {}
    student = copy.deepcopy(model).cpu().eval()
    student.settled()
    with whole_folder(out) as draft:
        contract = write_student(student, draft, corpus=corpus, name=str(about.get("name", model.name)))
        write_checksums(draft)
        parity = check_parity(draft, student, corpus=corpus, split=split, tolerance=tolerance, recorded=recorded)
        if weights != "float":
            contract = replace(contract, weights=weights)
            shrink(draft, contract, corpus=corpus, split=split)
            write_json(draft / CONTRACT, contract.to_json())
            write_checksums(draft)
            parity |= {weights: check_loss(draft, student.task, parity, corpus=corpus, split=split, most=loss)}
        contract, sure = calibrate(draft, contract, task=student.task, corpus=corpus, split=split)
        costs = missing(Artifact(draft), task=student.task, corpus=corpus, split=split)
        write_json(draft / "parity.json", parity)
        if sure:
            write_json(draft / "calibration.json", sure)
        if costs:
            write_json(draft / MISSING, costs)
        card = write_card(contract, parity, corpus=corpus.schema.about, about=about, confidence=sure, missing=costs)
        (draft / "card.md").write_text(card, encoding="utf-8")
        write_checksums(draft)
    return out


def write_student(student: Model, folder: Path, *, corpus: Corpus, name: str) -> Contract:
    """Graph, views and contract; what `Artifact` needs to predict."""
    unknown = [m for m in student.modalities if m not in corpus.modalities]
    if unknown:
        raise ValueError(
            f"the student reads {', '.join(unknown)}, which this corpus lacks; it has: {', '.join(corpus.modalities)}"
        )
    cells = {m: corpus.cells(m, example_rows(corpus, m)) for m in student.modalities}
    contract = Contract(
        name=name,
        task=student.task.to_json(),
        modalities={m: corpus.modalities[m] for m in student.modalities},
        views={m: write_view(student, m, folder) for m in student.modalities},
        inputs=(),
        versions={package: version(package) for package in PACKAGES} | {"onnx opset": f"{OPSET}", "onnx IR": f"{IR}"},
    )
    examples = example_inputs(student, cells)
    written = [write_graph(student, {m: examples[m] for m in reads}, folder / file) for reads, file in contract.graphs.items()]
    contract = replace(contract, inputs=tuple(chain(*written)))
    write_json(folder / CONTRACT, contract.to_json())
    return contract


def example_rows(corpus: Corpus, modality: str) -> np.ndarray:
    """Two rows that have it; the graph is traced on them."""
    rows = np.flatnonzero(corpus.present(modality))
    if not len(rows):
        raise ValueError(f"no row of the corpus has modality {modality!r}")
    return np.resize(rows, 2)


def write_view(student: Model, modality: str, folder: Path) -> ShippedView:
    """The view's assets become files `{modality}-{asset}`."""
    view = student.views[modality]
    assets = view.assets()
    files = {name: f"{modality}-{name}" for name in assets}
    for name, content in assets.items():
        (folder / files[name]).write_bytes(content)
    return ShippedView(type(view).__name__, view.state(), files)
