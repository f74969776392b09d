"""Job: one distillation under way: its stages, and who waits for whom. What it finished is on disk and is not done again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from understudy.process.progress import say
from understudy.study.answers import Simple, Told
from understudy.study.conclude import conclude
from understudy.study.estimate import Estimate
from understudy.study.listening import Listening
from understudy.study.run import Run
from understudy.study.stage import Engine, Stage, Stages


@dataclass(frozen=True)
class Job:
    """A plain student waits for nobody; a distilled one for answers or for whom it trains beside; answers for teachers."""

    stages: Stages
    engine: Engine

    def play(self, *, report: bool) -> Run:
        """Everything that is left to do."""
        stages, settings = self.stages, self.stages.settings
        for name in settings.players(stages.corpus):
            stages.blueprint(name)
        listening = Listening(stages, self.engine)
        unseen = None if settings.answers == "insample" and not settings.teacher_answers else listening.unseen()
        start = stages.method.beside(**settings.options)
        beside = [] if isinstance(unseen, Simple) else self.of_all_seeds("teacher")
        if stages.method.fixed_auxiliary(**settings.options):
            beside += self.of_all_seeds("auxiliary")
        plain = self.of_all_seeds("plain")
        self.engine.begin([*beside, *plain])
        self.engine.finish(beside)
        leads = {each.seed: stages.run.model("teacher", seed=each.seed) for each in beside if each.system == "teacher"}
        told = Told({}, "") if start else listening.told(leads, unseen)
        distilled = [Stage("distilled", seed, told.stores.get(seed, "")) for seed in settings.seeds]
        self.engine.begin(distilled)
        self.engine.finish([*plain, *distilled])
        others = ("plain", "distilled", *stages.beside(distilled[0]))
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
