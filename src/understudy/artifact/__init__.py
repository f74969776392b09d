"""Students that ship: export and parity (torch), contract and predict (no torch)."""

from understudy.artifact.answers import Predicted
from understudy.artifact.contract import Contract, verify
from understudy.artifact.predict import Artifact
from understudy.artifact.predict_file import Summary, predict_file
from understudy.prepare.source import read_table

__all__ = ["Artifact", "Contract", "Predicted", "Summary", "predict_file", "read_table", "verify"]
