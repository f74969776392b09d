"""Arguments: what a run was asked, whole, so that a default that is spelled out asks for the same run as one that is not."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from understudy.corpus import Corpus
from understudy.players.blueprint import Blueprint, chosen_encoders, own_encoder
from understudy.players.options import SIZES, whole_options
from understudy.players.published import seen_kinds
from understudy.tasks import Retrieval
from understudy.training.plan import Plan

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
    "answers": "insample",
    "teacher_model": "network",
}
"""What a run.json of an earlier version need not name, and what was meant."""

ENCODERS = {"encoders": "student", "teacher_encoders": "teacher"}
"""Argument -> the player that reads by them."""


def completed(arguments: Mapping[str, Any], corpus: Corpus) -> dict[str, Any]:
    """Every option, size, encoder and setting of a plan by name. Of encoders, those that nobody reads are left out.

    corpus: the one that the arguments are of.
    """
    whole = EARLIER | dict(arguments)
    whole["options"] = whole_options(whole["method"], whole["options"])
    whole["sizes"] = {each.name: each.default for each in fields(Blueprint) if each.name in SIZES} | whole["sizes"]
    whole |= {name: asdict(Plan(**whole[name])) for name in ("plan", "teacher_plan") if name in whole}
    for name, fusion in (("encoders", "fusion"), ("teacher_encoders", "teacher_fusion")):
        whole[name] = chosen_encoders(corpus, whole[ENCODERS[name]], whole[name], fusion=whole[fusion])
    if isinstance(corpus.task, Retrieval):
        whole["space"] = whole["space"] or corpus.task.space
    return whole


def warn_unheeded(given: Mapping[str, Any], whole: Mapping[str, Any], corpus: Corpus) -> None:
    """A warning for each size, encoder or ensemble that was asked for and changes nothing. whole: what is given, completed."""
    for setting, reason in unheeded(given, whole, corpus):
        warnings.warn(f"{setting} has no effect: {reason}")


def unheeded(given: Mapping[str, Any], whole: Mapping[str, Any], corpus: Corpus) -> Iterator[tuple[str, str]]:
    """Each such setting, and why."""
    sizes, reads = given["sizes"], {player: whole[player] for player in ("student", "teacher")}
    if "depth" in sizes and "single_stream" not in (whole["fusion"], whole["teacher_fusion"]):
        yield f"sizes: depth={sizes['depth']}", "it is of fusion single_stream, and no player has that"
    if sizes.get("modality_dropout") and all(len(each) == 1 for each in reads.values()):
        yield f"sizes: modality_dropout={sizes['modality_dropout']}", "every player reads one modality, which is never hidden"
    if "freeze" in sizes:
        kinds = {player: seen_kinds(corpus, modalities) for player, modalities in reads.items()}
        named = [whole[name][m] for name, player in ENCODERS.items() for m, kind in kinds[player].items() if kind == "video"]
        if all(map(own_encoder, named)):
            yield f"sizes: freeze={sizes['freeze']}", "no player reads a video by a published encoder"
    # The teacher takes the student's encoders, too.
    readers = {"encoders": ("student", "teacher"), "teacher_encoders": ("teacher",)}
    own = {name: set(given[name].items()) for name in ENCODERS}
    for name, named in (("encoders", own["encoders"]), ("teacher_encoders", own["teacher_encoders"] - own["encoders"])):
        for modality, encoder in sorted(named):
            if not any(modality in reads[player] for player in readers[name]):
                yield f"{name}: {modality}={encoder}", f"{modality} is not read by {' or '.join(readers[name])}"
    if whole["ensemble"] != "no" and len(whole["seeds"]) == 1:
        yield f"ensemble {whole['ensemble']!r}", "there is one seed, so one teacher"
