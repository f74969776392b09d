"""Encoders: one family, one file; each names its view."""

from understudy.encoders.audio import AudioConv
from understudy.encoders.clip import PlainClip, XClip
from understudy.encoders.clip_text import ClipText
from understudy.encoders.image import ImageConv
from understudy.encoders.joint import DetectedRegions, ViltPatches, Words
from understudy.encoders.patches import ImagePatches
from understudy.encoders.piecewise import VectorPiecewise
from understudy.encoders.regions import RegionTokens
from understudy.encoders.sequence import SequenceGRU, SequenceTransformer
from understudy.encoders.table import TableMLP
from understudy.encoders.text import TextEncoder, TextTransformer
from understudy.encoders.vector import VectorMLP
from understudy.encoders.video import VideoConv
from understudy.encoders.vision import ClipImage, ViT

__all__ = [
    "AudioConv",
    "ClipImage",
    "ClipText",
    "DetectedRegions",
    "ImageConv",
    "ImagePatches",
    "PlainClip",
    "RegionTokens",
    "SequenceGRU",
    "SequenceTransformer",
    "TableMLP",
    "TextEncoder",
    "TextTransformer",
    "VectorMLP",
    "VectorPiecewise",
    "ViT",
    "VideoConv",
    "ViltPatches",
    "Words",
    "XClip",
]
