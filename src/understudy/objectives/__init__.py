"""Objectives: one idea, one file; outputs and a batch in, (sum, count) out."""

from understudy.objectives.alignment import AlignedKD
from understudy.objectives.answer_entropy import AnswerEntropy, AnswerGame
from understudy.objectives.attention import AttentionTransfer
from understudy.objectives.classes import ClassCrossEntropy
from understudy.objectives.common_space import CommonSpace
from understudy.objectives.conditional_entropy import AdversarialEntropy, GaussianEntropy
from understudy.objectives.consistency import Consistency
from understudy.objectives.crd import CRD
from understudy.objectives.distribution import SimilarityDistribution
from understudy.objectives.dkd import DKD, NonTargetKD
from understudy.objectives.expected import ClassStructure, ExpectedValue
from understudy.objectives.feature import FeatureRegression
from understudy.objectives.group_kd import GroupKD
from understudy.objectives.ifd import IFD
from understudy.objectives.infonce import InfoNCE
from understudy.objectives.kd import BernoulliKD, LogitKD, RegressionKD
from understudy.objectives.lskd import LSKD
from understudy.objectives.pkt import PKT
from understudy.objectives.rkd import RKD
from understudy.objectives.similarity import SimilarityPreserving
from understudy.objectives.supervised import Supervised
from understudy.objectives.token_selection import TokenSelection
from understudy.objectives.unimodal import Unimodal
from understudy.objectives.vid import VID
from understudy.objectives.view_kd import ViewKD

__all__ = [
    "CRD",
    "DKD",
    "IFD",
    "LSKD",
    "PKT",
    "RKD",
    "VID",
    "AdversarialEntropy",
    "AlignedKD",
    "AnswerEntropy",
    "AnswerGame",
    "AttentionTransfer",
    "BernoulliKD",
    "ClassCrossEntropy",
    "ClassStructure",
    "CommonSpace",
    "Consistency",
    "ExpectedValue",
    "FeatureRegression",
    "GaussianEntropy",
    "GroupKD",
    "InfoNCE",
    "LogitKD",
    "NonTargetKD",
    "RegressionKD",
    "SimilarityDistribution",
    "SimilarityPreserving",
    "Supervised",
    "TokenSelection",
    "Unimodal",
    "ViewKD",
]
