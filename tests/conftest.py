"""Its place here lets every test file import its neighbours in tests/ (`toy`)."""

import os

import torch

# No test asks a hub; without this an unknown name waits for one.
os.environ["HF_HUB_OFFLINE"] = "1"

torch.set_num_threads(1)
