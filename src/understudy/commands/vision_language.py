"""Commands of the vision-language sets: their imports, their scorers, and the files that they ask for."""

from pathlib import Path
from typing import Any, Literal

from understudy.commands.answer import Answer, pairs, step
from understudy.commands.data import imported
from understudy.evaluate.results import SystemName


def protocol() -> Answer:
    """Published protocols: score a file, write one to hand in, run a whole table; `understudy protocol --help` names them."""
    raise ValueError("which protocol? `understudy protocol --help` names them")


def import_vcr(
    annotations: Path,
    images: Path,
    /,
    *,
    out: Path,
    features: Path | None = None,
    shifted: tuple[str, ...] = (),
    keep: Path | None = None,
    test: bool = False,
    side: int = 128,
    valid: float = 0.05,
    seed: int = 0,
    on_error: Literal["fail", "skip"] = "fail",
) -> Answer:
    """VCR: four answers to a question about a movie still, then four rationales; a row a stage.

    Args:
        annotations: holds train.jsonl and val.jsonl.
        images: vcr1images, pictures and their metadata.
        out: folder of the new corpus.
        features: folder of .npz of a detector, named as the pictures; crops of the boxes else.
        shifted: NAME=FILE, published changed val sets, a split each; the two rule sets are made from val.jsonl.
        keep: file of annot_ids, one a line; other train rows are left out.
        test: also take the unlabelled rows of test.jsonl, for a submission.
        side: longest side of a picture in the corpus, in pixels.
        valid: share of the train rows that validates, by whole pictures.
        seed: draws them.
        on_error: what an unreadable picture or metadata file does: fail the import, or be left out and listed in errors.json.
    """
    from understudy.corpus.importers.vcr import import_vcr as importer

    options: dict[str, Any] = {"features": features, "keep": keep, "test": test, "side": side, "valid": valid, "seed": seed}
    return imported(importer(annotations, images, out, shifted=pairs("--shifted", shifted), on_error=on_error, **options))


def import_snli_ve(
    folder: Path,
    images: Path,
    /,
    *,
    out: Path,
    keep: Path | None = None,
    side: int = 128,
    on_error: Literal["fail", "skip"] = "fail",
) -> Answer:
    """SNLI-VE: does a picture of Flickr30k entail a sentence, contradict it, or neither?

    Args:
        folder: holds snli_ve_{train,dev,test}.jsonl or .jsonl.gz; or snli_1.0_{train,dev,test}.jsonl and the two .lst files.
        images: Flickr30k's pictures, ID.jpg.
        out: folder of the new corpus.
        keep: file of picture ids, one a line; other train rows are left out.
        side: longest side of a picture in the corpus, in pixels.
        on_error: what an unreadable picture does: fail the import, or be left out and listed in errors.json.
    """
    from understudy.corpus.importers.snli_ve import import_snli_ve as importer

    return imported(importer(folder, images, out, keep=keep, side=side, on_error=on_error))


def import_vqa(
    folder: Path,
    images: Path,
    /,
    *,
    out: Path,
    dataset: Literal["v2", "cp-v2"] = "v2",
    vocabulary: Literal["published", "train"] = "published",
    least: int = 9,
    keep: Path | None = None,
    test: bool = False,
    side: int = 128,
    valid: float = 0.05,
    seed: int = 0,
    on_error: Literal["fail", "skip"] = "fail",
) -> Answer:
    """VQA v2 or VQA-CP v2: open questions, ten answers each; accuracy is the official one.

    Args:
        folder: holds the JSON files of questions and annotations.
        images: COCO's pictures, in train2014, val2014 and test2015 or all in one.
        out: folder of the new corpus.
        dataset: which of the two.
        vocabulary: answers of train and val (v2) or train (cp-v2), as published; or of this corpus's train rows, for low-shot.
        least: questions that an answer of the vocabulary is the main answer of.
        keep: file of question ids, one a line; other train rows are left out.
        test: also take v2's unlabelled test2015 questions, for a submission.
        side: longest side of a picture in the corpus, in pixels.
        valid: share of the train part's pictures that validates.
        seed: draws them.
        on_error: what an unreadable picture does: fail the import, or be left out and listed in errors.json.
    """
    from understudy.corpus.importers.vqa import import_vqa as importer

    options: dict[str, Any] = {"least": least, "keep": keep, "test": test, "side": side, "valid": valid, "seed": seed}
    return imported(importer(folder, images, out, dataset=dataset, vocabulary=vocabulary, on_error=on_error, **options))


