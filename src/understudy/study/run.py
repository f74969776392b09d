"""Run: what one recipe left in a folder, and how it comes back."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from understudy.artifact.contract import Weights
from understudy.corpus import Corpus, Given, Split, opened, opened_split
from understudy.corpus.draw import with_validation
from understudy.evaluate.compare import predictions_of, read_results
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.results import recommended, todo
from understudy.models.model import Model
from understudy.players.blueprint import Blueprint
from understudy.players.brought import labelled
from understudy.players.cast import player_of
from understudy.prepare.frames import Data
from understudy.process import hardware
from understudy.process.document import Shape
from understudy.process.markup import shown
from understudy.process.whole import read_json, whole_folder
from understudy.tasks import Task, judged
from understudy.training.checkpoint import load_weights

if TYPE_CHECKING:
    from understudy.artifact.predict import Artifact

Shipped = Literal["distilled", "plain", "teacher", "auto"]
WEIGHTS = "model.safetensors"
GIVEN = "answers.npz"
"""In a run's folder: what a teacher that somebody brought says."""
JUDGED = ("metric", "class_weights", "label_smoothing")
"""Arguments that ask for another metric or loss of the corpus's task."""
SYSTEMS = ("teacher", "plain", "distilled")
"""The three that every run trains, in the order of its tables."""
DOCUMENT: Shape = {
    "recipe": str,
    "arguments": {
        "corpus": str,
        "split": str,
        "seeds": [int],
        "student": [str],
        "teacher": [str],
        "method": str,
        "options": {},
        "sizes": {},
        "plan": {},
        "encoders?": {...: str},
        "teacher_encoders?": {...: str},
    },
    "corpus_fingerprint": str,
    "split_hash": str,
    "versions": {...: str},
}
"""What run.json holds, of the arguments what every reader of it needs."""


