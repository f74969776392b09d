"""Check: what a person should know of a corpus before training on it."""

from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.content import fingerprint
from understudy.corpus.corpus import Corpus
from understudy.corpus.giveaway import giveaways
from understudy.corpus.numbered import Members, Numbers, numbered
from understudy.corpus.opened import Given, opened
from understudy.corpus.regrets import COLUMNED, MOSTLY, columns_told, twins
from understudy.corpus.saved import SAVED, path_of, saved_hashes
from understudy.corpus.split import APART, Split
from understudy.process.markup import shown
from understudy.process.whole import sha256
from understudy.tasks import Choice, MultiLabel

UNBALANCED = 0.9
"""A class with a larger share of the labels is worth a warning."""
RARE = 5
"""So is a class with fewer rows."""
SHOWN, SHORT = 12, 12
"""Classes that are counted in words, and digits of the fingerprint there; the JSON has all."""


@dataclass(frozen=True, repr=False)
class Findings:
    """errors: the corpus or a split must not be used so. warnings: look at it. facts: numbers, ready for JSON."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __repr__(self) -> str:
        return f"Findings({len(self.errors)} errors, {len(self.warnings)} warnings, {self.facts.get('rows', 0)} rows)"

    def _repr_html_(self) -> str:
        """For a notebook: what is wrong, what to look at, and what was counted."""
        said = [*(f"error: {each}" for each in self.errors), *(f"warning: {each}" for each in self.warnings)]
        told = self.facts.get("modalities", {}).items()
        rows = [(name, each["kind"], f"{each['missing']:.1%}") for name, each in told]
        return shown(str(self).partition("\n")[0], ("modality", "kind", "rows that lack it"), rows, below=said)

    def __str__(self) -> str:
        counted = ((len(self.errors), "error"), (len(self.warnings), "warning"))
        verdict = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counted if count)
        lines = [verdict or "no errors, no warnings", *(f"error: {each}" for each in self.errors)]
        lines += [f"warning: {each}" for each in self.warnings]
        lines.append(f"{self.facts['rows']} rows, fingerprint {self.facts['fingerprint'][:SHORT]}")
        return "\n".join(lines + (_told(self.facts) if "target" in self.facts else []))


def _told(facts: dict[str, Any]) -> list[str]:
    """What was counted, a line each."""
    target, numbers = facts["target"], [f"{facts['duplicate_rows']} rows equal another"]
    numbers += [f"{facts['groups']} groups"] if "groups" in facts else []
    lines = ["; ".join(numbers), f"target: {target['labelled']} rows have one{_balance(target)}", "modalities:"]
    lines += [f"  {name} ({each['kind']}): {_absent(each)}" for name, each in facts["modalities"].items()]
    lines += ["splits:" if facts["splits"] else "splits: none"]
    for name, each in facts["splits"].items():
        kept = "groups kept together" if each["group"] else "groups not kept together" if "groups" in facts else ""
        sizes = f"{each['train']} train ({each['labelled']} labelled), {each['valid']} valid, {each['test']} test"
        lines.append(f"  {name}: {sizes}{'; ' + kept if kept else ''}")
    return lines


def _absent(modality: dict[str, Any]) -> str:
    """Of a modality's rows and, where some are, of the cells in the others."""
    cells = f"; in the others {modality['absent_cells']:.1%} of the cells are absent" if modality.get("absent_cells") else ""
    return f"{modality['missing']:.1%} of the rows lack it{cells}"


def _balance(target: dict[str, Any]) -> str:
    """Rows of each class, or where the numbers lie."""
    if "low" in target:
        return f", {target['low']:g} to {target['high']:g}, mean {target['mean']:.4g}, deviation {target['std']:.4g}"
    classes = target.get("classes", {})
    if isinstance(classes, int):
        return f", of {classes} classes; {target['ceiling']:.1%} is the best accuracy that these allow"
    shown = [f"{name} ({count})" for name, count in list(classes.items())[:SHOWN]]
    rest = [f"and {len(classes) - SHOWN} classes more"] if len(classes) > SHOWN else []
    return f": {', '.join(shown + rest)}" if shown else ""


