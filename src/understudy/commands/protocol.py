"""Commands of the emotion and action protocols: their imports, and what else is asked of a finished run."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from understudy.commands.answer import Answer, pairs
from understudy.commands.data import imported


def search(
    run: Path,
    /,
    *,
    cut: int = 500,
    ap_divisor: Literal["hits_in_k", "min_R_k"] = "hits_in_k",
    corpus: str = "",
    device: str = "",
    threads: int = 0,
) -> Answer:
    """Does a test row's embedding find known rows of its class? R@k and mAP@CUT of every system, as in video retrieval.

    Args:
        run: folder of a finished run whose task tells classes apart.
        cut: places of the ranking that mAP counts.
        ap_divisor: of a query's precisions: its hits in these places, or the smaller of CUT and all rows of its class.
        corpus: where the run's corpus lies now, if it has moved.
        device: where models answer: cpu, cuda, cuda:N or mps; a GPU where there is one when empty.
        threads: of the CPU for one operation; all cores when 0.
    """
    from understudy.process.hardware import on
    from understudy.study.run import load
    from understudy.study.search import search as ask
    from understudy.study.search import search_table

    with on(device, threads=threads):
        found = ask(load(run, corpus=corpus), cut=cut, ap_divisor=ap_divisor)
    return Answer({"run": str(run)} | found, search_table(found))


def information(
    run: Path,
    /,
    *,
    estimator: Literal["ksg", "gaussian", "infonce"] = "ksg",
    seed: int = -1,
    corpus: str = "",
    device: str = "",
    threads: int = 0,
) -> Answer:
    """What teacher, students and label know of each other on the test rows, in nats with intervals.

    Args:
        run: folder of a finished run.
        estimator: of what two models share: neighbours after PCA, correlations alone, or a trained critic's lower bound.
        seed: of the models; -1 takes the one that ships.
        corpus: where the run's corpus lies now, if it has moved.
        device: where models answer: cpu, cuda, cuda:N or mps; a GPU where there is one when empty.
        threads: of the CPU for one operation; all cores when 0.
    """
    from understudy.process.hardware import on
    from understudy.study.information import information as ask
    from understudy.study.run import load

    with on(device, threads=threads):
        found = ask(load(run, corpus=corpus), estimator=estimator, seed=None if seed < 0 else seed)
    text = "\n".join(f"I({name:24s}) {each}" for name, each in found.items())
    return Answer({"run": str(run), "information": {name: asdict(each) for name, each in found.items()}}, text)


def import_iemocap(folder: Path, /, *, out: Path, classes: tuple[str, ...] = ("angry", "happy", "neutral", "sad")) -> Answer:
    """IEMOCAP, four classes, ten folds by speaker, from MMIN's features (A/comparE.h5, V/denseface.h5, L/bert_large.h5, target/).

    Args:
        folder: holds A, V, L and target.
        out: folder of the new corpus.
        classes: names in the order of the labels.
    """
    from understudy.corpus.importers.iemocap import import_iemocap as importer

    return imported(importer(folder, out, classes=classes))


def import_mult(
    file: Path, /, *, emotion: Literal["neutral", "happy", "sad", "angry"], out: Path, across_speakers: bool = False
) -> Answer:
    """IEMOCAP, one emotion or not, from MulT's pickle (read without running anything in it).

    Args:
        file: iemocap_data.pkl or iemocap_data_noalign.pkl.
        emotion: the one that is decided; one corpus for each.
        out: folder of the new corpus.
        across_speakers: let a speaker stand in two parts.
    """
    from understudy.corpus.importers.mult import import_mult as importer

    return imported(importer(file, out, emotion=emotion, across_speakers=across_speakers))


def import_ucf(
    lists: Path,
    /,
    *,
    modalities: tuple[str, ...],
    out: Path,
    classes_of: str = "",
    steps: Literal["mean", "sequence"] = "mean",
    valid: float = 0.1,
    seed: int = 0,
    on_error: Literal["fail", "skip"] = "fail",
) -> Answer:
    """UCF101, or UCF51, its classes with sound, by the official lists; features or videos from folders.

    Args:
        lists: ucfTrainTestlist, with classInd.txt, trainlist01.txt, testlist01.txt ...
        modalities: NAME=FOLDER with CLIP.npy, CLASS/CLIP.npy, video files named so, or GeWu's feature pickles.
        out: folder of the new corpus.
        classes_of: the modality whose class folders are the label set (UCF51: the audio features); else all of classInd.txt.
        steps: of a clip's features, their mean or all.
        valid: share of the train clips that validates, by whole groups.
        seed: draws them.
        on_error: what an unreadable file does: fail the import, or be left out and listed in errors.json.
    """
    from understudy.corpus.importers.ucf import import_ucf as importer

    named = pairs("--modalities", modalities)
    options = {"classes_of": classes_of, "steps": steps, "valid": valid, "seed": seed}
    return imported(importer(lists, out, modalities=named, on_error=on_error, **options))


def import_activitynet(
    annotation: Path,
    /,
    *,
    modalities: tuple[str, ...],
    out: Path,
    steps: Literal["mean", "sequence"] = "mean",
    valid: float = 0.1,
    seed: int = 0,
    on_error: Literal["fail", "skip"] = "fail",
) -> Answer:
    """ActivityNet, UCF51 and the like by an annotation.json of GeWu or CCL; features or videos from folders.

    Args:
        annotation: JSON with labels and database.
        modalities: NAME=FOLDER, as of `import ucf`.
        out: folder of the new corpus.
        steps: of a clip's features, their mean or all.
        valid: share of the training clips that validates, by whole videos.
        seed: draws them.
        on_error: what an unreadable file does: fail the import, or be left out and listed in errors.json.
    """
    from understudy.corpus.importers.activitynet import import_activitynet as importer

    named = pairs("--modalities", modalities)
    return imported(importer(annotation, out, modalities=named, steps=steps, valid=valid, seed=seed, on_error=on_error))
