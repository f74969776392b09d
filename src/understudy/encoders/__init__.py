"""Encoders: one family, one file; each names its view."""

from understudy.encoders.audio import AudioConv
from understudy.encoders.bag import TextBag
from understudy.encoders.clip import PlainClip, XClip
from understudy.encoders.clip_text import ClipText
from understudy.encoders.graph import GraphEncoder
from understudy.encoders.image import ImageConv
from understudy.encoders.joint import DetectedRegions, ViltPatches, Words
from understudy.encoders.patches import ImagePatches
from understudy.encoders.picture import PictureEncoder
from understudy.encoders.piecewise import VectorPiecewise
from understudy.encoders.regions import RegionTokens
from understudy.encoders.sentence import SentenceEncoder
from understudy.encoders.sequence import SequenceGRU, SequenceTransformer
from understudy.encoders.sound import SoundEncoder
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
    "GraphEncoder",
    "ImageConv",
    "ImagePatches",
    "PictureEncoder",
    "PlainClip",
    "RegionTokens",
    "SentenceEncoder",
    "SequenceGRU",
    "SequenceTransformer",
    "SoundEncoder",
    "TableMLP",
    "TextBag",
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
