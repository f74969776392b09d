"""Objectives: one idea, one file; outputs and a batch in, (sum, count) out."""

from understudy.objectives.classes import ClassCrossEntropy
from understudy.objectives.expected import ExpectedValue
from understudy.objectives.feature import FeatureRegression
from understudy.objectives.kd import LogitKD, RegressionKD
from understudy.objectives.supervised import Supervised

__all__ = ["ClassCrossEntropy", "ExpectedValue", "FeatureRegression", "LogitKD", "RegressionKD", "Supervised"]
