"""Objectives: one idea, one file; outputs and a batch in, (sum, count) out."""

from understudy.objectives.feature import FeatureRegression
from understudy.objectives.kd import LogitKD, RegressionKD
from understudy.objectives.supervised import Supervised

__all__ = ["FeatureRegression", "LogitKD", "RegressionKD", "Supervised"]
