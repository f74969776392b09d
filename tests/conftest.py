"""Its place here lets every test file import its neighbours in tests/ (`toy`)."""

import torch

torch.set_num_threads(1)