@dataclass(frozen=True)
class Run:
    """A run's folder. `settings` is its run.json: recipe, resolved arguments, versions, corpus fingerprint, split hash."""

    folder: Path
    settings: Mapping[str, Any]

    def __repr__(self) -> str:
        asked = self.settings["arguments"]
        said = self.verdict if (self.folder / "results.json").is_file() else "not finished"
        return f"Run({str(self.folder)!r}, {'+'.join(asked['student'])} taught by {'+'.join(asked['teacher'])}: {said})"

    def _repr_html_(self) -> str:
        """For a notebook: the verdict with its table."""
        if not (self.folder / "results.json").is_file():
            return shown(repr(self))
        results, found = self.results, self.results["comparison"]
        metric = results["metric"]["name"]
        rows = [
            (name, " + ".join(each["modalities"]), each["parameters"], each["metrics"][metric]["mean"], spread(each, metric))
            for name, each in results["systems"].items()
        ]
        interval = f"{found['difference']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]"
        line = f"{self.folder}: the distilled student is {found['verdict']}, distilled - plain {interval} ({metric})"
        return shown(line, ("system", "reads", "parameters", metric, "95 % over seeds"), rows)

    def __fspath__(self) -> str:
        """A run stands where its folder is asked for."""
        return str(self.folder)

    @property
    def results(self) -> dict[str, Any]:
        """results.json; FileNotFoundError while the run is not finished."""
        return read_results(self.folder)

    @property
    def verdict(self) -> str:
        """The distilled student against the plain one: "better", "worse" or "not distinguishable", or why there is no verdict.

        That is "one training run" or "still learning when stopped".
        """
        return self.results["comparison"]["verdict"]

    @property
    def report(self) -> Path:
        """The page about this run."""
        return self.folder / "report.html"

    @property
    def seeds(self) -> list[int]:
        return list(self.settings["arguments"]["seeds"])

    def corpus(self) -> Corpus:
        """The corpus it was run on; FileNotFoundError when it moved, ValueError when the folder holds other rows by now."""
        place = self.settings["arguments"]["corpus"]
        try:
            corpus = Corpus(place)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{place}, the corpus of {self.folder}, is not there (any more); say where it lies now: --corpus FOLDER, or in "
                "Python load(RUN, corpus=FOLDER)"
            ) from None
        if corpus.fingerprint != self.settings["corpus_fingerprint"]:
            raise ValueError(f"{corpus.folder} holds other rows than the ones {self.folder} was run on")
        said = self.settings["arguments"]
        return corpus.asked(judged(corpus.task, **{name: said[name] for name in JUDGED if name in said}))

    def split(self) -> Split:
        """The rows it was trained, chosen and tested on: whoever uses them asks here. ValueError where they are others by now."""
        corpus, name = self.corpus(), self.settings["arguments"]["split"]
        split = corpus.split(name)
        if split.hash != self.settings["split_hash"]:
            raise ValueError(
                f"split {name!r} of {corpus.folder} holds other rows than the ones {self.folder} was run on: "
                "put that split back, or run anew on this one"
            )
        return with_validation(corpus, split, float(self.settings["arguments"].get("valid", 0)))

    def unseen(self, split: Split | str) -> Split:
        """A split of its corpus to test on, its own when ""; ValueError where the run used some of those rows."""
        own = self.split()
        other = opened_split(self.corpus(), split)[1] if split else own
        used = np.intersect1d(other.test, np.concatenate([own.train, own.valid]))
        if len(used):
            raise ValueError(
                f"{len(used)} test rows of split {other.name!r} were train or validation rows of {self.folder}; "
                "choose another split"
            )
        return other

    def model(self, system: str = "distilled", *, seed: int | None = None) -> Model:
        """A trained model, in evaluation mode, where training runs; by default the distilled student of the seed that ships."""
        seed = self.ships if seed is None else seed
        path = self.folder / system / f"seed-{seed}" / WEIGHTS
        if not path.is_file():
            raise FileNotFoundError(f"{self.folder} holds no trained {system!r} of seed {seed}; its seeds are {self.seeds}")
        model = Blueprint.load(self.folder, player_of(system)).build(seed, weights=False)
        load_weights(model, path)
        return model.to(hardware.device()).eval()

    def export(
        self,
        out: Path | str,
        *,
        seed: int | None = None,
        system: Shipped = "distilled",
        weights: Weights = "float",
        loss: float = 0.01,
    ) -> Path:
        """Ship a model (of `ships`, or of `seed`) as the artifact folder `out`; weights, loss: as in `understudy.export`.

        system: "auto" takes what the verdict says, the plain student where distilling gained nothing; ValueError where there is
        no verdict.
        """
        from understudy.artifact.export import export

        chosen = self.to_ship if system == "auto" else system
        player = "teacher" if chosen == "teacher" else "student"
        name = "-".join(self.settings["arguments"][player]) + f"-{player}"
        about = {"name": name, "system": chosen, "results": self.results, "run": self.settings}
        seed = self.ships if seed is None else seed
        corpus, split, model = self.corpus(), self.split(), self.model(chosen, seed=seed)
        kept = self.recorded(chosen, seed, model.task)
        return export(model, out, corpus=corpus, split=split, about=about, recorded=kept, weights=weights, loss=loss)

    def artifact(self, system: Shipped = "distilled", *, seed: int | None = None) -> "Artifact":
        """A shipped model of this run, ready to predict; exported once, into RUN/shipped."""
        from understudy.artifact.predict import Artifact

        chosen = self.to_ship if system == "auto" else system
        seed = self.ships if seed is None else seed
        folder = self.folder / "shipped" / chosen / f"seed-{seed}"
        return Artifact(folder if folder.is_dir() else self.export(folder, seed=seed, system=chosen))

    def predict(self, data: Data, *, system: Shipped = "distilled", seed: int | None = None) -> Any:
        """What a model of this run, by default the student that ships, says of data, in the kind that was given.

        It is asked as an artifact is (`Artifact.predict`), so that what is seen here is what will be seen in use.
        """
        return self.artifact(system, seed=seed).predict(data)

    @property
    def to_ship(self) -> Literal["distilled", "plain"]:
        """The student that the verdict recommends; ValueError where there is no verdict."""
        found = recommended(self.results)
        if found is None:
            raise ValueError(
                f"{self.folder} has no verdict ({self.verdict}), so it does not say what to ship; {todo(self.results)}, "
                "or name the system"
            )
        return found.system

    def recorded(self, system: str, seed: int, task: Task) -> Predictions:
        """What the run kept of these test answers; ValueError where results.json has another score of it."""
        results, at = self.results, sorted(self.seeds).index(seed)
        found = self.predictions(system)[at]
        kept = found.take(found.seen & found.has_target)
        if len(kept) != results.get("rows"):
            # Other systems see fewer of them: then the scores are of other rows.
            return found
        said = {name: each["seeds"][at] for name, each in results["systems"][system]["metrics"].items()}
        for name, score in task.metrics(kept.values, kept.target).items():
            then = said.get(name)
            if then is not None and not np.isclose(score, then, rtol=1e-6, atol=1e-9):
                raise ValueError(
                    f"{self.folder / system / f'seed-{seed}'} is not what {self.folder} recorded: "
                    f"its {name} on the test rows is {score:.4f}, results.json says {then:.4f}"
                )
        return found

    @property
    def ships(self) -> int:
        """The seed that is exported: the distilled student best on validation, or the first seed when nothing was validated."""
        chosen = self.folder / "ships.json"
        return read_json(chosen, {"seed": int})["seed"] if chosen.is_file() else self.seeds[0]

    def predictions(self, system: str) -> list[Predictions]:
        """Test predictions of `teacher`, `plain`, `distilled`, `joint_teacher` or `auxiliary`, one a seed."""
        return predictions_of(self.folder, system)


def spread(system: Mapping[str, Any], metric: str) -> str:
    """A system's interval over seeds; "" of one seed."""
    found = system["metrics"][metric]
    return "" if found["low"] is None else f"[{found['low']:.4f}, {found['high']:.4f}]"


def load(
    folder: os.PathLike[str] | str, *, corpus: Given = "", target: str = "", encoders: Mapping[str, Any] | None = None
) -> Run:
    """The run in `folder`; FileNotFoundError when it holds none, ValueError when its run.json is damaged.

    corpus: where its corpus lies now, or the corpus itself, or with `target` the data it was made of; where it lay when "".
    encoders: the torch modules that it was made with, where another process made it.
    """
    labelled(encoders or {})
    path = Path(folder) / "run.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no run (no run.json); `understudy distill ... --out FOLDER` makes one")
    settings = read_json(path, DOCUMENT)
    if not isinstance(corpus, str) or corpus:
        settings["arguments"] |= {"corpus": opened(corpus, target=target).place}
    return Run(Path(folder), settings)


def take(source: Path, folder: Path) -> None:
    """What another run trained: the same files, linked where the disk allows it, since none is ever changed in place."""
    if not (source / WEIGHTS).is_file():
        raise FileNotFoundError(f"{source} holds no trained model; finish that run first")
    with whole_folder(folder) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True, copy_function=link)


def link(source: str, target: str) -> None:
    """A second name for a file, or a copy of it on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