def score_vqa(results: Path, annotations: Path, /) -> Answer:
    """Official VQA accuracy of a results file, in percent: overall, by answer type, by question type.

    Args:
        results: JSON list of question_id and answer, exactly the annotated ids.
        annotations: VQA v2's or VQA-CP's annotations.
    """
    from understudy.evaluate.submissions import score_vqa as score

    found = score(results, annotations)
    lines = [f"{name:40s} {value:6.2f}" for kind in found.values() for name, value in kind.items()]
    return Answer({"results": str(results), "accuracy": found}, "\n".join(lines))


def score_vcr(file: Path, annotations: Path, /) -> Answer:
    """Q->A, QA->R and Q->AR of a VCR csv, in percent, to the official three decimals.

    Args:
        file: annot_id and 20 probabilities a row.
        annotations: labelled jsonl: val.jsonl, or a changed set.
    """
    from understudy.evaluate.submissions import score_vcr as score

    return shares(file, score(file, annotations), decimals=3)


def score_snli_ve(file: Path, annotations: Path, /) -> Answer:
    """Accuracy of SNLI-VE predictions, over all and by class, in percent.

    Args:
        file: JSON lines with pairID and label (a layout of ours).
        annotations: snli_ve_dev.jsonl or snli_ve_test.jsonl, plain or .gz.
    """
    from understudy.evaluate.submissions import score_entailment

    return shares(file, score_entailment(file, annotations), decimals=2)


def shares(file: Path, found: dict[str, float], *, decimals: int) -> Answer:
    """Shares as percentages; counts as they are."""
    counted = {name: found[name] for name in ("rows", "examples") if name in found}
    said = {name: round(100 * value, decimals) for name, value in found.items() if name not in counted}
    lines = [f"{name:14s} {value:.{decimals}f}" for name, value in said.items()]
    lines += [f"{name:14s} {value:.0f}" for name, value in counted.items()]
    return Answer({"file": str(file)} | said | {name: int(value) for name, value in counted.items()}, "\n".join(lines))


def q_ar(run: Path, /, *, split: str = "", corpus: str = "") -> Answer:
    """Q->A, QA->R and Q->AR of every system of a run on a VCR corpus, and whether the distilled student is better in Q->AR.

    Args:
        run: folder of a finished run.
        split: whose test rows, such as rule-singular; the run's own when empty.
        corpus: where the run's corpus lies now, if it has moved.
    """
    from understudy.recipes.submissions import stages
    from understudy.study.run import load

    found = stages(load(run, corpus=corpus), split=split)
    names = list(found["systems"]["plain"])
    lines = [f"{'system':10s} " + " ".join(f"{name:>8s}" for name in names)]
    for system, metrics in found["systems"].items():
        lines.append(f"{system:10s} " + " ".join(f"{100 * metrics[name]['mean']:8.3f}" for name in names))
    said = found["comparison"]
    interval = f"[{said['low']:+.4f}, {said['high']:+.4f}]"
    lines.append(
        f"{found['examples']} examples; distilled - plain in q_ar {said['difference']:+.4f} {interval}: {said['verdict']}"
    )
    return Answer({"run": str(run)} | found, "\n".join(lines))


