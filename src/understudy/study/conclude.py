"""Conclude: from trained models to results.json, the seed that ships, and the page. Nothing is trained here."""

from collections.abc import Mapping, Sequence
from typing import Any

from understudy.evaluate import compare, cost, score, subsets
from understudy.evaluate.baselines import baselines_of
from understudy.evaluate.results import LABELS
from understudy.evaluate.stopped import with_stops
from understudy.models.model import Model
from understudy.process.whole import write_json
from understudy.report import write_report
from understudy.study.answers import Told, heard
from understudy.study.checks import untested
from understudy.study.stage import Stages
from understudy.study.tuning import found_by_search
from understudy.tasks import Retrieval
from understudy.teachers.store import Store
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Ensemble, Frozen

Systems = Mapping[str, Mapping[int, Model]]
"""Trained models by system and seed."""


def conclude(stages: Stages, systems: Systems, told: Told, *, report: bool) -> None:
    """The seed that ships, and results.json; with baselines where there is to be a report, which is then written, too."""
    run, split, student = stages.run, stages.split, stages.settings.student.modalities
    compared = {name: system(stages, name, models) for name, models in systems.items()}
    if "teacher" not in systems and (said := run.predictions("teacher")):
        compared = {"teacher": compare.System(stages.settings.teacher.modalities, 0, said)} | compared
    if told.ensemble:
        compared["ensemble"] = ensemble(stages, [*systems["teacher"].values()])
    sizes = {part: len(getattr(split, part)) for part in ("train", "labelled", "valid", "test")}
    selection = f"best epoch on {sizes['valid']} validation rows" if sizes["valid"] else "none: the plan was fixed in advance"
    lacking = untested(stages.corpus, split, stages.settings.reads)
    absent = {"untested": lacking} if lacking else {}
    write_json(run.folder / "ships.json", {"seed": best(stages, systems["distilled"])})
    task = next(iter(systems["plain"].values())).task
    beside = baselines_of(stages.corpus, split, student) if report else {}
    about = {"name": split.name} | sizes | absent
    found = compare.compare(task, compared, split=about, selection=selection, baselines=beside)
    waited = {name: stages.plan(name).schedule == "plateau" and len(split.valid) > 0 for name in systems}
    found |= listening(stages, told)
    if stages.settings.search:
        found |= found_by_search(stages)
    compare.write_results(run.folder, with_stops(found, run.folder, waited=waited))
    if report:
        write_all(stages, systems)


def listening(stages: Stages, told: Told) -> dict[str, Any]:
    """Whose answers the first seed's student learnt from, and how good and how sure they are; of answers alone."""
    if told.source == LABELS:
        return {"listening": {"source": LABELS}}
    if not told.stores or isinstance(stages.corpus.task, Retrieval):
        return {}
    teacher = Stored(Store(stages.run.folder / told.stores[stages.settings.seeds[0]]))
    tested = stages.run.predictions("teacher")
    said = heard(teacher, stages.corpus, stages.split.labelled, tested[0] if tested else None)
    return {"listening": {"source": told.source} | said}


def write_all(stages: Stages, systems: Systems) -> None:
    """subsets.json, cost.json and report.html."""
    subsets.write_subsets(stages.run.folder, by_subset(stages, systems))
    cost.write_cost(stages.run.folder, {name: costs(stages, next(iter(each.values()))) for name, each in systems.items()})
    write_report(stages.run.folder)


def system(stages: Stages, name: str, models: Mapping[int, Model]) -> compare.System:
    """A system as the comparison wants it."""
    model = next(iter(models.values()))
    return compare.System(model.modalities, cost.parameters_of(model)["total"], stages.run.predictions(name))


def ensemble(stages: Stages, models: Sequence[Model]) -> compare.System:
    """All teachers together, on the test rows."""
    teacher = Ensemble([Frozen(model) for model in models])
    found = score.collect(teacher, models[0].task, stages.evaluation(models[0], stages.split.test))
    parameters = sum(cost.parameters_of(model)["total"] for model in models)
    return compare.System(teacher.modalities, parameters, [stages.grouped(found)])


def best(stages: Stages, models: Mapping[int, Model]) -> int:
    """The seed whose student is best on validation; the first one when there is none."""
    if not len(stages.split.valid):
        return next(iter(models))
    found = {seed: stages.validator(model)() for seed, model in models.items()}
    return max(found, key=lambda seed: found[seed].primary * stages.corpus.task.sign)


def costs(stages: Stages, model: Model) -> dict[str, Any]:
    """Parameters and latencies, measured on the first test rows."""
    rows = stages.split.test[:16]
    return cost.measure(model, {m: stages.corpus.cells(m, rows) for m in model.modalities})


def by_subset(stages: Stages, systems: Systems) -> dict[str, Any]:
    """Every non-empty subset of each system's modalities on the test rows."""
    found: dict[str, list[Any]] = {name: [] for name in systems}
    for name, model in ((name, model) for name, models in systems.items() for model in models.values()):
        predicted = subsets.predict_subsets(model, stages.evaluation(model, stages.split.test))
        found[name].append(subsets.score_subsets(model.task, predicted))
    return subsets.subsets_document(found)
