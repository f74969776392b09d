"""Arguments: what a run was asked, whole, so that a default that is spelled out asks for the same run as one that is not."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from understudy.corpus import Corpus
from understudy.recipes.blueprint import Blueprint, chosen_encoders
from understudy.recipes.options import SIZES, options_of
from understudy.task import Retrieval

EARLIER: dict[str, Any] = {
    "method": "kd",
    "options": {},
    "encoders": {},
    "teacher_encoders": {},
    "teacher_head": {},
    "fusion": "concat",
    "teacher_fusion": "concat",
    "sizes": {},
    "space": "",
    "teachers_of": "",
    "plain_of": "",
}
"""What a run.json of an earlier version need not name, and what was meant."""


def completed(arguments: Mapping[str, Any], corpus: Corpus) -> dict[str, Any]:
    """Every option, size and encoder that a player reads by name. Of encoders, those that nobody reads are left out.

    corpus: the one that the arguments are of.
    """
    whole = EARLIER | dict(arguments)
    whole["options"] = {name: each.default for name, each in options_of(whole["method"]).items()} | whole["options"]
    whole["sizes"] = {each.name: each.default for each in fields(Blueprint) if each.name in SIZES} | whole["sizes"]
    for player, named, fusion in (("student", "encoders", "fusion"), ("teacher", "teacher_encoders", "teacher_fusion")):
        whole[named] = chosen_encoders(corpus, whole[player], whole[named], fusion=whole[fusion])
    if isinstance(corpus.task, Retrieval):
        whole["space"] = whole["space"] or corpus.task.space
    return whole