def submit_vcr(run: Path, /, *, out: Path, system: SystemName = "distilled", seed: int = -1, corpus: str = "") -> Answer:
    """VCR's csv, 1 + 20 columns, of the unlabelled test rows (`import vcr --test`).

    Args:
        run: folder of a finished run.
        out: the csv.
        system: whose answers.
        seed: of the model; -1 takes the one that ships.
        corpus: where the run's corpus lies now, if it has moved.
    """
    from understudy.recipes.submissions import submit_vcr as submit
    from understudy.study.run import load

    many = submit(load(run, corpus=corpus), out, system=system, seed=None if seed < 0 else seed)
    return Answer({"out": str(out), "annotations": many}, f"{many} annotations in {out}")


def submit_vqa(
    run: Path, /, *, out: Path, system: SystemName = "distilled", seed: int = -1, labelled: bool = False, corpus: str = ""
) -> Answer:
    """VQA's json of the unlabelled test questions (`import vqa --test`), or of the run's test rows.

    Args:
        run: folder of a finished run.
        out: the json.
        system: whose answers.
        seed: of the model; -1 takes the one that ships.
        labelled: of the run's test rows instead, which `protocol score-vqa` can score.
        corpus: where the run's corpus lies now, if it has moved.
    """
    from understudy.recipes.submissions import submit_vqa as submit
    from understudy.study.run import load

    many = submit(load(run, corpus=corpus), out, system=system, seed=None if seed < 0 else seed, labelled=labelled)
    return Answer({"out": str(out), "questions": many}, f"{many} questions in {out}")


def rule_sets(annotations: Path, /, *, out: Path) -> Answer:
    """Rule-Singular and Rule-Plural of VCR's val.jsonl, as jsonl in VCR's layout.

    Args:
        annotations: the official val.jsonl.
        out: folder of val_rule_singular.jsonl and val_rule_plural.jsonl, made anew.
    """
    from understudy.corpus.importers.vcr_rules import write_rule_sets

    counts = write_rule_sets(annotations, out)
    return Answer({"out": str(out), "rows": counts}, "\n".join(f"{name}: {count} rows" for name, count in counts.items()))


def words_only_hard(corpus: Path, /, *, split: str, modality: str = "", folds: int = 5, name: str = "", seed: int = 0) -> Answer:
    """A split of ours: the test rows that a classifier of the words alone gets wrong; SNLI-VE's `--shifted`, for one.

    Args:
        corpus: folder of the corpus, a classification.
        split: its train rows teach the classifiers, its test rows are judged; train and validation rows stay the same.
        modality: the text; may be left out where there is one.
        folds: as many classifiers, each of which learns from all folds of the train rows but one; most of them must be wrong.
        name: of the new split; SPLIT-words-only-hard when empty.
        seed: draws the folds.
    """
    from understudy.corpus import Corpus
    from understudy.corpus.words_only import hard_split, judged

    opened = Corpus(corpus)
    given = opened.split(split)
    found = judged(opened, given, modality=modality, folds=folds, seed=seed)
    made = opened.save_split(hard_split(given, found, name=name, seed=seed))
    classes = opened.task.to_json()["classes"]
    of_class = {each: opened.target[found.rows] == number for number, each in enumerate(classes)}
    counts = {each: {"rows": int(here.sum()), "hard": int((here & found.hard).sum())} for each, here in of_class.items()}
    accuracy = {"held_out": found.held_out, "test": float(1 - found.hard.mean())}
    lines = [f"{each:20s} {count['hard']:7d} hard of {count['rows']:7d}" for each, count in counts.items()]
    lines += [f"{made.name}: {len(made.test)} of {len(found.rows)} test rows"]
    lines += [f"words alone: accuracy {accuracy['held_out']:.4f} on held-out train rows, {accuracy['test']:.4f} on test rows"]
    document = {"corpus": str(corpus), "split": made.name, "rows": len(made.test), "classes": counts, "accuracy": accuracy}
    return Answer(document, "\n".join(lines), step("check", corpus))
