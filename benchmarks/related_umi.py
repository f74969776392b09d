"""UMI on real data: digits whose train rows hold disjoint pairs of views, and whose test rows hold pairs that never met.

python -m benchmarks.related_umi --runs FOLDER       every system with 5 seeds, or what is left of it; prints the table
python -m benchmarks.related_umi --quick             its path, small

`rows` is what `benchmarks.related` takes over.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import table
from understudy.corpus import Corpus, corpus_at, make_split
from understudy.corpus.combinations import unseen_combinations
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.evaluate.compare import comparison, over_seeds, per_row
from understudy.players.player import Player
from understudy.study.distill import distill
from understudy.study.run import Run

PAIRS = (("pix", "fou"), ("kar", "zer"), ("mor", "fac"))
"""What train rows hold together; each view once."""
VIEWS = tuple(view for pair in PAIRS for view in pair)
UNSEEN = tuple(pair for pair in combinations(VIEWS, 2) if pair not in PAIRS)
SPLIT = "pairs"
UMI, LATE, PLAIN = "umi", "late fusion", "slots, labels alone"
KD, DROPPED = "slots, kd", "concat, modality dropout"
Systems = Mapping[str, Run]


def corpus_of(folder: Path, *, test: float, seed: int = 0) -> Corpus:
    """The digits, 40 % of which are tested, each row with one pair of views."""
    whole = corpus_at(folder / "digits", lambda at: import_mfeat(at, draws=1))
    split = make_split(whole, name=SPLIT, valid=0.1, test=test)
    return corpus_at(folder / SPLIT, lambda at: unseen_combinations(whole, at, split=split, train=PAIRS, test=UNSEEN, seed=seed))


def played(corpus: Corpus, folder: Path, *, seeds: Sequence[int], plan: Mapping[str, Any], width: int) -> Systems:
    """Every run, by its name: a finished one is left as it is."""
    encoders = dict.fromkeys(VIEWS, "mlp")
    slots, concat = (Player(VIEWS, encoders, fusion=fusion) for fusion in ("slots", "concat"))
    asked: dict[str, Any] = {"split": SPLIT, "teacher": Player(VIEWS, fusion="late"), "seeds": seeds, "report": False}
    asked |= {"plan": plan, "sizes": {"width": width}, "answers": "insample"}
    first = distill(corpus, student=slots, method="umi", out=folder / "umi", **asked)
    taken: dict[str, Any] = {"teachers_of": first.folder, "plain_of": first.folder, "student": slots}
    hidden: dict[str, Any] = asked | {"sizes": {"width": width, "modality_dropout": 0.5}}
    return {
        "umi": first,
        "kd": distill(corpus, method="kd", out=folder / "kd", **asked, **taken),
        "alpha 0": distill(corpus, method="umi", options={"alpha": 0.0}, out=folder / "alpha-0", **asked, **taken),
        "align 0": distill(corpus, method="umi", options={"align": 0.0}, out=folder / "align-0", **asked, **taken),
        "umi dropped": distill(corpus, student=slots, method="umi", out=folder / "umi-dropped", **hidden),
        "dropped": distill(corpus, student=concat, method="kd", out=folder / "dropped", **hidden),
    }


def rows(folder: Path, *, quick: bool = False, seeds: Sequence[int] = tuple(range(5))) -> list[dict[str, Any]]:
    """Each system's accuracy on unseen pairs over seeds, and what UMI gains over it, paired by seed and row."""
    plan = {"epochs": 1} if quick else {"epochs": 60, "batch_size": 64}
    corpus = corpus_of(folder, test=0.4)
    runs = played(corpus, folder / "runs", seeds=seeds[:1] if quick else seeds, plan=plan, width=16 if quick else 128)
    said = {
        UMI: (runs["umi"], "distilled"),
        PLAIN: (runs["umi"], "plain"),
        LATE: (runs["umi"], "teacher"),
        KD: (runs["kd"], "distilled"),
        "umi, modality dropout": (runs["umi dropped"], "distilled"),
        "slots, labels alone, modality dropout": (runs["umi dropped"], "plain"),
        DROPPED: (runs["dropped"], "plain"),
        f"{DROPPED}, kd": (runs["dropped"], "distilled"),
        "umi without pseudo-labels": (runs["alpha 0"], "distilled"),
        "umi without common tokens": (runs["align 0"], "distilled"),
    }
    task = corpus.task
    scores = {name: per_row(task, run.predictions(system)) for name, (run, system) in said.items()}
    found = []
    for name, score in scores.items():
        row: dict[str, Any] = {"system": UMI, "data": "digits, unseen pairs of views", "what": name, "metric": task.primary}
        row |= {"rows": score.shape[1]} | over_seeds(np.mean(score, axis=1).tolist())
        if name != UMI:
            row["umi against it"] = comparison(scores[UMI] - score, None, draws=10_000, seed=0)
        found.append(row)
    return found


def shown(found: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table."""
    lines = []
    for row in found:
        gain = row.get("umi against it")
        said = f"{gain['difference']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}], {gain['verdict']}" if gain else ""
        lines.append([row["what"], f"{row['mean']:.4f}", said])
    return table(["system", "accuracy on unseen pairs", "umi against it"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, help="where corpora and runs are kept, to be gone on with")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(shown(rows(asked.runs or Path(folder), quick=asked.quick)))


if __name__ == "__main__":
    main()
