"""Listening: whose answers the students of a run learn from, decided and stored once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from understudy.batches.batch import NOTHING
from understudy.batches.every_row import every_row
from understudy.evaluate import score
from understudy.evaluate.predictions import PREDICTIONS, VALIDATION, Predictions
from understudy.evaluate.results import LABELS
from understudy.evaluate.significance import crossed_bootstrap
from understudy.evaluate.simple import quality
from understudy.methods.method import Tokens
from understudy.models.model import Model
from understudy.process.progress import say
from understudy.study.answer_table import Answers
from understudy.study.answers import (
    ENSEMBLE,
    Simple,
    TeacherModel,
    Told,
    better_than,
    crossfitted,
    fold_by_id,
    outside_teacher,
    simple_teacher,
)
from understudy.study.run import GIVEN
from understudy.study.stage import Engine, Stage, Stages
from understudy.teachers.teacher import Ensemble, Frozen, Teacher
from understudy.teachers.writer import write_store

ONE_ERROR = 0.68
"""Level of an interval of one standard error to each side."""


@dataclass(frozen=True)
class Listening:
    """Teachers that saw a row, or not. Whatever it has to ask before it can decide are stages for the engine."""

    stages: Stages
    engine: Engine

    def unseen(self) -> Simple | Teacher:
        """The teacher that never saw the row it answers, as `teacher_model` asks for it, or the one that somebody brought."""
        settings = self.stages.settings
        if settings.teacher_answers:
            return self.outside()
        simple = None if settings.teacher_model == "network" else self.simple(settings.teacher_model)
        if simple and settings.teacher_model != "auto":
            return simple
        network = self.crossfitted()
        if simple is None or better_than(network, simple.teacher, self.stages.corpus, self.stages.split.labelled):
            return network
        return simple

    def simple(self, model: TeacherModel) -> Simple:
        """The simple teacher, with its answers to test rows as the teacher's predictions."""
        stages, task = self.stages, self.stages.blueprint("teacher").task
        return self.scored(simple_teacher(model, stages.corpus, stages.split, task, stages.settings.teacher.modalities))

    def outside(self) -> Simple:
        """The teacher whose answers lie in the run's folder."""
        stages, task = self.stages, self.stages.blueprint("teacher").task
        said = Answers.load(stages.run.folder / GIVEN)
        found = outside_teacher(said, stages.corpus, stages.split, task, stages.settings.teacher.modalities)
        say(
            f"{found.source}: answers to {np.isin(stages.corpus.ids[stages.split.train], said.ids).sum()} of "
            f"{len(stages.split.train)} train rows; test rows {'are' if found.test else 'are not'} scored"
        )
        return self.scored(found)

    def scored(self, found: Simple) -> Simple:
        """With its answers to test rows as the teacher's predictions, where it has them."""
        path = self.stages.folder("teacher", self.stages.settings.seeds[0]) / PREDICTIONS
        if found.test and not path.is_file():
            self.stages.grouped(found.test).save(path)
        return found

    def crossfitted(self) -> Teacher:
        """Teachers of the folds, with the first seed, as one."""
        corpus, labelled, seed = self.stages.corpus, self.stages.split.labelled, self.stages.settings.seeds[0]
        fold = fold_by_id(corpus, labelled)
        wanted = [Stage(f"teacher/fold-{number}", seed) for number in sorted(set(fold.values()))]
        self.engine.begin(wanted)
        self.engine.finish(wanted)
        return crossfitted([Frozen(self.stages.run.model(each.system, seed=seed)) for each in wanted], fold, corpus, labelled)

    def told(self, leads: Mapping[int, Model], unseen: Simple | Teacher | None) -> Told:
        """What each seed's student learns from. leads: the teachers by seed, all trained."""
        seeds = self.stages.settings.seeds
        if isinstance(unseen, Simple):
            return Told(dict.fromkeys(seeds, self.stored("answers", unseen.teacher)), unseen.source)
        if unseen is None:
            return self.insample(leads)
        once = Told(dict.fromkeys(seeds, self.stored("answers_crossfit", unseen)), "network, crossfit")
        if self.stages.settings.answers == "crossfit" or not len(self.stages.split.valid):
            return once
        return self.chosen({"crossfit": once, "insample": self.insample(leads)})

    def chosen(self, ways: Mapping[str, Told]) -> Told:
        """Of these what the better student on validation rows learnt from, with the first seed; of equals the first.

        Labels alone where the plain student is better than that by more than a standard error: what it is then compared with is
        itself. A search, which tunes the plain student first, leaves it out.
        """
        stages, seed = self.stages, self.stages.settings.seeds[0]
        wanted = {name: Stage(f"tried/{name}", seed, told.stores[seed]) for name, told in ways.items()}
        plain = Stage("plain", seed)
        self.engine.begin([*wanted.values()])
        self.engine.finish([plain, *wanted.values()])
        said = {name: self.on_validation_rows(stage) for name, stage in ({LABELS: plain} | wanted).items()}
        task = stages.corpus.task
        found = {name: quality(task, each.values, each.target) for name, each in said.items()}
        shown = ", ".join(f"{name} {rows.mean() * task.sign:.4f}" for name, rows in found.items())
        better = max(ways, key=lambda name: found[name].mean())
        ahead = crossed_bootstrap((found[LABELS] - found[better])[None, None], said[LABELS].group).interval(level=ONE_ERROR)[0]
        alone = ahead > 0 and not stages.settings.search
        say(f"answers on validation rows, {task.primary}: {shown}; the student learns from {LABELS if alone else better}")
        if alone:
            return self.labels_alone()
        stages.adopt(wanted[better], "distilled")
        return ways[better]

    def on_validation_rows(self, stage: Stage) -> Predictions:
        """What a stage that is done says of the validation rows that have a target and something to read."""
        said = Predictions.load(self.stages.folder(stage.system, stage.seed) / VALIDATION)
        return said.take(said.seen & said.has_target)

    def labels_alone(self) -> Told:
        """Every seed's distilled student is its plain one."""
        wanted = [Stage("plain", seed) for seed in self.stages.settings.seeds]
        self.engine.finish(wanted)
        for stage in wanted:
            self.stages.adopt(stage, "distilled")
        return Told({}, LABELS)

    def insample(self, leads: Mapping[int, Model]) -> Told:
        """The answers of teachers to the rows that they learnt from."""
        settings, method = self.stages.settings, self.stages.method
        tokens = method.tokens(**settings.options)
        wanted = method.wants(settings.student.modalities, settings.teacher.modalities, **settings.options)
        # What an assistant learns is for its own method to say, of answers alone.
        wanted = NOTHING if method.assisted(**settings.options) else wanted
        name = {False: "answers", "text": "answers_with_tokens", "located": "answers_with_regions"}[tokens]
        name += "" if wanted == NOTHING else "_and_more"
        teachers = {seed: Frozen(model, wanted) for seed, model in leads.items()}
        if settings.ensemble == "yes" or (settings.ensemble == "if better" and self.better(leads)):
            together = Ensemble([*teachers.values()], wanted)
            return Told(dict.fromkeys(leads, self.stored(name, together, tokens=tokens)), ENSEMBLE)
        each = {seed: self.stored(f"seed-{seed}/{name}", teacher, tokens=tokens) for seed, teacher in teachers.items()}
        return Told(each, "network, insample")

    def assisted(self, told: Told) -> Told:
        """What each seed's student learns from its assistant, which learns from what was told."""
        stages, method = self.stages, self.stages.method
        wanted = [Stage("assistant", seed, store) for seed, store in told.stores.items()]
        self.engine.begin(wanted)
        self.engine.finish(wanted)
        reads = stages.settings.student.modalities
        more = method.wants(reads, reads, **stages.settings.options)
        leads = {each.seed: Frozen(stages.run.model("assistant", seed=each.seed), more) for each in wanted}
        stores = {seed: self.stored(f"seed-{seed}/answers", lead, of="assistant") for seed, lead in leads.items()}
        return Told(stores, "network, assistant")

    def stored(self, name: str, teacher: Teacher, *, tokens: Tokens = False, of: str = "teacher") -> str:
        """A teacher's answers to the train rows, on disk, beside the system's other files; where in the run's folder."""
        stages, place = self.stages, f"{of}/{name}"
        rows = every_row(stages.corpus, stages.split.train, teacher.views)
        write_store(stages.run.folder / place, teacher, rows, corpus=stages.corpus.fingerprint, tokens=tokens)
        return place

    def better(self, leads: Mapping[int, Model]) -> bool:
        """Whether, on the validation rows, the mean of all teachers beats the teachers' mean score."""
        models, task = [*leads.values()], next(iter(leads.values())).task
        loaders = [self.stages.evaluation(model, self.stages.split.valid) for model in models]
        scores = [score.score(task, score.predict(m, each)) for m, each in zip(models, loaders, strict=True)]
        joint = score.collect(Ensemble([Frozen(model) for model in models]), task, loaders[0])
        gain = score.score(task, joint)[task.primary] - sum(each[task.primary] for each in scores) / len(scores)
        return gain * task.sign > 0
