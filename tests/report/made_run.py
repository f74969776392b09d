"""A made-up run folder: small random predictions and logs, written by the functions that write the real ones."""

import json
from pathlib import Path

import numpy as np

from understudy.evaluate.compare import System, compare, write_results
from understudy.evaluate.cost import write_cost
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.subsets import subsets_document, subsets_of, write_subsets
from understudy.tasks import Classification, Regression, Task

DIGITS = Classification(classes=tuple("0123456789"))
SENTIMENT = Regression(low=-3.0, high=3.0, unit="points", sentiment=True, mean=0.1, scale=1.4)
SPLIT = {"name": "draw-0", "train": 1200, "labelled": 50, "valid": 0, "test": 240}


def made_predictions(task: Task, skill: float, seed: int, rows: int = 240) -> Predictions:
    """Answers as good as `skill` in [0, 1] to questions that do not depend on the seed."""
    fixed, draw = np.random.default_rng(0), np.random.default_rng([seed, int(1000 * skill)])
    ones = np.ones(rows, bool)
    names, groups = np.array([f"r{n}" for n in range(rows)]), np.array([f"g{n // 8}" for n in range(rows)])
    if isinstance(task, Classification):
        target = fixed.integers(0, task.outputs, rows)
        luck, noise = fixed.normal(size=rows), draw.normal(size=rows)
        logits = draw.normal(size=(rows, task.outputs))
        logits[np.arange(rows), target] += 5 * skill + luck + 0.3 * noise
        values = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    else:
        target = np.round(np.clip(fixed.normal(size=rows) * 1.4, -3, 3), 1)
        values = skill * target + (1 - skill) * (draw.normal(size=rows) + fixed.normal(size=rows))
    return Predictions(names, values, target, ones, ones, groups)


def made_run(
    folder: Path,
    task: Task = DIGITS,
    *,
    teacher: float = 0.85,
    plain: float = 0.35,
    distilled: float = 0.6,
    seeds: int = 5,
    validated: bool = False,
    views: tuple[str, ...] = ("fou", "zer", "mor"),
    name: str = "draw-0",
) -> Path:
    """A finished run whose teacher reads `views` and whose students read the first of them."""
    skills = {"teacher": teacher, "plain": plain, "distilled": distilled}
    reads = {"teacher": views, "plain": views[:1], "distilled": views[:1]}
    systems, subsets, cost = {}, {}, {}
    for system, skill in skills.items():
        predictions = [made_predictions(task, skill, seed) for seed in range(seeds)]
        for seed, said in enumerate(predictions):
            said.save(folder / system / f"seed-{seed}" / "predictions.npz")
            write_log(folder / system / f"seed-{seed}" / "log.jsonl", task, skill, seed, validated=validated)
        systems[system] = System(reads[system], 12_345 * len(reads[system]), predictions)
        subsets[system] = [subset_scores(task, reads[system], skill, seed) for seed in range(seeds)]
        cost[system] = made_cost(reads[system])
    write_subsets(folder, subsets_document(subsets))
    write_cost(folder, cost)
    words = "best epoch on validation" if validated else "none: the plan was fixed in advance"
    write_results(folder, compare(task, systems, split=SPLIT | {"name": name}, selection=words, draws=500))
    (folder / "run.json").write_text(json.dumps(made_settings(views, seeds)))
    return folder


def write_log(path: Path, task: Task, skill: float, seed: int, *, validated: bool) -> None:
    draw = np.random.default_rng(seed)
    lines = []
    for epoch in range(1, 31 - 2 * seed):
        reached = skill * (1 - np.exp(-epoch / 6)) + 0.01 * draw.normal()
        score = reached if task.higher_is_better else 1.5 - reached
        valid = {task.primary: score} if validated else {}
        line = {
            "epoch": epoch,
            "step": 19 * epoch,
            "seconds": 0.4 * epoch,
            "loss": 2.3 * float(np.exp(-epoch / 6)),
            "terms": {},
            "valid": valid,
        }
        lines.append(json.dumps(line))
    path.write_text("\n".join(lines) + "\n")


def subset_scores(task: Task, views: tuple[str, ...], skill: float, seed: int) -> dict[tuple[str, ...], dict[str, float]]:
    draw = np.random.default_rng(seed + 100)
    found = {}
    for subset in subsets_of(views):
        part = skill * (len(subset) / len(views)) ** 0.5 + 0.02 * draw.normal()
        found[subset] = {task.primary: part if task.higher_is_better else 1.6 - part, "coverage": 1.0}
    return found


def made_cost(views: tuple[str, ...]) -> dict:
    timed = {"p50": 0.041, "p95": 0.0673, "calls": 300}
    return {
        "parameters": {"total": 12_345 * len(views), "encoders": dict.fromkeys(views, 11_000), "fusion": 1000, "head": 345},
        "latency_ms": {
            "model": {"p50": 0.21, "p95": 0.35, "calls": 300},
            "encoders": dict.fromkeys(views, timed),
            "views": {view: None if view == "mor" else timed for view in views},
        },
        "machine": {"device": "cpu", "threads": 2, "torch": "2.13.0"},
    }


def made_settings(views: tuple[str, ...], seeds: int) -> dict:
    return {
        "recipe": "distill",
        "arguments": {
            "student": [views[0]],
            "teacher": list(views),
            "method": "kd",
            "options": {"temperature": 2.0},
            "plan": {"epochs": 30, "batch_size": 64, "rate": 1e-3, "patience": None},
            "seeds": list(range(seeds)),
        },
        "corpus_fingerprint": "4f1d0c5e9a77b302",
        "split_hash": "9b0c2d11",
        "versions": {"python": "3.11.9", "understudy": "0.1.0", "torch": "2.13.0"},
    }
