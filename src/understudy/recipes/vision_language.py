"""vision_language: the protocol of VCR, SNLI-VE and VQA: few labels and all of them, on rows alike and where habits mislead.

One call trains plain students, naive distillation, `mad`, its ablations and two controls on the same nested subsets with the same
steps, scores all of them on the split's test rows and on those of other splits, and says of every system whether it differs from
plain training and from naive distillation. Sizes, draws and seeds, ablations and controls are proposals of ours, after the
protocols named in `docs/guide/picture_world.md`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from understudy.corpus import Corpus, Given, Split, opened
from understudy.corpus.draw import hold_out
from understudy.corpus.low_shot import Size, low_shot, size_name
from understudy.process.whole import read_json, write_json
from understudy.recipes.protocol_table import table_rows
from understudy.recipes.vision_systems import SYSTEMS, Way, check_systems, check_teachers
from understudy.study.distill import distill
from understudy.study.run import Run, load
from understudy.study.settings import seed_list
from understudy.study.transfer import transfer
from understudy.training.plan import Plan

WEIGHTS = (0.3, 1.0, 3.0)
"""Of the distillation, from which each tuned system takes one."""
TUNING_DRAWS = 2
HELD = 0.25
"""Of a subset, by groups: what a weight is chosen on."""


@dataclass(frozen=True)
class Protocol:
    """What every run of one table shares.

    split: its train and test rows. tests: name -> split whose test rows mislead. student: modality -> encoder; teacher: the same
    of the unimodal teachers. systems: the first one, whose teachers and plain students serve the others, takes all defaults of a
    teacher. weights: each tuned system takes one of them. plan: of all students, its epochs such that there are `steps` steps on
    every size; teacher_plan: the same of the teachers' heads. options: of `mad`, in every system. model: sizes of all
    models, as of `distill`.
    """

    corpus: Corpus
    split: str
    tests: Mapping[str, str]
    student: Mapping[str, str]
    teacher: Mapping[str, str]
    systems: Mapping[str, Way]
    weights: Sequence[float]
    draws: int
    seeds: Sequence[int]
    plan: Plan
    steps: int
    teacher_plan: Plan
    teacher_steps: int
    options: Mapping[str, Any]
    model: Mapping[str, Any]
    fusion: str
    out: Path

    def draws_of(self, size: Size) -> range:
        """There is only one draw of all rows."""
        return range(1 if size_name(size) == "full" else self.draws)

    def subset(self, size: Size, draw: int) -> Split:
        """The train rows of a size and draw, saved with the corpus."""
        whole = self.corpus.split(self.split)
        if size_name(size) == "full":
            return whole
        return self.corpus.save_split(low_shot(self.corpus, whole, sizes=[size], draw=draw)[0])

    def home(self, size: Size, draw: int) -> Path:
        """The runs of a subset."""
        return self.out / size_name(size) / f"draw-{draw}"

    def play(self, size: Size) -> None:
        """Every system on every draw of a size, scored on all tests; what is on disk is not done again."""
        chosen = self.weights_of(size)
        for draw in self.draws_of(size):
            for label in self.systems:
                run = self.train(self.subset(size, draw), self.home(size, draw), label, chosen[label], self.seeds)
                for split in self.tests.values():
                    if not (run.folder / "transfer" / f"{split}.json").is_file():
                        transfer(run, split)

    def weights_of(self, size: Size) -> dict[str, float]:
        """The weight of every system."""
        chosen = self.chosen_weights(size)
        return {label: chosen[system.weight_of or label] for label, system in self.systems.items()}

    def chosen_weights(self, size: Size) -> dict[str, float]:
        """The weight of each tuned system: the best of `weights` on a quarter of the subset's own rows, held out by groups.

        Each is tried with one seed on the first TUNING_DRAWS draws; the first of equally good ones is taken. No test row, shifted
        or not, is read. A single weight is tried nowhere.
        """
        tuned = [label for label, system in self.systems.items() if not system.weight_of]
        if len(self.weights) == 1:
            return dict.fromkeys(tuned, self.weights[0])
        path = self.out / size_name(size) / "weights.json"
        merits: dict[str, dict[str, float]] = read_json(path) if path.is_file() else {}
        chosen = {}
        for label in tuned:
            known = merits.setdefault(label, {})
            for weight in (weight for weight in self.weights if f"{weight:g}" not in known):
                known[f"{weight:g}"] = self.merit(size, label, weight)
                write_json(path, merits)
            chosen[label] = max(self.weights, key=lambda weight, known=known: known[f"{weight:g}"])
        return chosen

    def merit(self, size: Size, label: str, weight: float) -> float:
        """Mean held-out score of a system with a weight, larger is better."""
        scores = []
        for draw in self.draws_of(size)[:TUNING_DRAWS]:
            folder = self.out / size_name(size) / f"held-{draw}" / f"{weight:g}"
            run = self.train(self.held(size, draw), folder, label, weight, self.seeds[:1])
            scores.append(run.results["systems"]["distilled"]["metrics"][self.corpus.task.primary]["mean"])
        return float(np.mean(scores)) * self.corpus.task.sign

    def table(self, sizes: Sequence[Size]) -> dict[str, Any]:
        """The document, written to table.json too; empty, and no such file, while a run or a seed of one is missing."""
        found: dict[Size, dict[str, list[Run]]] = {}
        for size in sizes:
            folders = {label: [self.home(size, draw) / label for draw in self.draws_of(size)] for label in self.systems}
            if not all(self.finished(folder) for each in folders.values() for folder in each):
                (self.out / "table.json").unlink(missing_ok=True)
                return {}
            found[size] = {label: [load(folder) for folder in each] for label, each in folders.items()}
        weights = {size: self.weights_of(size) for size in sizes}
        rows = table_rows(self.corpus.task, found, {self.split: ""} | dict(self.tests), weights)
        document = {"split": self.split, "tests": dict(self.tests), "rows": rows}
        write_json(self.out / "table.json", document)
        return document

    def finished(self, folder: Path) -> bool:
        """Whether the run in `folder` has its results, of just these seeds."""
        return (folder / "results.json").is_file() and load(folder).seeds == list(self.seeds)

    def held(self, size: Size, draw: int) -> Split:
        """A subset whose own rows, a quarter of them, are what is scored."""
        subset = self.subset(size, draw)
        parted = hold_out(self.corpus, replace(subset, valid=subset.valid[:0]), HELD, seed=draw)
        held = replace(parted, name=f"{subset.name}-held", test=parted.valid, valid=parted.valid[:0], hash="")
        return self.corpus.save_split(held)

    def train(self, split: Split, folder: Path, label: str, weight: float, seeds: Sequence[int]) -> Run:
        """One system on one subset."""
        system, first = self.systems[label], next(iter(self.systems))
        reads = tuple(system.teacher) or tuple(self.teacher)
        taken: dict[str, Any] = {} if label == first else {"plain_of": folder / first}
        if taken and not system.own_teacher:
            taken["teachers_of"] = folder / first
        return distill(
            self.corpus,
            student=list(self.student),
            teacher=list(reads),
            split=split.name,
            method="mad",
            options={**self.options, **system.options, "weight": weight},
            encoders=dict(self.student),
            teacher_encoders={m: system.encoders.get(m, self.teacher[m]) for m in reads},
            teacher_fusion="experts",
            plan=for_steps(self.plan, self.steps, len(split.train)),
            teacher_plan=for_steps(self.teacher_plan, self.teacher_steps, len(split.train)),
            seeds=list(seeds),
            out=folder / label,
            report=False,
            sizes=self.model,
            fusion=self.fusion,
            **taken,
        )


def for_steps(plan: Plan, steps: int, rows: int) -> Plan:
    """The plan with as many epochs as make at least so many steps; never fewer rows in a batch than there are or it asks for."""
    batch = min(plan.batch_size, rows)
    return replace(plan, batch_size=batch, epochs=math.ceil(steps / math.ceil(rows / batch)))


def vision_language(
    corpus: Given,
    *,
    student: Mapping[str, str],
    teacher: Mapping[str, str],
    split: str,
    tests: Mapping[str, str] | None = None,
    sizes: Sequence[Size] = (0.01, 0.1, 1.0),
    draws: int = 3,
    seeds: int | Sequence[int] = 3,
    systems: Mapping[str, Way] | None = None,
    weights: Sequence[float] = WEIGHTS,
    options: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    steps: int = 300,
    teacher_plan: Plan | None = None,
    teacher_steps: int = 300,
    only: Sequence[Size] | None = None,
    model: Mapping[str, Any] | None = None,
    fusion: str = "single_stream",
    out: Path | str = "runs/vision-language",
) -> dict[str, Any]:
    """Play the protocol and write OUT/table.json; the same call goes on where it stopped, and returns the document.

    student, teacher: modality -> encoder, ours or a transformers folder or hub id. split: train and test rows; its validation
    rows, if any, choose the epoch, and no other row chooses anything but held-out train rows. tests: name -> another split whose
    test rows are scored, too, never chosen on. sizes: of the subsets, rows or shares. only: of the sizes, those that are played
    now; the table is written when all are. plan, steps: of every student, on every size; the epochs follow from the steps.
    options: of `mad`, in every system. model: sizes of all models. ValueError and KeyError say what cannot be done.
    """
    corpus = opened(corpus)
    systems = SYSTEMS if systems is None else systems
    check_systems(systems, weights)
    check_teachers(systems, teacher)
    if split in (tests or {}):
        raise ValueError(f"a test is called {split!r}, as the split is; give it another name")
    protocol = Protocol(
        corpus=corpus,
        split=split,
        tests=dict(tests or {}),
        student=dict(student),
        teacher=dict(teacher),
        systems=systems,
        weights=list(weights),
        draws=draws,
        seeds=seed_list(seeds),
        plan=plan or Plan(epochs=1, batch_size=64, rate=2e-3, weight_decay=0.05),
        steps=steps,
        options=dict(options or {}),
        teacher_plan=teacher_plan or Plan(epochs=1, batch_size=64, rate=5e-3, weight_decay=0.01),
        teacher_steps=teacher_steps,
        model=dict(model or {}),
        fusion=fusion,
        out=Path(out),
    )
    for size in sizes if only is None else only:
        protocol.play(size)
    return protocol.table(sizes)
