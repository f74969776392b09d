"""Trial: an encoder that nobody named is chosen by validation rows, between the two of its kind that are worth trying.

A player is trained once with each, with the first seed; which way is better depends on what numbers and texts stand for, and no
rule of rows and columns told it on the development sets. The training that wins is kept as that of the first seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from understudy.corpus import Corpus
from understudy.players.blueprint import AUTO, TRIED, Blueprint
from understudy.prepare.cells import Kind
from understudy.process.progress import say
from understudy.study.run import load
from understudy.study.settings import Settings
from understudy.study.stage import TAKEN, TRIAL, Engine, Stage, Stages

SYSTEM = {"student": "plain", "teacher": "teacher"}
"""Player -> the system of labels alone by which it is tried."""


@dataclass(frozen=True)
class Trial:
    """One player with the encoders that it is tried with; they are named alike in its stages and in what is said."""

    stages: Stages
    player: str

    @property
    def wanted(self) -> dict[str, Stage]:
        """Candidate -> the training that tries it."""
        settings = self.stages.settings
        names = candidates(settings, self.player, self.stages.corpus)
        return {each: Stage(system_of(self.player, each), settings.seeds[0]) for each in names}

    def draw(self) -> None:
        """The player as it would be with each, saved where its stage looks for it."""
        settings, stages = self.stages.settings, self.wanted
        for name, encoders in candidates(settings, self.player, self.stages.corpus).items():
            changed = with_encoders(settings, self.player, encoders)
            replace(self.stages, settings=changed).blueprint(self.player, stages[name].own)

    def decide(self) -> Blueprint:
        """The player with the better encoders, saved as the run's; of equals the first. All of its stages are done."""
        stages, wanted = self.stages, self.wanted
        scores = {name: stages.best_score(stage) for name, stage in wanted.items()}
        better = max(scores, key=lambda name: scores[name])
        task = stages.corpus.task
        said = ", ".join(f"{name} {score * task.sign:.4f}" for name, score in scores.items())
        say(f"encoders of the {self.player} on validation rows, {task.primary}: {said}")
        first = wanted[better]
        stages.adopt(first, SYSTEM[self.player])
        found = Blueprint.load(stages.run.folder / first.system, self.player)
        found.save(stages.run.folder)
        return found


def chosen(stages: Stages, engine: Engine) -> Stages:
    """The stages with every encoder named: as chosen before, as taken from another run, or by trials that the engine plays."""
    settings, trials = stages.settings, []
    for player in settings.undecided:
        if known := known_blueprint(stages, player):
            settings = with_encoders(settings, player, known.encoders)
        elif tried(settings, player):
            trials.append(Trial(stages, player))
        else:
            settings = with_first(settings, player, stages.corpus)
    wanted = [stage for trial in trials for stage in trial.wanted.values()]
    for trial in trials:
        trial.draw()
    engine.begin(wanted)
    engine.finish(wanted)
    for trial in trials:
        settings = with_encoders(settings, trial.player, trial.decide().encoders)
    return replace(stages, settings=settings)


def trials_of(settings: Settings, corpus: Corpus) -> list[str]:
    """The systems that trials train."""
    players = [player for player in settings.undecided if tried(settings, player)]
    return [system_of(player, each) for player in players for each in candidates(settings, player, corpus)]


def candidates(settings: Settings, player: str, corpus: Corpus) -> dict[str, dict[str, str]]:
    """What a player is tried with, by name: the first encoder of the kind of each modality where none is named, or the second."""
    kinds: dict[str, Kind] = {modality: corpus.modalities[modality].kind for modality in settings.undecided[player]}
    pairs = ({modality: TRIED[kind][place] for modality, kind in kinds.items()} for place in (0, 1))
    return {"-".join(dict.fromkeys(each.values())): each for each in pairs}


def system_of(player: str, candidate: str) -> str:
    """The system that tries a player with a candidate."""
    return f"{SYSTEM[player]}{TRIAL}{candidate}"


def tried(settings: Settings, player: str) -> bool:
    """Whether a run tries this player: not one that is taken from another run, nor a teacher of somebody's, or a simple model."""
    if getattr(settings, TAKEN[SYSTEM[player]]):
        return False
    return player == "student" or not (settings.teacher_answers or settings.teacher_model != "network")


def with_encoders(settings: Settings, player: str, found: Mapping[str, str]) -> Settings:
    """Settings in which a player has these encoders where none was named."""
    asked = getattr(settings, player)
    encoders = {modality: found[modality] if name == AUTO else name for modality, name in asked.encoders.items()}
    changes: dict[str, Any] = {player: replace(asked, encoders=encoders)}
    return replace(settings, **changes)


def with_first(settings: Settings, player: str, corpus: Corpus) -> Settings:
    """Settings in which a player has the first candidate's encoders where none was named."""
    return with_encoders(settings, player, next(iter(candidates(settings, player, corpus).values())))


def everybody_with_first(settings: Settings, corpus: Corpus) -> Settings:
    """Settings in which everybody has: to see whether players can be built."""
    for player in settings.undecided:
        settings = with_first(settings, player, corpus)
    return settings


def known_blueprint(stages: Stages, player: str) -> Blueprint | None:
    """The player as this run, or the run that it is taken from, has drawn it."""
    of = getattr(stages.settings, TAKEN[SYSTEM[player]])
    folder = load(of).folder if of else stages.run.folder
    return Blueprint.load(folder, player) if (folder / f"{player}.json").is_file() else None
