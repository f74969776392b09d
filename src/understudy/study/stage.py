"""Stage: one training of one system with one seed: a function of the run's folder; it leaves files whole or not at all."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypedDict, runtime_checkable

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray

from understudy.batches.every_row import WORKERS, every_row
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Split
from understudy.evaluate import score
from understudy.evaluate.predictions import PREDICTIONS, VALIDATION, Predictions
from understudy.methods import CATALOGUE, Method, Supervised
from understudy.methods.apart import Apart
from understudy.models.experts import Late
from understudy.models.model import Model, views_of
from understudy.players.blueprint import Blueprint
from understudy.players.cast import asks_for, copied, drawn, method_of, player_of
from understudy.prepare.cells import TEXTS
from understudy.prepare.view import Views
from understudy.process.document import Shape
from understudy.process.hardware import accelerator
from understudy.process.log import LOG, read_log
from understudy.process.progress import say
from understudy.process.whole import read_json, write_text
from understudy.study.answers import fold_by_id, without_fold
from understudy.study.checks import seen, with_target
from understudy.study.run import WEIGHTS, Run, load, take
from understudy.study.settings import Settings
from understudy.teachers.store import Store
from understudy.teachers.stored import Stored
from understudy.training.checkpoint import remove, save_weights
from understudy.training.fit import Diverged, Scores, fit
from understudy.training.plan import Plan

TAKEN = {"teacher": "teachers_of", "plain": "plain_of"}
"""System -> the setting that names a run which trained it."""


class Changes(TypedDict):
    """What a system trains with in place of what was asked: settings of its plan, and options of the method."""

    plan: Mapping[str, Any]
    options: Mapping[str, float]


SEARCHES = {"plain": "plain/search", "distilled": "tried/search"}
"""A system that a search tunes -> how the trainings that try its settings begin."""
TUNED = "tuned.json"
"""In the folder of a run that searches: system -> its `Changes`."""
TUNINGS: Shape = {...: {"plan": {...: (float, int, str, None)}, "options": {...: float}}}
SEARCHED, FOLD = tuple(f"{name}-" for name in SEARCHES.values()), "teacher/fold-"
"""How systems begin that nobody compares or ships: no test row is shown to them."""
TRIAL = "/trial-"
"""In the name of a system that tries a player of its own."""


@dataclass(frozen=True)
class Stage:
    """One training.

    system: `teacher`, `plain`, `auxiliary`, `assistant`, `distilled`, or one on the way: `teacher/fold-0`, `plain/trial-mlp`,
    `plain/search-0/3`, `tried/crossfit`. listens: the store in the run's folder that a student learns from; "" for who learns
    from labels, or beside its teacher.
    """

    system: str
    seed: int
    listens: str = ""

    def __str__(self) -> str:
        return f"{self.system}, seed {self.seed}"

    @property
    def own(self) -> str:
        """Where in the run's folder its player is drawn: a trial's own folder, else the run's."""
        return self.system if TRIAL in self.system else ""


@runtime_checkable
class Engine(Protocol):
    """Plays stages: in turn, or side by side. What they leave does not depend on which; one that fails is named and stops all."""

    def begin(self, stages: Sequence[Stage]) -> None:
        """These may be played from now on: nothing that they wait for is missing."""

    def finish(self, stages: Sequence[Stage]) -> None:
        """Returns when these, begun before, are done; others may go on meanwhile."""


