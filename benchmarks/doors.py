"""The doors that people know: scikit-learn's checks, kinds of frames, of teachers and of encoders, one's own table from file to served.

Run: python -m benchmarks.doors [--quick] [--parts frames teachers encoders checks csv speed]
"""

import argparse
import os
import tempfile
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.doors_encoders import encoders
from benchmarks.doors_speed import corpus_cost, predict_cost
from benchmarks.record import write_result

EXPECTED = {
    f"check_sample_weight_equivalence_on_{kind}_data": "batches and held-out rows are drawn over rows, so a row of weight 2 is "
    "two in each loss, but no other run's very numbers"
    for kind in ("dense", "sparse")
}
"""scikit-learn's checks that cannot hold for a network that learns in batches, and why."""
EPOCHS, ROWS, QUICK_ROWS = 60, 1_500, 120
EQUAL = 1e-4
"""How far an artifact may be from its model."""
PARTS = ("frames", "teachers", "encoders", "checks", "csv", "speed")
MANY, ASKED = 1_000_000, 20_000
"""Rows of the frame that becomes a corpus, and of the one that is predicted."""
WORDS = (("dull", "slow", "grey"), ("bright", "fast", "warm"))


def estimator_checks(quick: bool) -> tuple[float, list[dict[str, Any]]]:
    """The share of `check_estimator` that passes, those not run left out, and each check's outcome. Quick: those without a fit."""
    from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

    import understudy as us

    model = us.Understudy(task="classification", plan={"epochs": EPOCHS})
    if quick:
        pairs: Any = estimator_checks_generator(model, legacy=False)
        few = [check for _, check in pairs][:3]
        for check in few:
            check(model)
        return 1.0, [{"check": check.func.__name__, "outcome": "passed"} for check in few]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(model, expected_failed_checks=EXPECTED, on_fail=None, on_skip=None)
    told = [{"check": each["check_name"], "outcome": each["status"]} for each in found if each["status"] != "skipped"]
    return sum(each["outcome"] == "passed" for each in told) / len(told), told


def people(rows: int, folder: Path) -> list[dict[str, Any]]:
    """A table as people have it: an id, text, two families of numbers, a category and a number, paths of pictures; all tell the class."""
    from PIL import Image

    random, found = np.random.default_rng(0), []
    for row in range(rows):
        truth = int(random.random() < 0.5)
        words = random.choice(WORDS[truth if random.random() < 0.8 else 1 - truth], 2)
        shade = int(np.clip(90 + 70 * truth + random.normal() * 40, 0, 255))
        Image.fromarray(random.integers(0, 60, (16, 16, 3), np.uint8) + np.uint8(shade * 0.7)).save(folder / f"{row}.png")
        numbers = {f"acc_{at}": random.normal() + 0.5 * truth for at in range(4)}
        numbers |= {f"gyro_{at}": random.normal() - 0.5 * truth for at in range(4)}
        table = {"colour": str(random.choice(["red", "blue"])), "age": float(random.integers(1, 20) + 3 * truth)}
        found.append({"name": f"r{row}", "note": f"it is {' and '.join(words)} today"} | numbers | table)
        found[-1] |= {"picture": f"{row}.png", "verdict": ("bad", "good")[truth]}
    return found


def frame_kinds(rows: list[dict[str, Any]]) -> int:
    """How many kinds of data of the same rows are one corpus."""
    import datasets
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    import understudy as us

    plain = [{name: value for name, value in row.items() if name != "picture"} for row in rows]
    columns = {name: [row[name] for row in plain] for name in plain[0]}
    frames: dict[str, Any] = {
        "pandas": pd.DataFrame(plain),
        "polars": pl.DataFrame(plain),
        "pyarrow": pa.Table.from_pylist(plain),
        "Hugging Face": datasets.Dataset.from_list(plain),
        "dict": columns,
        "rows": plain,
    }
    found = {name: us.corpus(frame, target="verdict").fingerprint for name, frame in frames.items()}
    return sum(each == found["rows"] for each in found.values())


