"""Made worlds whose best possible scores are known. Torch-free."""