@dataclass(frozen=True)
class Stages:
    """What the stages of one run share, all of it read from the run's folder."""

    run: Run
    corpus: Corpus
    split: Split
    settings: Settings

    @classmethod
    def of(cls, run: Run) -> "Stages":
        """Of a folder that somebody has begun; ValueError where corpus or split are others by now."""
        return cls(run, run.corpus(), run.split(), Settings.from_json(run.settings["arguments"]))

    @property
    def method(self) -> type[Method]:
        return CATALOGUE[self.settings.method]

    def folder(self, system: str, seed: int) -> Path:
        return self.run.folder / system / f"seed-{seed}"

    def blueprint(self, name: str, own: str = "") -> Blueprint:
        """Saved with the run, so that it is drawn once and models come back without the corpus. own: of a stage."""
        folder = self.run.folder / own
        if not (folder / f"{name}.json").is_file():
            players = self.settings.players(self.corpus)
            folder.mkdir(parents=True, exist_ok=True)
            drawn(name, players, self.corpus, self.split, space=self.settings.space).save(folder)
        return Blueprint.load(folder, name)

    def beside(self, stage: Stage) -> tuple[str, ...]:
        """The systems that train along with a student."""
        if not stage.system.startswith(("distilled", "tried")):
            return ()
        joint = ("joint_teacher",) if self.method.beside(**self.settings.options) else ()
        return (*joint, "auxiliary") if asks_for(self.settings.method, "auxiliary") else joint

    def done(self, stage: Stage) -> bool:
        """Whether its files are there; weights are the last of them."""
        return all((self.folder(name, stage.seed) / WEIGHTS).is_file() for name in (stage.system, *self.beside(stage)))

    def to_train(self, some: Sequence[Stage], *, skip: Callable[[str], None]) -> list[Stage]:
        """Those of them that are not done; of the others what they left over is removed, and `skip` hears their systems."""
        found = []
        for stage in some:
            if self.done(stage):
                self.play(stage)
                skip(stage.system)
            else:
                found.append(stage)
        return found

    def best_score(self, stage: Stage) -> float:
        """The best validation score of a training that is done, the larger the better; -inf of a search that diverged."""
        task, log = self.corpus.task, read_log(self.folder(stage.system, stage.seed))
        return max((line["valid"][task.primary] * task.sign for line in log), default=-math.inf)

    def adopt(self, stage: Stage, system: str) -> None:
        """Keep a training on the way as that of a system, unless there is one, or a search has yet to say how it trains."""
        there = self.folder(system, stage.seed)
        if not there.exists() and not (self.settings.search and system in SEARCHES):
            take(self.folder(stage.system, stage.seed), there)

    def play(self, stage: Stage, *, quiet: bool = False) -> float:
        """Train, score the test rows once, write predictions and weights; seconds of training, 0 where that was done before.

        ValueError and OSError name the stage.
        """
        try:
            return self.played(stage, quiet=quiet)
        except ValueError as error:
            raise ValueError(f"{stage}: {error}") from error
        except OSError as error:
            raise OSError(f"{stage}: {error}") from error

    def ready(self, stage: Stage) -> bool:
        """Whether nobody has to train it: it is done, or taken from a run that was named."""
        folder = self.folder(stage.system, stage.seed)
        of = getattr(self.settings, TAKEN[stage.system]) if stage.system in TAKEN else ""
        if of and not folder.exists():
            take(load(of).folder / stage.system / folder.name, folder)
        return self.done(stage)

    def played(self, stage: Stage, *, quiet: bool) -> float:
        """As `play`."""
        if self.ready(stage):
            for name in (stage.system, *self.beside(stage)):
                remove(self.folder(name, stage.seed))
            return 0.0
        method, beside = self.cast(stage)
        began = time.monotonic()
        try:
            self.train(stage, method, beside, quiet=quiet)
        except Diverged as error:
            if not stage.system.startswith(SEARCHED):
                raise
            say(f"{stage}: {error}; these settings are out")
            write_text(self.folder(stage.system, stage.seed) / LOG, "")
        seconds = time.monotonic() - began
        # The student's weights come last: they say that the stage is done.
        for name, model in (beside | {stage.system: method.student}).items():
            self.finish(name, stage.seed, model)
        return seconds

    def take_part(self, stage: Stage) -> None:
        """Take this process's part in a training whose files another one writes."""
        method, beside = self.cast(stage)
        self.train(stage, method, beside, quiet=True)

    def cast(self, stage: Stage) -> tuple[Method, dict[str, Model]]:
        """The method with its players, untrained or as their stages left them; and by system the models that train along."""
        seed, name = stage.seed, stage.system.partition("/")[0]
        if name == "assistant":
            heard, model = Stored(Store(self.run.folder / stage.listens)), self.blueprint(name).build(seed)
            return self.method.assist(model, heard, **self.settings.options), {}
        if name in ("teacher", "plain", "auxiliary"):
            model = self.blueprint(player_of(name), stage.own).build(seed)
            lead = self.method.lead(model, **self.settings.options) if name == "teacher" else None
            return lead or (Apart if isinstance(model.head, Late) else Supervised)(model), {}
        beside = {name: self.along(name, seed) for name in self.beside(stage)}
        teacher = Stored(Store(self.run.folder / stage.listens)) if stage.listens else beside.get("joint_teacher")
        others = {"teacher": teacher, "auxiliary": beside.get("auxiliary")}
        student = self.blueprint("student").build(seed)
        options = {**self.settings.options, **self.changes(stage.system)["options"]}
        return method_of(self.settings.method, options, seed, student, others), beside

    def along(self, system: str, seed: int) -> Model:
        """A model that trains beside the student: a fresh one, or as its own stage left it."""
        if system == "joint_teacher":
            trained = self.method.beside(**self.settings.options) == "trained"
            return copied(self.blueprint("teacher"), seed, self.run.model("teacher", seed=seed) if trained else None)
        if self.method.fixed_auxiliary(**self.settings.options):
            return self.run.model("auxiliary", seed=seed)
        return self.blueprint("auxiliary").build(seed)

    def train(self, stage: Stage, method: Method, beside: Mapping[str, Model], *, quiet: bool) -> None:
        """One fit, on the rows and with the plan of this stage."""
        model, split = method.student, self.rows(stage)
        plan = self.plan(stage.system)
        if not quiet:
            say(f"{stage}: {'+'.join(model.modalities)}, {plan.epochs} epochs at most")
        on = accelerator(self.settings.precision, run=self.run.folder)
        train = self.loader(method.views(), split, plan, on, seed=stage.seed, labelled_only=method.needs_labels)
        validate = self.validator(model, beside) if len(split.valid) else None
        if validate and not seen(self.corpus, model.modalities)[with_target(self.corpus, split.valid)].any():
            # What an auxiliary model reads may be there in training alone; all others have been asked before.
            validate, plan = None, replace(plan, patience=None)
        target, labelled = self.corpus.target[split.train], np.isin(split.train, split.labelled)
        method.meet(self.corpus.ids[split.train].tolist(), target, labelled)
        folder = self.folder(stage.system, stage.seed)
        fit(method, train, plan=plan, seed=stage.seed, out=folder, validate=validate, accelerator=on, quiet=quiet)

    def plan(self, system: str) -> Plan:
        """A teacher's and an auxiliary's is the teacher's; who trains beside the student has the student's."""
        player = self.settings.teacher if system.startswith(("teacher", "auxiliary")) else self.settings.student
        return replace(player.planned, **self.changes(system)["plan"])

    def changes(self, system: str) -> Changes:
        """What a search found for a system, or has it try."""
        nothing: Changes = {"plan": {}, "options": {}}
        path = self.run.folder / TUNED
        return read_json(path, TUNINGS).get(system, nothing) if self.settings.search and path.is_file() else nothing

    def rows(self, stage: Stage) -> Split:
        """The split; of a fold's teacher without the rows that it will answer."""
        _, fold, number = stage.system.partition("/fold-")
        if not fold:
            return self.split
        return without_fold(self.split, self.corpus, fold_by_id(self.corpus, self.split.labelled), int(number))

    def finish(self, system: str, seed: int, model: Model) -> None:
        """Score the test rows once, and the validation rows, then write the weights: they say that this model is done."""
        folder = self.folder(system, seed)
        if not (folder / WEIGHTS).is_file():
            on_the_way = system.startswith((*SEARCHED, FOLD))
            for name, rows in ((VALIDATION, self.split.valid), (PREDICTIONS, self.split.test)):
                if not on_the_way and (len(rows) or name == PREDICTIONS):
                    self.grouped(score.predict(model, self.evaluation(model, rows))).save(folder / name)
            save_weights(model, folder / WEIGHTS)
        remove(folder)

    def grouped(self, predictions: Predictions) -> Predictions:
        """With the corpus's groups, where it has any."""
        return predictions if self.corpus.groups is None else predictions.grouped(self.corpus.ids, self.corpus.groups)

    def loader(self, views: Views, split: Split, plan: Plan, on: Accelerator, *, seed: int, labelled_only: bool) -> Loader:
        """This process's share of batches of train rows: targets only where the split says so, like lengths of texts together."""
        text = [m for m in (*self.settings.student.modalities, *views) if self.corpus.modalities[m].kind in TEXTS and m in views]
        return Loader(
            self.corpus,
            split.train,
            views,
            task=self.corpus.task,
            batch_size=plan.batch_size,
            labelled=split.labelled,
            seed=seed,
            labelled_only=labelled_only,
            similar_length=text[0] if text and len(split.labelled) == len(split.train) else None,
            process=on.process_index,
            processes=on.num_processes,
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


def validator(corpus: Corpus, rows: NDArray[np.intp], models: Mapping[str, Model]) -> Callable[[], Scores]:
    """Scores of the models on `rows`, whenever asked, each under its prefix: `teacher.accuracy`. The one of "" selects.

    Another that sees none of these rows with a target has no score.
    """
    loaders = {prefix: every_row(corpus, rows, views_of(model)) for prefix, model in models.items()}
    task = models[""].task

    def validate() -> Scores:
        found: dict[str, float] = {}
        for prefix, model in models.items():
            predicted = score.predict(model, loaders[prefix])
            if prefix and not (predicted.has_target & predicted.seen).any():
                continue
            found |= {f"{prefix}{metric}": value for metric, value in score.score(task, predicted).items()}
        return Scores(found[task.primary], task.higher_is_better, found)

    return validate