def check(corpus: Given, *, target: str = "") -> Findings:
    """Hash the shards and the whole, then look at modalities, targets, duplicates and every split.

    corpus, target: as `us.advise` takes them.

    >>> import understudy as us
    >>> rows = [{"note": f"{'warm' if i % 2 else 'cold'} day {i} of it", "x": i % 2 + i % 7 / 9, "y": i % 2} for i in range(80)]
    >>> found = us.check(rows, target="y")
    >>> found.errors, found.facts["rows"]
    ([], 80)
    """
    corpus = opened(corpus, target=target)
    found = Findings(facts={"rows": len(corpus), "fingerprint": corpus.fingerprint})
    found.errors.extend(changed(corpus))
    if found.errors:
        return found
    found.facts["modalities"] = {name: _modality(corpus, name, found) for name in corpus.modalities}
    found.facts["target"] = _target(corpus, found)
    found.warnings.extend(giveaways(corpus))
    if corpus.groups is not None:
        found.facts["groups"] = len({each for each in corpus.groups if each is not None})
    anything = np.any([corpus.present(modality) for modality in corpus.modalities], axis=0)
    if not anything.all():
        found.warnings.append(f"{int((~anything).sum())} rows have no modality at all, the first {corpus.ids[~anything][0]!r}")
    times = np.bincount(corpus.alike[anything])
    found.facts["duplicate_rows"] = int(times[times > 1].sum())
    found.facts["splits"] = {}
    for name in corpus.splits:
        try:
            split = corpus.split(name)
        except ValueError as error:
            found.errors.append(str(error))
            continue
        found.facts["splits"][name] = _split(corpus, split, anything, found)
    for name, saved in saved_hashes(corpus.folder).items():
        if name not in corpus.splits:
            file = f"splits/{path_of(corpus.folder, name).name}"
            said = f"split {name!r} was saved, but {file} is missing: put it back, or take its line out of {SAVED}"
            found.errors.append(said)
        elif found.facts["splits"].get(name, {}).get("hash", saved) != saved:
            file = f"splits/{path_of(corpus.folder, name).name}"
            found.errors.append(f"split {name!r} has other rows than were saved under this name: {file} was replaced")
    return found


def changed(corpus: Corpus) -> list[str]:
    """What is not as it was written, a sentence each: shards by their SHA-256, all else by the fingerprint."""
    said = [
        f"{shard['file']} was changed after it was written: its SHA-256 does not fit corpus.json"
        for shard in chain(corpus.shards, *corpus.item_shards.values())
        if sha256(corpus.folder / shard["file"]) != shard["sha256"]
    ]
    if said:
        return said
    if fingerprint(corpus.schema, [batch.column for batch in corpus.batches]) == corpus.fingerprint:
        return []
    return ["corpus.json was changed after it was written: its fingerprint does not fit the task, the modalities and the rows"]


def _modality(corpus: Corpus, name: str, found: Findings) -> dict[str, Any]:
    """Kind, share of absent rows and, of what has columns, of absent cells in the others, and columns that never change."""
    absent = float(1 - corpus.present(name).mean())
    if absent > MOSTLY:
        found.warnings.append(f"modality {name!r} is absent in {absent:.0%} of the rows")
    facts: dict[str, Any] = {"kind": corpus.modalities[name].kind, "missing": absent, "constant": []}
    if facts["kind"] in COLUMNED:
        told, warned = columns_told(corpus, name)
        facts |= told
        found.warnings.extend(warned)
    return facts


