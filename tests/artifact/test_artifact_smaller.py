"""Smaller weights: half or a quarter of the file, answers near the float ones and of each row alone, and a gate that refuses."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from understudy.artifact import Artifact
from understudy.artifact.export import export
from understudy.artifact.graph import IR, OPSET
from understudy.artifact.parity import ParityError
from understudy.process.whole import read_json


@pytest.fixture(scope="module", params=["int8", "int8-static", "fp16"])
def smaller(request, reader, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param) / "artifact"
    # Too few to calibrate confidence on, which would move the answers, too.
    split = replace(reader.split, valid=reader.split.train[:15])
    export(reader.model, out, corpus=reader.corpus, split=split, about={}, weights=request.param, loss=0.5)
    return out


def test_a_smaller_graph_says_nearly_the_same(smaller, reader):
    artifact, whole = Artifact(smaller), Artifact(reader.artifact)
    weights = artifact.contract.weights
    assert (smaller / "student.onnx").stat().st_size < (reader.artifact / "student.onnx").stat().st_size
    cells = {"said": reader.corpus.cells("said", np.arange(40))}
    found, expected = artifact.predict_cells(cells), whole.predict_cells(cells)
    np.testing.assert_allclose(found.values, expected.values, atol={"int8": 0.1, "int8-static": 0.1, "fp16": 1e-2}[weights])
    assert not np.array_equal(found.values, expected.values)
    said = read_json(smaller / "parity.json")[weights]
    assert (said["metric"], said["allowed"]) == ("accuracy", 0.5)
    assert "## Weights" in (smaller / "card.md").read_text()


def test_the_oldest_onnxruntime_reads_it(smaller, reader):
    for folder in (smaller, reader.artifact):
        graph = onnx.load(folder / "student.onnx")
        assert graph.ir_version <= IR
        assert {each.domain: each.version for each in graph.opset_import}.get("", 0) <= OPSET
        assert {each.domain for each in graph.opset_import} <= {"", "com.microsoft"}
        # Of the standard's operators alone: every build of onnxruntime that is whole has them.
        assert {node.domain for node in graph.graph.node} == {""}
        versions = Artifact(folder).contract.versions
        assert (versions["onnx opset"], versions["onnx IR"]) == (str(OPSET), str(IR))


def test_no_processor_leaves_the_16_bits_that_it_adds_products_in(smaller):
    # Without VNNI x86 multiplies pairs of unsigned 8-bit numbers by weights and adds both products with 16 bits, saturated.
    weights = [each for each in onnx.load(smaller / "student.onnx").graph.initializer if each.data_type == onnx.TensorProto.INT8]
    assert bool(weights) == Artifact(smaller).contract.weights.startswith("int8")
    assert all(2 * 255 * np.abs(numpy_helper.to_array(each).astype(int)).max() < 2**15 for each in weights)


def test_a_row_is_answered_as_alone(smaller, reader):
    artifact = Artifact(smaller)
    cells = reader.corpus.cells("said", np.flatnonzero(reader.corpus.present("said"))[:6])
    together = artifact.predict_cells({"said": cells}).values
    alone = np.concatenate([artifact.predict_cells({"said": cells.take([row])}).values for row in range(6)])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_static_integers_are_calibrated_on_validation_rows(reader, tmp_path):
    with pytest.raises(ValueError, match=r"no validation row that student\.onnx reads.*ask for --int8 dynamic"):
        export(reader.model, tmp_path / "out", corpus=reader.corpus, split=reader.split, about={}, weights="int8-static")


def test_a_loss_beyond_what_is_allowed_is_refused_with_the_figure(reader, tmp_path):
    with pytest.raises(ParityError, match=r"smaller weights cost -?[\d.]+% of the accuracy .* -100.0% is allowed"):
        export(reader.model, tmp_path / "out", corpus=reader.corpus, split=reader.split, about={}, weights="fp16", loss=-1.0)
    assert not list(tmp_path.iterdir())
