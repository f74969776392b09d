"""Players: what a teacher or a student is before it trains: what it reads, through which encoders, and how it answers."""

from understudy.players.blueprint import (
    AUTO,
    OWN,
    Blueprint,
    check_encoders,
    chosen_encoders,
    draw,
    for_retrieval,
    own_encoder,
    published,
)
from understudy.players.fusions import FUSIONS, check_fusion
from understudy.players.player import Player, Sizes
from understudy.players.prompting import check_head
from understudy.players.published import READERS, seen_kinds

__all__ = [
    "AUTO",
    "FUSIONS",
    "OWN",
    "READERS",
    "Blueprint",
    "Player",
    "Sizes",
    "check_encoders",
    "check_fusion",
    "check_head",
    "chosen_encoders",
    "draw",
    "for_retrieval",
    "own_encoder",
    "published",
    "seen_kinds",
]
