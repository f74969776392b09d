"""What there is to choose from, read off the code itself."""

import inspect
from typing import Any

from understudy import objectives
from understudy.encoders.joint import JOINT
from understudy.methods import CATALOGUE
from understudy.players.blueprint import OWN
from understudy.players.fusions import FUSIONS
from understudy.players.options import options_of
from understudy.players.published import READERS


def catalogue() -> dict[str, Any]:
    """Methods with their first docstring line and options, encoders by kind of modality, fusions, objectives."""
    methods = {}
    for name, method in CATALOGUE.items():
        module = inspect.getmodule(method)
        about = (inspect.getdoc(module) or "").splitlines()[0].partition(": ")[2]
        methods[name] = {"about": about, "options": ", ".join(str(each) for each in options_of(name).values()) or "none"}
    published = ["FOLDER or hub id of a transformers model"]
    encoders = {kind: list(named) + (published if kind in READERS else []) for kind, named in OWN.items()}
    fusions = [*FUSIONS, f"FOLDER or hub id of {', '.join(JOINT)}"]
    return {"methods": methods, "encoders": encoders, "fusions": fusions, "objectives": list(objectives.__all__)}
