"""Commands that train and judge: demo, advise, distill, evaluate, compare, report, list."""

from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import OmitArgPrefixes

from understudy.commands.answer import Answer, step
from understudy.commands.distilled import Typed
from understudy.commands.ship import export
from understudy.evaluate.results import SystemName, recommended, todo
from understudy.process.whole import read_json


def demo(which: Literal["digits", "theatre", "pictures"] = "digits", /, *, out: Path = Path("demo"), seeds: int = 0) -> Answer:
    """From data to a shipped student, with nothing to download.

    Args:
        which: digits: six views of handwritten digits teach a student that needs one, real data, about a minute. theatre: clips
            of a cartoon puppet, drawn and filmed here, teach a student that reads its lines; about five minutes. pictures: a CLIP
            trained on made pictures with captions teaches a student that checks claims about others; about two minutes.
        out: folder for corpus, run and artifact; theatre and pictures have their own in it.
        seeds: how many times each system is trained; 0 takes 5 for the digits, 3 for the others.
    """
    if which == "pictures":
        return demo_pictures(out / "pictures", seeds or 3)
    return demo_theatre(out / "theatre", seeds or 3) if which == "theatre" else demo_digits(out, seeds or 5)


def demo_digits(out: Path, seeds: int) -> Answer:
    """Bundled data to predictions of a shipped student."""
    from understudy.recipes.mfeat import mfeat
    from understudy.study.summary import few_rows, summary

    run = mfeat(seeds=seeds, corpus=out / "corpus", out=out / "run", jobs="auto")
    said = shipped(run.folder, few_rows(run, out / "rows.jsonl"), out)
    document = run.results | {"report": str(run.report), "artifact": str(out / "artifact")}
    return Answer(document, "\n".join([summary(run), "", *said]), f"open {run.report} in a browser")


def demo_theatre(out: Path, seeds: int) -> Answer:
    """Raw clips to predictions of a shipped student, beside the best possible scores."""
    from understudy.recipes.theatre import lines, table, theatre
    from understudy.study.summary import summary

    run = theatre(out, seeds=seeds)
    said = shipped(run.folder, lines(run, out / "lines.csv"), out)
    ceilings = read_json(run.folder / "ceilings.json")
    document = run.results | {"ceilings": ceilings, "report": str(run.report), "artifact": str(out / "artifact")}
    text = "\n".join([summary(run), "", table(ceilings), "", *said])
    return Answer(document, text, f"open {run.report} in a browser; the clips are in {out / 'raw'}")


def demo_pictures(out: Path, seeds: int) -> Answer:
    """Made pictures with claims to a shipped student, beside the best possible scores."""
    from understudy.recipes.picture_world import pictures, pictures_text
    from understudy.study.summary import summary

    run = pictures(out, seeds=seeds)
    if not (out / "artifact").exists():
        export(run.folder, out=out / "artifact")
    beside = read_json(run.folder / "ceilings.json")
    document = run.results | {"beside": beside, "report": str(run.report), "artifact": str(out / "artifact")}
    text = "\n".join([summary(run), "", pictures_text(beside), "", f"The student, shipped: {out / 'artifact'}"])
    return Answer(document, text, f"open {run.report} in a browser")


def shipped(run: Path, rows: Path, out: Path) -> list[str]:
    """Export the student, ask it about some rows, and show the first answers."""
    from understudy.artifact.predict import Artifact
    from understudy.artifact.predict_file import predict_file

    artifact, answers = out / "artifact", out / "predictions.csv"
    if not artifact.exists():
        export(run, out=artifact)
    predict_file(Artifact(artifact), rows, answers, id="id")
    head = answers.read_text(encoding="utf-8").splitlines()[:4]
    return [f"The student, shipped and asked without PyTorch ({answers}):", *head]


def advise(corpus: str, /, *, student: tuple[str, ...], split: str = "", seed: int = 0, verify: Path | None = None) -> Answer:
    """Should this be distilled at all, and from which modality? Quick probes on the train rows.

    Args:
        corpus: folder of the corpus, or its URL (s3://, gs://, hf://, https://).
        student: modalities that will be there in use.
        split: needed when the corpus has several.
        seed: of folds and resampling.
        verify: folder of a run to train now with all defaults; says whether the advice was right.
    """
    from understudy.corpus import opened_split
    from understudy.evaluate.advice import advise as ask

    opened, chosen = opened_split(corpus, split)
    found = ask(opened, student, split=chosen, seed=seed)
    go = step("distill", corpus, "--student", *student, "--split", chosen.name)
    if found.verdict == "no":
        go = "ask the same of another student, or bring more labels or another modality: here a teacher has little to add"
    if verify is None:
        return Answer(found.to_json(), str(found), go)
    from understudy.study.run import load
    from understudy.study.verify import verify as train

    checked = train(found, opened, chosen, out=verify)
    document = found.to_json() | {"verified": checked.to_json()}
    return Answer(document, f"{found}\n{checked}", after(load(verify).results, verify))


