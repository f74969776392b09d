"""Objectives: one idea, one file; outputs and a batch in, (sum, count) out."""

from understudy.objectives.classes import ClassCrossEntropy
from understudy.objectives.conditional_entropy import AdversarialEntropy, GaussianEntropy
from understudy.objectives.expected import ExpectedValue
from understudy.objectives.feature import FeatureRegression
from understudy.objectives.infonce import InfoNCE
from understudy.objectives.kd import LogitKD, RegressionKD
from understudy.objectives.supervised import Supervised
from understudy.objectives.vid import VID

__all__ = [
    "VID",
    "AdversarialEntropy",
    "ClassCrossEntropy",
    "ExpectedValue",
    "FeatureRegression",
    "GaussianEntropy",
    "InfoNCE",
    "LogitKD",
    "RegressionKD",
    "Supervised",
]