def _target(corpus: Corpus, found: Findings) -> dict[str, Any]:
    """Label balance, or the range of the numbers."""
    known = corpus.target[corpus.has_target]
    facts: dict[str, Any] = {"labelled": len(known)}
    if not len(known):
        found.errors.append("no row has a target")
        return facts
    if isinstance(corpus.task, MultiLabel):
        return facts | _answers(corpus.task, known, found)
    if corpus.task.discrete:
        choices = [str(place) for place in range(corpus.task.choices)] if isinstance(corpus.task, Choice) else []
        classes = choices or corpus.task.to_json()["classes"]
        counts = np.bincount(known, minlength=len(classes))
        facts["classes"] = dict(zip(classes, counts.tolist(), strict=True))
        found.warnings.extend(f"class {name!r} has no row" for name, count in facts["classes"].items() if not count)
        rare = [f"{name!r} ({count})" for name, count in facts["classes"].items() if 0 < count < RARE]
        if rare:
            shown = ", ".join(rare[:3]) + (" ..." if len(rare) > 3 else "")
            found.warnings.append(f"classes of fewer than {RARE} labelled rows: {shown}")
        found.warnings.extend(f"classes {pair} differ in case alone; are they one?" for pair in twins(classes))
        if counts.max() > UNBALANCED * len(known):
            share = counts.max() / len(known)
            found.warnings.append(f"{share:.0%} of the labels are {classes[int(np.argmax(counts))]!r}: accuracy says little here")
        return facts
    facts |= {"mean": float(known.mean()), "std": float(known.std()), "low": float(known.min()), "high": float(known.max())}
    if facts["low"] == facts["high"]:
        found.warnings.append(f"every target is {facts['low']}")
    return facts


def _answers(task: MultiLabel, known: NDArray[Any], found: Findings) -> dict[str, Any]:
    """How many rows name a class at all, which classes nobody names, and the best accuracy that the classes allow."""
    named = known[..., 0] >= 0
    used = np.bincount(known[..., 0][named].astype(np.intp), minlength=task.outputs)
    if not used.all():
        shown = ", ".join(repr(task.classes[place]) for place in np.flatnonzero(used == 0)[:3])
        found.warnings.append(f"{int((used == 0).sum())} of {task.outputs} classes stand in no row, such as {shown}")
    empty = float((~named.any(axis=1)).mean())
    if empty > MOSTLY:
        found.warnings.append(f"{empty:.0%} of the labelled rows name no class")
    ceiling = float(np.where(named, known[..., 2], 0).max(axis=1).mean())
    return {"classes": task.outputs, "without_a_class": empty, "ceiling": ceiling}


def _split(corpus: Corpus, split: Split, anything: NDArray[np.bool_], found: Findings) -> dict[str, Any]:
    """Sizes, and what crosses from one part into another."""
    said = f"split {split.name!r}"
    part = np.full(len(corpus), -1)
    for number, name in enumerate(APART):
        part[getattr(split, name)] = number
    if corpus.groups is not None:
        rows = crossing(corpus.named.group_numbers, part)
        if len(rows):
            found.warnings.append(f"{said}: {len(rows)} groups stand in more than one part, the first {corpus.groups[rows[0]]!r}")
    equal = crossing(np.where(anything, corpus.alike, -1), part)
    if len(equal):
        row = int(np.argmax(np.isin(corpus.alike, corpus.alike[equal])))
        said_so = f"{len(equal)} exact duplicates stand in more than one part, one is row {corpus.ids[row]!r}"
        found.warnings.append(f"{said}: {said_so}")
    for modality in corpus.modalities:
        for name in APART:
            rows = getattr(split, name)
            if len(rows) and not corpus.present(modality)[rows].any():
                found.warnings.append(f"{said}: no {name} row has modality {modality!r}")
    if corpus.task.discrete:
        missing = set(corpus.target[split.test].tolist()) - set(corpus.target[split.labelled].tolist())
        if missing:
            found.warnings.append(f"{said}: {len(missing)} classes of the test rows have no labelled train row")
    sizes = {name: len(getattr(split, name)) for name in ("train", "labelled", "valid", "test")}
    return sizes | {"group": split.group, "seed": split.seed, "hash": split.hash}


def crossing(numbers: Numbers, part: Numbers) -> Numbers:
    """The first row of each number that stands in more than one part; -1 is no number, and no part."""
    used = np.flatnonzero((numbers >= 0) & (part >= 0))
    members = Members(known := numbered(pa.array(numbers[used])))
    first = part[used][members.first]
    return used[members.first[np.unique(known[part[used] != first[known]])]]
