"""Job: one distillation under way: its stages, who waits for whom, and the engine that plays them. What is done is on disk."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from understudy.corpus import Corpus
from understudy.methods import CATALOGUE
from understudy.process.crew import EngineName, check_engine
from understudy.process.hardware import jobs_of
from understudy.process.launched import several
from understudy.process.lock import Lock
from understudy.process.progress import say
from understudy.study.answers import FOLDS, Simple, Told
from understudy.study.conclude import conclude
from understudy.study.estimate import Estimate
from understudy.study.listening import Listening
from understudy.study.run import Run
from understudy.study.settings import Machine, Settings
from understudy.study.stage import Engine, Stage, Stages
from understudy.study.trial import chosen, trials_of
from understudy.study.tuning import Tuning, searches, trainings_of


@dataclass(frozen=True)
class Job:
    """A plain student waits for nobody; a distilled one for answers or for whom it trains beside; answers for teachers."""

    stages: Stages
    engine: Engine

    def play(self, *, report: bool) -> Run:
        """Everything that is left to do."""
        stages = chosen(self.stages, self.engine) if self.stages.settings.undecided else self.stages
        settings = stages.settings
        for name in settings.players(stages.corpus):
            stages.blueprint(name)
        listening = Listening(stages, self.engine)
        unseen = None if settings.answers == "insample" and not settings.teacher_answers else listening.unseen()
        start = stages.method.beside(**settings.options)
        beside = [] if isinstance(unseen, Simple) else self.of_all_seeds("teacher")
        if stages.method.fixed_auxiliary(**settings.options):
            beside += self.of_all_seeds("auxiliary")
        plain = self.of_all_seeds("plain")
        self.engine.begin(beside)
        tuned = searches(settings) if settings.search else {}
        if "plain" in tuned:
            Tuning(stages, self.engine, "plain").play()
        self.engine.begin(plain)
        self.engine.finish(beside)
        leads = {each.seed: stages.run.model("teacher", seed=each.seed) for each in beside if each.system == "teacher"}
        told = Told({}, "") if start else listening.told(leads, unseen)
        assisted = stages.method.assisted(**settings.options) and bool(told.stores)
        told = listening.assisted(told) if assisted else told
        if tuned:
            Tuning(stages, self.engine, "distilled", told.stores.get(settings.seeds[0], "")).play()
        distilled = [Stage("distilled", seed, told.stores.get(seed, "")) for seed in settings.seeds]
        self.engine.begin(distilled)
        self.engine.finish([*plain, *distilled])
        others = ("plain", "distilled", *stages.beside(distilled[0]), *(["assistant"] if assisted else []))
        models = {name: {seed: stages.run.model(name, seed=seed) for seed in settings.seeds} for name in others}
        conclude(stages, ({"teacher": leads} if leads else {}) | models, told, report=report)
        return stages.run

    def of_all_seeds(self, system: str) -> list[Stage]:
        return [Stage(system, seed) for seed in self.stages.settings.seeds]


@dataclass(frozen=True)
class InTurn:
    """The engine of one process: each stage when somebody waits for it, in the order in which they were begun."""

    stages: Stages
    estimate: Estimate
    waiting: list[Stage] = field(default_factory=list)

    def begin(self, stages: Sequence[Stage]) -> None:
        self.waiting.extend(stages)

    def play(self, stage: Stage) -> float:
        """As of `Stages`."""
        return self.stages.play(stage)

    def finish(self, stages: Sequence[Stage]) -> None:
        while set(stages) & set(self.waiting):
            stage = self.waiting.pop(0)
            if seconds := self.play(stage):
                say(f"  {self.estimate.after(stage.system, seconds)}")
            else:
                self.estimate.skip(stage.system)


@dataclass(frozen=True)
class Engines:
    """What a machine is asked for, checked. jobs: trainings at once; threads: of each, where several run at once."""

    name: EngineName
    jobs: int
    threads: int

    @contextmanager
    def engine(self, stages: Stages, lock: Lock) -> Iterator[Engine]:
        """The one for a run. lock: by which its folder is held."""
        estimate = estimate_of(stages.settings, stages.corpus, at_once=self.jobs)
        if self.name == "ray":
            from understudy.study.on_ray import OnRay

            with OnRay(stages, estimate, jobs=self.jobs, threads=self.threads) as engine:
                yield engine
        elif self.jobs > 1:
            from understudy.study.side_by_side import SideBySide

            with SideBySide(stages, estimate, jobs=self.jobs, threads=self.threads, lock=lock) as engine:
                yield engine
        elif several():
            from understudy.study.together import Together

            yield Together(stages, estimate)
        else:
            yield InTurn(stages, estimate)


def engines_of(machine: Machine) -> Engines:
    """ValueError for an engine that there is not, or jobs that are none; ImportError where Ray is asked for and not installed."""
    name = machine.get("engine", "local")
    check_engine(name)
    return Engines(name, jobs_of(machine.get("jobs", "devices")), machine.get("threads", 0) or 1)


def estimate_of(settings: Settings, corpus: Corpus, *, at_once: int) -> Estimate:
    """Of the time that the trainings of so many seeds take."""
    fixed = CATALOGUE[settings.method].fixed_auxiliary(**settings.options)
    lead = [] if settings.teacher_answers else ["teacher"]
    assisted = CATALOGUE[settings.method].assisted(**settings.options)
    trained = [*lead, "plain", "distilled", *(["auxiliary"] if fixed else []), *(["assistant"] if assisted else [])]
    left: dict[str, int] = dict.fromkeys(trained, len(settings.seeds))
    if settings.undecided:
        left |= dict.fromkeys(trials_of(settings, corpus), 1)
    if settings.search:
        left |= {name: many for name, (many, _) in trainings_of(settings).items()}
    if settings.answers != "insample":
        left |= {f"teacher/fold-{number}": 1 for number in range(FOLDS)}
    if settings.answers == "auto":
        left |= {"tried/crossfit": 1, "tried/insample": 1}
    return Estimate(left, at_once)