def teachers(rows: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Each kind of teacher, end to end: taught from, and the student exported."""
    import pandas as pd
    import torch
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    import understudy as us

    plain = [{name: value for name, value in row.items() if name != "picture"} for row in rows]
    corpus = us.corpus(plain, target="verdict", id="name", out=folder / "teachers")
    split = corpus.save_split(us.make_split(corpus, name="main"))
    asked: dict[str, Any] = {"student": "note", "split": split, "seeds": 1, "plan": {"epochs": 2}, "report": False}
    network = us.distill(corpus, out=folder / "network", **asked)
    numbers = [name for name in plain[0] if name.startswith(("acc", "gyro"))]
    trees = make_pipeline(
        make_column_transformer(("passthrough", numbers)), RandomForestClassifier(50, random_state=0, min_samples_leaf=5)
    )

    def rule(frame: Any) -> dict[str, Any]:
        share = 1 / (1 + np.exp(-frame[numbers[:4]].sum(axis=1).to_numpy() + 1))
        return {"good": share, "bad": 1 - share}

    frame = pd.DataFrame(plain, index=pd.Index([row["name"] for row in plain], name="id"))
    pd.DataFrame(rule(frame), index=frame.index).to_csv(folder / "answers.csv")
    samples = [
        (name, ("bad", "good")[int(np.random.default_rng(at).random() < share)])
        for name, share in zip(frame.index, rule(frame)["good"], strict=True)
        for at in range(3)
    ]
    pd.DataFrame(samples, columns=["id", "answer"]).to_csv(folder / "samples.csv", index=False)
    likeliest = pd.DataFrame(
        {
            "class_1": np.where(rule(frame)["good"] > 0.5, "good", "bad"),
            "probability_1": np.maximum(rule(frame)["good"], rule(frame)["bad"]),
        },
        index=frame.index,
    )
    likeliest.to_csv(folder / "likeliest.csv")
    net = torch.nn.Linear(4, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.0] * 4, [1.0] * 4]))
        net.bias.copy_(torch.tensor([0.0, -1.0]))

    def tensors(some: Any) -> Any:
        return torch.tensor(some[numbers[:4]].to_numpy(), dtype=torch.float32)

    kinds: dict[str, Any] = {
        "a file of answers": folder / "answers.csv",
        "a file of the likeliest class": folder / "likeliest.csv",
        "a file of three samples a row": folder / "samples.csv",
        "a scikit-learn estimator": trees,
        "a function of a frame": rule,
        "a run of ours": network,
        "a torch module": us.TorchTeacher(net, tensors, classes=("bad", "good")),
        "an artifact of ours": network.artifact("teacher"),
        "several with weights": us.Weighted([(trees, 2.0), (folder / "answers.csv", 1.0)]),
    }
    found = []
    for number, (kind, teacher) in enumerate(kinds.items()):
        run = us.distill(corpus, teacher=teacher, out=folder / f"run-{number}", **asked)
        said = run.predict(plain[:3])
        metrics = {name: each["metrics"]["accuracy"]["mean"] for name, each in run.results["systems"].items()}
        found.append({"kind": kind, "source": run.results["listening"]["source"], "answered": len(said)} | metrics)
    return found


def own_csv(rows: list[dict[str, Any]], folder: Path, *, epochs: int) -> float:
    """Minutes from a .csv to a student that answers over HTTP, by typed commands, none with a mapping."""
    import pandas as pd

    from understudy.cli import main
    from understudy.serve import serve

    pd.DataFrame(rows).to_csv(folder / "own.csv", index=False)
    began = time.monotonic()
    few = ["--plan", f"epochs={epochs}"] if epochs else []
    for words in (
        ["import", "table", folder / "own.csv", "--target", "verdict", "--guess", "--out", folder / "own"],
        ["split", folder / "own"],
        ["distill", folder / "own", "--student", "note", "--seeds", "1", *few, "--out", folder / "own-run"],
        ["export", folder / "own-run", "--out", folder / "own-shipped"],
    ):
        if main([str(word) for word in words]):
            raise RuntimeError(f"understudy {' '.join(map(str, words))} did not end well")
    port = 8765
    threading.Thread(target=serve, args=(folder / "own-shipped",), kwargs={"port": port}, daemon=True).start()
    waited(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).status == 200)
    return (time.monotonic() - began) / 60


def waited(there: Callable[[], bool]) -> None:
    """Until it is there, a minute at most."""
    for _ in range(240):
        try:
            if there():
                return
        except OSError:
            time.sleep(0.25)
    raise TimeoutError("nobody answered within a minute")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows and the checks that train nothing; writes nothing")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is measured; all where nothing is named")
    asked = parser.parse_args()
    figures: dict[str, float | int | str] = {}
    told: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["UNDERSTUDY_CACHE"] = str(folder / "cache")
        rows = people(QUICK_ROWS if asked.quick else ROWS, folder)
        if "frames" in asked.parts:
            figures["frame_kinds"] = frame_kinds(rows)
        if "teachers" in asked.parts and not asked.quick:
            told += (taught := teachers(rows, folder))
            figures["teachers"] = len(taught)
        if "encoders" in asked.parts and not asked.quick:
            told += (read := encoders(folder))
            figures["encoders"] = sum(each["off by"] <= EQUAL for each in read)
        if "checks" in asked.parts:
            figures["estimator_checks_passed"], checks = estimator_checks(asked.quick)
            told += checks
        if "csv" in asked.parts and not asked.quick:
            figures["own_csv_minutes"] = own_csv(rows, folder, epochs=0)
        if "speed" in asked.parts:
            share = 0.01 if asked.quick else 1.0
            figures["corpus_seconds"], figures["parquet_seconds"], figures["corpus_to_parquet"] = corpus_cost(
                int(share * MANY), folder / "cache"
            )
            _, _, figures["predict_to_artifact"] = predict_cost(int(share * ASKED))
    if not asked.quick:
        write_result("doors", figures=figures, rows=told, seeds=[0], text=text(figures, told))


def text(figures: dict[str, Any], told: list[dict[str, Any]]) -> str:
    """The Markdown, of the parts that were measured."""
    lines = []
    if "estimator_checks_passed" in figures:
        checks = [each for each in told if "check" in each]
        bad = [each["check"] for each in checks if each["outcome"] != "passed"]
        lines.append(
            f"- scikit-learn's `check_estimator` of `us.Understudy(task='classification')`: "
            f"{figures['estimator_checks_passed']:.3f} of {len(checks)} checks pass; not: {', '.join(bad) or 'none'} "
            f"({next(iter(EXPECTED.values()))})."
        )
    if "frame_kinds" in figures:
        lines.append(f"- Kinds of data that are the same corpus (fingerprint): {figures['frame_kinds']} of 6.")
    if "own_csv_minutes" in figures:
        lines.append(
            f"- A .csv of {ROWS:,} rows with a text, two vectors, a table and pictures, from file to a student that answers over "
            f"HTTP: {figures['own_csv_minutes']:.2f} minutes (import --guess, split, distill of one seed, export, serve)."
        )
    if "corpus_to_parquet" in figures:
        lines.append(
            f"- `us.corpus(frame)` of {MANY:,} rows with 16 numbers and a text, modalities guessed, content hashed, takes "
            f"{figures['corpus_seconds']:.2f} s, {figures['corpus_to_parquet']:.1f} times `frame.to_parquet` "
            f"({figures['parquet_seconds']:.2f} s); `predict` of the estimator {figures['predict_to_artifact']:.2f} times "
            f"that of its artifact ({ASKED:,} rows)."
        )
    if "teachers" in figures:
        kinds = [each for each in told if "kind" in each]
        lines += [
            "",
            "Accuracy on test rows, one seed of two epochs each: that it works end to end, no comparison of teachers.",
            "",
        ]
        lines += ["| kind | who taught, as the run says | teacher | plain | distilled |", "|---|---|---|---|---|"]
        lines += [
            f"| {each['kind']} | {each['source']} | {each['teacher']:.3f} | {each['plain']:.3f} | {each['distilled']:.3f} |"
            for each in kinds
        ]
    if "encoders" in figures:
        lines += [
            "",
            "Encoders, trained for two epochs, exported, and the artifact held against the model on every test row.",
            "",
        ]
        lines += ["| encoder | reads | the artifact is off by at most |", "|---|---|---|"]
        read = [each for each in told if "encoder" in each]
        lines += [f"| {each['encoder']} | {each['reads']} | {each['off by']:.1g} |" for each in read]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
