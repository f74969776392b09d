"""Students that ship: export and parity (torch), contract and predict (no torch)."""
