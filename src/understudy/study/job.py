"""Job: one distillation under way. What it finished is on disk and is not done again."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from understudy.batches.every_row import WORKERS, every_row
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Split
from understudy.evaluate import compare, cost, score, subsets
from understudy.evaluate.baselines import baselines_of
from understudy.evaluate.predictions import Predictions
from understudy.methods import CATALOGUE, Method, Supervised
from understudy.models.model import Model, views_of
from understudy.players.blueprint import Blueprint
from understudy.players.cast import asks_for, copied, drawn, method_of
from understudy.prepare.cells import TEXTS
from understudy.prepare.view import Views
from understudy.process.whole import write_json
from understudy.report import write_report
from understudy.study.answers import (
    ENSEMBLE,
    Simple,
    TeacherModel,
    Told,
    better_than,
    crossfitted,
    fold_by_id,
    heard,
    simple_teacher,
    without_fold,
)
from understudy.study.checks import seen, untested, with_target
from understudy.study.estimate import Estimate
from understudy.study.evaluation import validator
from understudy.study.run import WEIGHTS, Run, load, take
from understudy.study.settings import Settings
from understudy.tasks import Retrieval
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Ensemble, Frozen, Teacher
from understudy.teachers.writer import write_store
from understudy.training.checkpoint import load_weights, remove, save_weights
from understudy.training.fit import Scores, fit
from understudy.training.plan import Plan


@dataclass(frozen=True)
class Job:
    """One distillation under way; every step it finished is on disk and is not done again."""

    run: Run
    corpus: Corpus
    split: Split
    settings: Settings
    estimate: Estimate

    def play(self, *, report: bool) -> Run:
        """Everything, in order."""
        student, teacher = self.blueprint("student"), self.blueprint("teacher")
        start = self.method.beside(**self.settings.options)
        unseen = self.unseen_answers(teacher)
        leads = {} if isinstance(unseen, Simple) else {seed: self.lead(teacher, seed) for seed in self.settings.seeds}
        told = Told({}, "") if start else self.answers(leads, unseen, student)
        systems: dict[str, dict[int, Model]] = {"teacher": leads} if leads else {}
        systems |= {"plain": {}, "distilled": {}}
        for seed in self.settings.seeds:
            systems["plain"][seed] = self.plain(student, seed)
            beside = {"joint_teacher": copied(teacher, seed, leads[seed] if start == "trained" else None)} if start else {}
            beside |= self.auxiliary(seed)
            others = {"teacher": beside["joint_teacher"] if start else told.by_seed[seed], "auxiliary": beside.get("auxiliary")}
            taught = method_of(self.settings.method, self.settings.options, seed, student.build(seed), others)
            systems["distilled"][seed] = self.train("distilled", seed, taught, beside=beside)
            for name, model in beside.items():
                systems.setdefault(name, {})[seed] = model
        self.conclude(systems, told, report=report)
        if report:
            self.report(systems)
        return self.run

    @property
    def method(self) -> type[Method]:
        return CATALOGUE[self.settings.method]

    def blueprint(self, name: str) -> Blueprint:
        """Saved with the run, so that it is drawn once and models come back without the corpus."""
        if not (self.run.folder / f"{name}.json").is_file():
            players = self.settings.players(self.corpus)
            drawn(name, players, self.corpus, self.split, space=self.settings.space).save(self.run.folder)
        return Blueprint.load(self.run.folder, name)

    def lead(self, teacher: Blueprint, seed: int) -> Model:
        """The teacher of a seed: trained here as the method says, or taken from the run that `teachers_of` names."""
        model = teacher.build(seed)
        lead = self.method.lead(model, **self.settings.options) or Supervised(model)
        return self.train("teacher", seed, lead, of=self.settings.teachers_of)

    def plain(self, student: Blueprint, seed: int) -> Model:
        """The control of a seed: trained here, or taken from the run that `plain_of` names."""
        return self.train("plain", seed, Supervised(student.build(seed)), of=self.settings.plain_of)

    def auxiliary(self, seed: int) -> dict[str, Model]:
        """The auxiliary player of a seed by its system's name, if the method has one; trained here if it is to stay as it is."""
        if not asks_for(self.settings.method, "auxiliary"):
            return {}
        model = self.blueprint("auxiliary").build(seed)
        if self.method.fixed_auxiliary(**self.settings.options):
            self.train("auxiliary", seed, Supervised(model))
        return {"auxiliary": model}

    def train(self, system: str, seed: int, method: Method, *, of: str = "", beside: Mapping[str, Model] | None = None) -> Model:
        """Train `method` with this seed unless that is done; returns its student with the selected weights.

        of: a run that did it. beside: the models that train along, by system; scored with their last weights.
        """
        folder, model = self.run.folder / system / f"seed-{seed}", method.student
        if of and not folder.exists():
            take(load(of).folder / system / folder.name, folder)
        beside = beside or {}
        trained = {folder / WEIGHTS: model}
        trained |= {self.run.folder / name / folder.name / WEIGHTS: each for name, each in beside.items()}
        if all(path.is_file() for path in trained):
            for path, each in trained.items():
                load_weights(each.eval(), path)
                remove(path.parent)
            self.estimate.skip(system)
            return model.eval()
        own = system.startswith(("teacher", "auxiliary"))
        plan = (self.settings.teacher if own else self.settings.student).planned
        say(f"{system}, seed {seed}: {'+'.join(model.modalities)}, {plan.epochs} epochs at most")
        train = self.loader(method.views(), plan, seed=seed, labelled_only=method.needs_labels)
        validate = self.validator(model, beside) if len(self.split.valid) else None
        if validate and not seen(self.corpus, model.modalities)[with_target(self.corpus, self.split.valid)].any():
            # What an auxiliary model reads may be there in training alone; all others have been asked before.
            validate, plan = None, replace(plan, patience=None)
        rows = self.split.train
        method.meet(self.corpus.ids[rows].tolist(), self.corpus.target[rows], np.isin(rows, self.split.labelled))
        began = time.monotonic()
        fit(method, train, plan=plan, seed=seed, out=folder, validate=validate)
        say(f"  {self.estimate.after(system, time.monotonic() - began)}")
        for name, each in beside.items():
            self.finish(name, seed, each)
        return self.finish(system, seed, model)

    def finish(self, system: str, seed: int, model: Model) -> Model:
        """Score the test rows once, then write the weights: they say that this model is done."""
        folder = self.run.folder / system / f"seed-{seed}"
        if not (folder / WEIGHTS).is_file():
            predictions = score.predict(model, self.evaluation(model, self.split.test))
            self.grouped(predictions).save(folder / "predictions.npz")
            save_weights(model, folder / WEIGHTS)
            remove(folder)
        return model.eval()

    def grouped(self, predictions: Predictions) -> Predictions:
        """With the corpus's groups, where it has any."""
        return predictions if self.corpus.groups is None else predictions.grouped(self.corpus.ids, self.corpus.groups)

    def loader(self, views: Views, plan: Plan, *, seed: int, labelled_only: bool) -> Loader:
        """Batches of train rows: targets only where the split says so, like lengths together where there is a text."""
        text = [m for m in (*self.settings.student.modalities, *views) if self.corpus.modalities[m].kind in TEXTS and m in views]
        labelled = self.split.labelled
        return Loader(
            self.corpus,
            self.split.train,
            views,
            task=self.corpus.task,
            batch_size=plan.batch_size,
            labelled=labelled,
            seed=seed,
            labelled_only=labelled_only,
            similar_length=text[0] if text and len(labelled) == len(self.split.train) else None,
            training=True,
            workers=WORKERS,
        )

    def evaluation(self, model: Model, rows: Any) -> Loader:
        """Every row once, in order."""
        return every_row(self.corpus, rows, views_of(model))

    def validator(self, model: Model, beside: Mapping[str, Model] | None = None) -> Callable[[], Scores]:
        """Scores of `model` on the validation rows, whenever asked; those of the models beside it as `teacher.accuracy`."""
        others = {f"{name.removeprefix('joint_')}.": each for name, each in (beside or {}).items()}
        return validator(self.corpus, self.split.valid, {"": model} | others)

    def unseen_answers(self, blueprint: Blueprint) -> Simple | Teacher | None:
        """The teacher that never saw the row it answers, as `answers` and `teacher_model` ask for it; None for in-sample ones."""
        model, answers = self.settings.teacher_model, self.settings.answers
        if answers == "insample":
            return None
        simple = None if model == "network" else self.simple(blueprint, model)
        if simple and model != "auto":
            return simple
        network = self.crossfitted(blueprint)
        if simple is None or better_than(network, simple.teacher, self.corpus, self.split.labelled):
            return network
        return simple

    def simple(self, blueprint: Blueprint, model: TeacherModel) -> Simple:
        """The simple teacher, with its answers to test rows as the teacher's predictions."""
        found = simple_teacher(model, self.corpus, self.split, blueprint.task, self.settings.teacher.modalities)
        path = self.run.folder / "teacher" / f"seed-{self.settings.seeds[0]}" / "predictions.npz"
        if not path.is_file():
            self.grouped(found.test).save(path)
        return found

    def crossfitted(self, blueprint: Blueprint) -> Teacher:
        """Teachers of the folds, with the first seed, as one."""
        seed, teachers = self.settings.seeds[0], []
        fold = fold_by_id(self.corpus, self.split.labelled)
        for number in sorted(set(fold.values())):
            part = replace(self, split=without_fold(self.split, self.corpus, fold, number))
            model = blueprint.build(seed)
            lead = self.method.lead(model, **self.settings.options) or Supervised(model)
            teachers.append(Frozen(part.train(f"teacher/fold-{number}", seed, lead)))
        return crossfitted(teachers, fold, self.corpus, self.split.labelled)

    def answers(self, leads: Mapping[int, Model], unseen: Simple | Teacher | None, student: Blueprint) -> Told:
        """What each seed's student learns from, stored once."""
        if isinstance(unseen, Simple):
            once = self.stored("answers", unseen.teacher)
            return Told(dict.fromkeys(self.settings.seeds, once), f"{unseen.model}, crossfit")
        insample = None if self.settings.answers == "crossfit" else self.insample(leads)
        if insample and unseen is None:
            return insample
        assert unseen is not None
        once = self.stored("answers_crossfit", unseen)
        if insample and not self.prefers(once, insample.by_seed[self.settings.seeds[0]], student):
            return insample
        return Told(dict.fromkeys(self.settings.seeds, once), "network, crossfit")

    def prefers(self, once: Teacher, insample: Teacher, student: Blueprint) -> bool:
        """Whether a student of the first seed is no worse on validation rows when it learns from `once`; so without such rows."""
        if not len(self.split.valid):
            return True
        seed, found = self.settings.seeds[0], {}
        for name, teacher in (("crossfit", once), ("insample", insample)):
            taught = method_of(self.settings.method, self.settings.options, seed, student.build(seed), {"teacher": teacher})
            model = self.train(f"tried/{name}", seed, taught)
            scores = self.validator(model)()
            found[name] = scores.primary * (1 if scores.higher_is_better else -1)
        say(f"answers on validation rows: {', '.join(f'{name} {value:.4f}' for name, value in found.items())}")
        better = max(found, key=lambda name: found[name])
        if not (self.run.folder / "distilled" / f"seed-{seed}").exists():
            # It is trained: the student of the first seed that learnt from what all will learn from.
            take(self.run.folder / "tried" / better / f"seed-{seed}", self.run.folder / "distilled" / f"seed-{seed}")
        return better == "crossfit"

    def stored(self, name: str, teacher: Teacher) -> Teacher:
        """A teacher's answers to the train rows, on disk."""
        rows = every_row(self.corpus, self.split.train, teacher.views)
        return Stored(write_store(self.run.folder / "teacher" / name, teacher, rows, corpus=self.corpus.fingerprint))

    def insample(self, leads: Mapping[int, Model]) -> Told:
        """The answers of teachers to the rows that they learnt from."""
        ensemble = self.settings.ensemble == "yes" or (self.settings.ensemble == "if better" and self.better(leads))
        teachers: dict[int, Teacher] = {seed: Frozen(model) for seed, model in leads.items()}
        if ensemble:
            teachers = dict.fromkeys(leads, Ensemble(list(teachers.values())))
        tokens = self.method.tokens(**self.settings.options)
        names = {False: "answers", "text": "answers_with_tokens", "located": "answers_with_regions"}
        stored: dict[int, Teacher] = {}
        for seed, teacher in teachers.items():
            name = names[tokens]
            folder = self.run.folder / "teacher" / (name if ensemble else f"seed-{seed}/{name}")
            rows = every_row(self.corpus, self.split.train, teacher.views)
            stored[seed] = Stored(write_store(folder, teacher, rows, corpus=self.corpus.fingerprint, tokens=tokens))
        return Told(stored, ENSEMBLE if ensemble else "network, insample")

    def better(self, leads: Mapping[int, Model]) -> bool:
        """Whether, on the validation rows, the mean of all teachers beats the teachers' mean score."""
        task = next(iter(leads.values())).task
        loaders = [self.evaluation(model, self.split.valid) for model in leads.values()]
        single = [
            score.score(task, score.predict(m, each))[task.primary] for m, each in zip(leads.values(), loaders, strict=True)
        ]
        joint = score.collect(Ensemble([Frozen(model) for model in leads.values()]), task, loaders[0])
        gain = score.score(task, joint)[task.primary] - sum(single) / len(single)
        return gain > 0 if task.higher_is_better else gain < 0

    def conclude(self, systems: Mapping[str, Mapping[int, Model]], told: Told, *, report: bool) -> None:
        """The seed that ships, and results.json; with baselines where there is to be a report."""
        compared = {name: self.system(name, models) for name, models in systems.items()}
        if "teacher" not in systems:
            compared = {
                "teacher": compare.System(self.settings.teacher.modalities, 0, self.run.predictions("teacher"))
            } | compared
        if told.ensemble:
            compared["ensemble"] = self.ensemble(list(systems["teacher"].values()))
        sizes = {part: len(getattr(self.split, part)) for part in ("train", "labelled", "valid", "test")}
        selection = f"best epoch on {sizes['valid']} validation rows" if sizes["valid"] else "none: the plan was fixed in advance"
        lacking = untested(self.corpus, self.split, self.settings.reads)
        absent = {"untested": lacking} if lacking else {}
        write_json(self.run.folder / "ships.json", {"seed": self.best(systems["distilled"])})
        task = next(iter(systems["plain"].values())).task
        beside = baselines_of(self.corpus, self.split, self.settings.student.modalities) if report else {}
        split = {"name": self.split.name} | sizes | absent
        found = compare.compare(task, compared, split=split, selection=selection, baselines=beside)
        compare.write_results(self.run.folder, found | self.listening(told))

    def listening(self, told: Told) -> dict[str, Any]:
        """Whose answers the first seed's student learnt from, and how good and how sure they are; of answers alone."""
        if not told.by_seed or isinstance(self.corpus.task, Retrieval):
            return {}
        labelled, held_out = self.split.labelled, self.run.predictions("teacher")[0]
        said = heard(told.by_seed[self.settings.seeds[0]], self.corpus, labelled, held_out)
        return {"listening": {"source": told.source} | said}

    def report(self, systems: Mapping[str, Mapping[int, Model]]) -> None:
        """subsets.json, cost.json and report.html."""
        subsets.write_subsets(self.run.folder, self.subsets(systems))
        cost.write_cost(self.run.folder, {name: self.cost(next(iter(models.values()))) for name, models in systems.items()})
        write_report(self.run.folder)

    def system(self, name: str, models: Mapping[int, Model]) -> compare.System:
        """A system as the comparison wants it."""
        model = next(iter(models.values()))
        return compare.System(model.modalities, cost.parameters_of(model)["total"], self.run.predictions(name))

    def ensemble(self, models: Sequence[Model]) -> compare.System:
        """All teachers together, on the test rows."""
        teacher = Ensemble([Frozen(model) for model in models])
        found = score.collect(teacher, models[0].task, self.evaluation(models[0], self.split.test))
        return compare.System(teacher.modalities, sum(cost.parameters_of(m)["total"] for m in models), [self.grouped(found)])

    def best(self, models: Mapping[int, Model]) -> int:
        """The seed whose student is best on validation; the first one when there is none."""
        if not len(self.split.valid):
            return next(iter(models))
        found = {seed: self.validator(model)() for seed, model in models.items()}
        return max(found, key=lambda seed: found[seed].primary * (1 if found[seed].higher_is_better else -1))

    def cost(self, model: Model) -> dict[str, Any]:
        """Parameters and latencies, measured on the first test rows."""
        rows = self.split.test[:16]
        return cost.measure(model, {m: self.corpus.cells(m, rows) for m in model.modalities})

    def subsets(self, systems: Mapping[str, Mapping[int, Model]]) -> dict[str, Any]:
        """Every non-empty subset of each system's modalities on the test rows."""
        found: dict[str, list[Any]] = {name: [] for name in systems}
        for name, model in ((name, model) for name, models in systems.items() for model in models.values()):
            predicted = subsets.predict_subsets(model, self.evaluation(model, self.split.test))
            found[name].append(subsets.score_subsets(model.task, predicted))
        return subsets.subsets_document(found)


def finished(folder: Path, *, report: bool) -> bool:
    """Whether nothing of a run in this folder is left to do."""
    return all((folder / name).is_file() for name in (["results.json", "report.html"] if report else ["results.json"]))


def say(words: str) -> None:
    """Progress goes to stderr: stdout is for answers."""
    print(words, file=sys.stderr, flush=True)