def distill(corpus: str, /, run: Annotated[Typed, OmitArgPrefixes]) -> Answer:
    """Train teacher, plain student and distilled student; score the test rows once; write results and report.

    Args:
        corpus: folder of the corpus, or its URL (s3://, gs://, hf://, https://).
        run: what is asked of it.
    """
    from understudy.study.distill import distill as run_it
    from understudy.study.summary import summary

    if "*" in run.split:
        return every_fold(corpus, run)
    found = run_it(corpus, split=run.split, out=run.out, **run.asked())
    document = found.results | {"run": str(run.out), "report": str(found.report)}
    return Answer(document, summary(found), after(found.results, run.out))


def after(results: dict[str, Any], out: Path) -> str:
    """What to do with a finished run, by its verdict."""
    found = recommended(results)
    if found is None:
        return f"{todo(results)}: {results['comparison']['verdict']} decides nothing"
    if found.rather:
        model = results["baselines"][found.rather]["model"]
        return f"keep the {model} model, which is no worse on the same columns, or bring more rows, labels or another modality"
    return step("export", out, "--system", found.system, "--out", "ARTIFACT")


def every_fold(corpus: str, run: Typed) -> Answer:
    """`distill` on every split of this pattern."""
    from understudy.study.folds import folds, folds_table

    found = folds(corpus, splits=run.split, out=run.out, **{**run.asked(), "report": False})
    return Answer(found | {"out": str(run.out)}, folds_table(found), step("report", found["splits"][0]["run"]))


def evaluate(
    run: Path,
    /,
    *,
    system: SystemName = "distilled",
    seed: int = -1,
    split: str = "",
    corpus: str = "",
    device: str = "",
    threads: int = 0,
) -> Answer:
    """Score a trained model on the test rows of a split, with every subset of its modalities.

    Args:
        run: folder of a finished run.
        system: which of them; joint_teacher and auxiliary where a teacher or an auxiliary model trained beside the student.
        seed: which training; -1 takes the one that ships.
        split: of the run's corpus; the run's own when empty.
        corpus: where the run's corpus lies now, if it has moved.
        device: where models answer: cpu, cuda, cuda:N or mps; a GPU where there is one when empty.
        threads: of the CPU for one operation; all cores when 0.
    """
    from understudy.process.hardware import on
    from understudy.study.evaluation import evaluate_subsets
    from understudy.study.run import load

    opened = load(run, corpus=corpus)
    with on(device, threads=threads):
        found = evaluate_subsets(opened, system=system, seed=None if seed < 0 else seed, split=split)
    primary = opened.results["metric"]["name"]
    text = "\n".join(f"{name:30s} {scores.get(primary, float('nan')):.4f}" for name, scores in found.items())
    return Answer({"run": str(run), "system": system, "metric": primary, "subsets": found}, f"{primary} by modalities\n{text}")


def compare(runs: tuple[Path, ...], /) -> Answer:
    """Several runs in one table, with Holm-adjusted p values.

    Args:
        runs: folders of finished runs; the first is the one that the others are held against.
    """
    from understudy.evaluate.compare import compare_runs
    from understudy.study.summary import comparison_table

    found = compare_runs(runs)
    return Answer({"runs": found}, comparison_table(found))


def report(run: Path, /) -> Answer:
    """Write a finished run's page again.

    Args:
        run: folder of a finished run.
    """
    from understudy.report import write_report

    page = write_report(run)
    return Answer({"report": str(page)}, str(page), f"open {page} in a browser")


def list_() -> Answer:
    """What there is to choose from: methods and their options, encoders, fusions."""
    from understudy.bundled.choices import choices

    document = choices()
    methods = [f"  {name}: {found['about']}\n      options: {found['options']}" for name, found in document["methods"].items()]
    encoders = [f"  {kind}: {', '.join(names)}" for kind, names in document["encoders"].items()]
    fusions = f"fusions: {', '.join(document['fusions'])}"
    text = "\n".join(["methods", *methods, "encoders", *encoders, fusions])
    return Answer(document, text, "understudy distill CORPUS --student MODALITY")
