"""The model card of an artifact: what it predicts and reads, what was measured, and how to use it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from understudy.artifact.contract import Contract
from understudy.prepare.cells import Modality
from understudy.tasks.shares import bounded


def write_card(
    contract: Contract,
    parity: Mapping[str, Any],
    *,
    corpus: Mapping[str, str],
    about: Mapping[str, Any],
    confidence: Mapping[str, Any],
    missing: Mapping[str, Any],
) -> str:
    """Markdown. corpus: the schema's `about` (licence, citation). about: as in `export`. confidence: as `calibrate` found it.

    missing: as `artifact.missing` did.
    """
    parts = [
        f"# {contract.name}",
        predicts(contract),
        "## Reads\n\n" + "\n".join(reads(name, modality) for name, modality in contract.modalities.items()),
        "Any non-empty subset of these is enough; a row with none of them gets no answer."
        if len(contract.modalities) > 1
        else "A row without it gets no prediction.",
        trained(about.get("run")),
        results(about.get("results"), str(about.get("system", "distilled"))),
        without(missing),
        checked(parity),
        smaller(contract, parity),
        sure(confidence),
        data(corpus),
        limits(),
        use(contract),
        "## Made with\n\n" + "\n".join(f"- {name} {version}" for name, version in contract.versions.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def predicts(contract: Contract) -> str:
    """One sentence on the output."""
    if contract.branches:
        return (
            f"Embeds {' and '.join(contract.branches)}, each by itself (one graph each), into one space "
            f"({contract.task['space']} of {len(contract.classes)} classes): the larger the cosine of two embeddings, the "
            "likelier they are of one class."
        )
    if contract.choices:
        return f"Predicts which of {contract.choices} texts is the right one, by its place from 0, with a probability for each."
    if contract.apart:
        return (
            f"Predicts an answer, the likeliest of {len(contract.classes)} that each have a probability of their own, with that "
            "probability; contract.json names them all."
        )
    if contract.classes:
        return f"Predicts one of {len(contract.classes)} classes, with a probability for each: {', '.join(contract.classes)}."
    task = contract.task
    where = f" in {task['unit']}" if task.get("unit") else ""
    range_ = "".join(f", {word} {task[end]:g}" for end, word in (("low", "at least"), ("high", "at most")) if end in task)
    return f"Predicts a number{where}{range_} (train targets: mean {task['mean']:.4g}, deviation {task['scale']:.4g})."


def reads(name: str, modality: Modality) -> str:
    """One list item a modality."""
    columns = list(modality.source)
    shown = f"{', '.join(columns[:8])}{f' ... ({len(columns)} columns)' if len(columns) > 8 else ''}" if columns else name
    counted = {"sequence": "numbers a step", "regions": "numbers a box", "choices": "texts"}.get(modality.kind, "numbers")
    size = f", {modality.width} {counted}" if modality.width else ""
    return f"- **{name}**: {modality.kind}{size}{f', {modality.rate} Hz' if modality.rate else ''}; from: {shown}"


def trained(settings: Mapping[str, Any] | None) -> str:
    """How the run trained it. Folders of that machine are left out."""
    if not settings:
        return ""
    known = settings["arguments"]
    options, sizes, plan = (
        ", ".join(f"{name} {value}" for name, value in known[of].items()) for of in ("options", "sizes", "plan")
    )
    lines = [
        f"recipe: {settings['recipe']}; method: {known['method']}{f' ({options})' if options else ''}",
        f"teacher reads: {read_by(known['teacher'], known['teacher_encoders'])}",
        f"student reads: {read_by(known['student'], known['encoders'])}",
        *([f"sizes: {sizes}"] if sizes else []),
        f"plan: {plan}",
        f"seeds: {', '.join(map(str, known['seeds']))}",
        f"corpus fingerprint: {settings['corpus_fingerprint']}",
    ]
    return "## Trained with\n\n" + "\n".join(f"- {line}" for line in lines)


def read_by(modalities: Sequence[str], encoders: Mapping[str, str]) -> str:
    """Modalities, with what reads them where that is known: text (small)."""
    shown = {m: Path(name).name if Path(name).is_absolute() else name for m, name in encoders.items()}
    return ", ".join(f"{m} ({shown[m]})" if m in shown else m for m in modalities)


def results(document: Mapping[str, Any] | None, shipped: str) -> str:
    """The table of systems and the verdict, as the run found them on the test split; `shipped` is the one of this artifact."""
    if not document:
        return "## Results\n\nExported without the results of a run: nothing is claimed about its quality beyond parity."
    metric = document["metric"]["name"]
    better = "higher" if document["metric"]["higher_is_better"] else "lower"
    title = document["interval"]
    rows = [f"| system | reads | parameters | {metric} ({better} is better) | {title} |", "|---|---|---|---|---|"]
    rows += [system_row(name, system, metric) for name, system in document["systems"].items()]
    rows += [baseline_row(document, name) for name in document.get("baselines", {})]
    return "## Results\n\n" + "\n".join(rows) + "\n\n" + verdict(document, shipped)


def system_row(name: str, system: Mapping[str, Any], metric: str) -> str:
    """One line of the table; one seed has no interval."""
    value = system["metrics"][metric]
    spread = "one seed" if value["low"] is None else "{:.4g} to {:.4g}".format(*bounded(metric, value["low"], value["high"]))
    return f"| {name} | {', '.join(system['modalities'])} | {system['parameters']:,} | {value['mean']:.4g} | {spread} |"


def baseline_row(document: Mapping[str, Any], name: str) -> str:
    """One line of the table: what the student has to beat besides the plain control, and whether it does."""
    found, reads = document["baselines"][name], document["systems"]["distilled"]["modalities"]
    title = "constant guess" if name == "constant" else f"best simple model ({found['model']})"
    return f"| {title} | {', '.join(reads)} | | {found['metric']:.4g} | distilled is {found['verdict']} |"


def verdict(document: Mapping[str, Any], shipped: str) -> str:
    """Distilled against the plain control, what that recovered, and how much of the test split it rests on."""
    found, split = document["comparison"], document["split"]
    absent = [
        f" No test row has {', '.join(lacking)}, which the {player} reads: it is scored without it."
        for player, lacking in split.get("untested", {}).items()
    ]
    return (
        f"This artifact is the system {shipped}. Against the plain control (the same student, trained without a teacher) the "
        f"distilled one is **{found['verdict']}**: difference "
        f"{found['difference']:.4g} (positive is better), {interval(found)}, p = {found['p']:.3g} ({found['test']}). "
        f"{recovered(document['recovered_share'])}\n\nThese figures are of all seeds together; the model here is one of them. "
        f"Split {split['name']!r}: {split['labelled']} labelled of {split['train']} train rows, {split['valid']} for validation, "
        f"{split['test']} test rows, of which every system sees {document['coverage']:.1%}.{''.join(absent)} "
        f"Selection: {document['selection']}."
    )


def recovered(share: Mapping[str, float] | None) -> str:
    """Null where there was no clear advantage to recover, or one training run."""
    if not share:
        return "The share of the teacher's advantage that was recovered is not defined: the teacher is not shown to be better."
    return f"Share of the teacher's advantage recovered: {share['value']:.3g}, {interval(share)}."


def interval(found: Mapping[str, Any]) -> str:
    """In words."""
    return f"interval {found['low']:.3g} to {found['high']:.3g}"


def without(found: Mapping[str, Any]) -> str:
    """What absent modalities cost."""
    if not found:
        return ""
    better = "higher" if found["higher_is_better"] else "lower"
    rows = [f"| {subset.replace('+', ', ')} | {score:.4g} |" for subset, score in found["scores"].items()]
    table = "\n".join([f"| present | {found['metric']} ({better} is better) |", "|---|---|", *rows])
    return f"## What is missing, and what that costs\n\nOn {found['rows']} test rows that have everything.\n\n{table}"


def checked(parity: Mapping[str, Any]) -> str:
    """What the parity gate found."""
    metric = parity["metric"]
    both = ""
    if metric["model"] is not None:
        both = f" {metric['name']}: {metric['model']:.6g} by the model, {metric['artifact']:.6g} by this artifact."
    return (
        f"## Parity\n\nThe exported graph re-scored {parity['rows']} test rows ({parity['answered']} answered) of split "
        f"{parity['split']!r}; its largest difference from the trained model is {parity['max_difference']:.2g} in units of "
        f"{parity['scale']:.4g} ({parity['tolerance']:g} is allowed).{both}"
    )


def smaller(contract: Contract, parity: Mapping[str, Any]) -> str:
    """What smaller weights cost, and what follows from them."""
    found = parity.get(contract.weights)
    if not found:
        return ""
    static = "8-bit integers, whose scales are those of validation rows"
    what = {"int8": "8-bit integers", "int8-static": static, "fp16": "half floats at rest"}[contract.weights]
    alone = " Each row runs by itself: integers take one scale of what runs together, so that neighbours would change an answer."
    return (
        f"## Weights\n\nShipped as {what}, after parity was shown. On the test rows {found['metric']} was {found['before']:.6g} "
        f"and is {found['after']:.6g}; {found['allowed']:.1%} less was allowed.{alone if contract.alone else ''}"
    )


def sure(found: Mapping[str, Any]) -> str:
    """How far confidence can be trusted, as the test rows say."""
    if not found:
        return (
            "## Confidence\n\nNothing is said of it: there were fewer than 20 validation rows, or the task is neither a number "
            "nor one of several. Probabilities are the model's own."
        )
    lines = [f"Fitted on {found['validation_rows']} validation rows, held against {found['test_rows']} test rows."]
    if "temperature" in found:
        before, after = found["ece_before"], found["ece_after"]
        lines.append(
            f"Temperature {found['temperature']:.3g}: expected calibration error {before:.3g} before, {after:.3g} after."
        )
    what = "classes in a set" if "temperature" in found else "width of an interval"
    rows = [f"| {asked} | {each['found']:.3g} | {each['size']:.3g} |" for asked, each in found["coverage"].items()]
    table = "\n".join([f"| coverage asked | found | mean {what} |", "|---|---|---|", *rows]) if rows else ""
    rest = "It holds for rows like those, over all rows together and not for each kind of row."
    return "## Confidence\n\n" + "\n\n".join(part for part in (" ".join(lines), table, rest) if part)


def data(about: Mapping[str, str]) -> str:
    """Licence, citation and whatever else the corpus says of itself."""
    if not about:
        return "## Data\n\nThe corpus states no licence and no citation."
    return "## Data\n\n" + "\n".join(f"- {name}: {value}" for name, value in about.items())


def limits() -> str:
    """What a user must not assume."""
    return (
        "## Limits\n\n"
        "- Measured on the test split above and nowhere else; data of another origin can be answered worse, without a warning.\n"
        "- Licence and intended use of the data bind this artifact as well."
    )


def use(contract: Contract) -> str:
    """Three lines from a table to predictions."""
    return (
        "## Use\n\n```bash\npip install 'understudy[predict]'\n"
        "understudy predict . your-table.csv --out predictions.csv\n```\n\n"
        "```python\nfrom understudy.artifact import Artifact, read_table\n\n"
        'print(Artifact(".").predict(read_table("your-table.csv")))\n```'
    )
