"""Tuning: how a student trains and how strongly it is taught, chosen by validation rows among settings drawn at random.

Successive halving (Jamieson and Talwalkar, AISTATS 2016, arXiv 1502.07943): all train for a few epochs, the better half for twice
as many, until one is left. Plain and distilled students try as many settings, with as many updates.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from understudy.methods import CATALOGUE
from understudy.players.blueprint import begins_anew
from understudy.process.log import LOG, read_log
from understudy.process.progress import say
from understudy.process.whole import read_json, write_json
from understudy.study.settings import Settings
from understudy.study.stage import SEARCHES, TUNED, TUNINGS, Changes, Engine, Stage, Stages

PLANNED = ("rate", "weight_decay")
"""Settings of a plan that are drawn; beside them the rate of pretrained weights, where there are any."""
PLAN, STRENGTH = 5.0, 8.0
"""How many times as large or small as asked a setting of the plan may be, and how strongly a method teaches."""


@dataclass(frozen=True)
class Tuning:
    """The search for one system's settings. listens: where its students find the teacher's answers."""

    stages: Stages
    engine: Engine
    system: str
    listens: str = ""

    def play(self) -> None:
        """What is left to do of it; then the run's folder says what the students of this system train with."""
        settings = self.stages.settings
        tried = candidates(settings, self.system)
        left = list(range(len(tried)))
        for number, epochs in enumerate(rounds(len(tried), settings.student.planned.epochs)):
            names = {each: f"{SEARCHES[self.system]}-{number}/{each}" for each in left}
            self.keep({name: shortened(tried[each], epochs) for each, name in names.items()})
            wanted = {each: Stage(name, settings.seeds[0], self.listens) for each, name in names.items()}
            self.engine.begin([*wanted.values()])
            self.engine.finish([*wanted.values()])
            scores = {each: self.stages.best_score(stage) for each, stage in wanted.items()}
            left = sorted(left, key=lambda each: -scores[each])[: math.ceil(len(left) / 2)]
        self.keep({self.system: tried[left[0]]})
        say(f"{self.system}: {told(tried[left[0]])}; the best on validation rows of {len(tried)} settings")

    def keep(self, found: Mapping[str, Changes]) -> None:
        """Where stages look for what their system trains with."""
        path = self.stages.run.folder / TUNED
        write_json(path, (read_json(path, TUNINGS) if path.is_file() else {}) | dict(found))


def searches(settings: Settings) -> dict[str, str]:
    """The systems that a run tunes which searches -> how their trainings begin."""
    return {system: name for system, name in SEARCHES.items() if system != "plain" or not settings.plain_of}


def found_by_search(stages: Stages) -> dict[str, Any]:
    """The entry of results.json: what each system trained with, and the updates of the trainings that tried it."""
    found = {}
    for system, name in searches(stages.settings).items():
        logs = [read_log(path.parent) for path in stages.run.folder.glob(f"{name}-*/*/seed-*/{LOG}")]
        found[system] = {"chose": told(stages.changes(system)), "updates": sum(log[-1]["step"] for log in logs if log)}
    return {"search": {"settings": stages.settings.search, "systems": found}}


def told(changes: Changes) -> str:
    """Changes in words."""
    both = {**changes["plan"], **changes["options"]}
    return ", ".join(f"{name} {value:.3g}" for name, value in both.items()) or "as asked"


def trainings_of(settings: Settings) -> dict[str, tuple[int, int]]:
    """A round of a search -> its trainings, and the epochs of each."""
    epochs = rounds(settings.search, settings.student.planned.epochs)
    return {
        f"{name}-{number}": (math.ceil(settings.search / 2**number), each)
        for name in searches(settings).values()
        for number, each in enumerate(epochs)
    }


def rounds(many: int, epochs: int) -> list[int]:
    """The epochs of each round of `many` settings: the last one takes half of `epochs`, those before it half as many each."""
    count = math.ceil(math.log2(many)) if many > 1 else 0
    return [max(1, epochs // 2 ** (count - number)) for number in range(count)]


def candidates(settings: Settings, system: str) -> list[Changes]:
    """What is tried, the first as asked: the same for the same number, the same run's first seed and the same system."""
    plan, found = settings.student.planned, list[Changes]([{"plan": {}, "options": {}}])
    anew = all(begins_anew(name) for name in settings.student.encoders.values())
    names = PLANNED if anew else (*PLANNED, "pretrained_rate")
    for number in range(1, settings.search):
        random = np.random.default_rng([settings.seeds[0], number])
        plans = {name: getattr(plan, name) * PLAN ** random.uniform(-1, 1) for name in names}
        times = STRENGTH ** random.uniform(-1, 1)
        options = {} if system == "plain" else CATALOGUE[settings.method].stronger(times, **settings.options)
        found.append({"plan": plans, "options": options})
    return found


def shortened(changes: Changes, epochs: int) -> Changes:
    """The same for so many epochs, over which the rate falls to nothing."""
    return {**changes, "plan": {**changes["plan"], "epochs": epochs, "schedule": "cosine", "patience": None}}
