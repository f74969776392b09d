"""Commands on data: import, check, split."""

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from understudy.commands.answer import Answer, pairs, refuse_unheeded, step


def import_() -> Answer:
    """Bring data in: a table, or one of the published sets; `understudy import --help` names them."""
    raise ValueError("import what? `understudy import table FILE ...`, or one of those that `understudy import --help` names")


def import_table(
    file: Path,
    /,
    *,
    out: Path,
    target: str = "",
    modalities: tuple[str, ...] = (),
    task: Literal["infer", "classification", "regression", "retrieval", "choice"] = "infer",
    id: str = "",
    group: str = "",
    split: str = "",
    weight: str = "",
    mapping: Path | None = None,
    guess: bool = False,
    delimiter: str = "",
    on_error: Literal["fail", "skip"] = "fail",
) -> Answer:
    """Make a corpus of your own table: CSV, TSV, Parquet, JSON lines or .npz.

    Args:
        file: the table; cells may be numbers, categories, text, or paths of .npy, image, audio and video files relative to it.
        out: folder of the new corpus.
        target: column that is predicted; empty cells are unlabelled rows.
        modalities: NAME=KIND:COLUMNS, e.g. `sensors=vector:acc_*`; KIND is vector, table, sequence, text, choices,
            regions, image, video or audio@RATE (samples a second; also the sound of video files).
        task: what the target is; retrieval finds rows of the same class through another modality; choice
            reads the place of the right one of the row's choices, from 0.
        id: column with unique ids; row numbers when empty.
        group: column whose rows must stay together (a speaker, a patient).
        split: column that says train, valid or test.
        weight: column of numbers, how much each row counts in training: 2 as if it stood there twice, 0 not at all.
        mapping: JSON file that says all this: {"target": ..., "modalities": {NAME: {"kind": ..., "columns": [...]}}, ...}.
        guess: look at the columns for modalities that are not named; each guess is said with its reason, and written to
            OUT/mapping.json to edit and give again.
        delimiter: what parts a CSV file's columns, e.g. `;`; a comma when empty.
        on_error: what a media file that cannot be read does: fail the import, or be left out and listed in errors.json.
    """
    from understudy.corpus.importers.table import import_table as importer

    named = pairs("--modalities", modalities)
    kind = None if task == "infer" else task
    said = {"target": target, "id": id, "group": group, "split": split, "weight": weight, "mapping": mapping}
    options: dict[str, Any] = {name: value or None for name, value in said.items()}
    options |= {"task": kind, "guess": guess, "delimiter": delimiter, "on_error": on_error}
    return imported(importer(file, out, modalities=named or None, **options))


def import_mfeat(*, out: Path) -> Answer:
    """The bundled digits: six views of 2,000 handwritten digits, with 30 few-label splits."""
    from understudy.corpus.importers.mfeat import import_mfeat as importer

    return imported(importer(out))


def import_mosi(folder: Path, /, *, out: Path, leaky: bool = False) -> Answer:
    """CMU-MOSI from a folder with utterances.csv and features.npz.

    Args:
        folder: where the two files are.
        out: folder of the new corpus.
        leaky: also take the text-CNN and 3D-CNN features, which were fitted on labels (for the bc-LSTM split alone).
    """
    from understudy.corpus.importers.mosi import import_mosi as importer

    return imported(importer(folder, out, leaky=leaky))


def import_mmsa(
    file: Path,
    /,
    *,
    dataset: Literal["mosi", "mosei", "sims"],
    out: Path,
    label: str = "regression_labels",
    across_videos: bool = False,
) -> Answer:
    """CMU-MOSI, CMU-MOSEI or CH-SIMS from an MMSA feature file (a pickle, read without running anything in it).

    Args:
        file: aligned_50.pkl, unaligned_50.pkl or unaligned_39.pkl.
        dataset: which set it is.
        out: folder of the new corpus.
        label: key of the target; CH-SIMS also has regression_labels_T, _A and _V.
        across_videos: let a video stand in two parts.
    """
    from understudy.corpus.importers.mmsa import import_mmsa as importer

    return imported(importer(file, out, dataset=dataset, label=label, across_videos=across_videos))


def import_csd(
    folder: Path,
    /,
    *,
    out: Path,
    modalities: tuple[str, ...] = (),
    labels: str = "",
    dataset: Literal["mosi", "mosei", "other"] = "other",
    steps: Literal["sequence", "mean"] = "sequence",
    label_column: int = -1,
    split: Path | None = None,
) -> Answer:
    """CMU MultimodalSDK computational sequences (.csd), cut to the labelled segments.

    Args:
        folder: holds the .csd files.
        out: folder of the new corpus.
        modalities: NAME=FILE, e.g. `text=CMU_MOSI_TimestampedWords.csd`; else every file, by its name.
        labels: file of the labels; else the one with "label" in its name.
        dataset: whose published counts to compare with.
        steps: keep the steps inside a segment, or their mean.
        label_column: which of several values a segment is the target; -1 where there is one.
        split: table with the columns video (or id) and split.
    """
    from understudy.corpus.importers.csd import import_csd as importer

    named = pairs("--modalities", modalities)
    column = None if label_column < 0 else label_column
    which = None if dataset == "other" else dataset
    options = {"labels": labels or None, "dataset": which, "steps": steps, "label_column": column, "split": split}
    return imported(importer(folder, out, modalities=named or None, **options))


def import_raw(
    folder: Path,
    /,
    *,
    out: Path,
    on_error: Literal["fail", "skip"] = "fail",
    dataset: Literal["mosi", "mosei", "sims", "other"] = "other",
    label: str = "label",
    rate: int = 16000,
    across_videos: bool = False,
) -> Answer:
    """Raw clips: a folder with Raw/VIDEO_ID/CLIP_ID.mp4 and label.csv.

    Args:
        folder: holds Raw and label.csv (video_id, clip_id, text, label, mode).
        out: folder of the new corpus.
        on_error: what an unreadable, missing or unlisted clip does: fail the import, or be left out and listed in errors.json.
        dataset: whose label range and published counts hold; other means labels in [-3, 3].
        label: column of the target; empty cells are unlabelled rows.
        rate: samples a second of the sound.
        across_videos: let a video stand in two parts.
    """
    from understudy.corpus.importers.raw_clips import import_raw as importer

    which = None if dataset == "other" else dataset
    options = {"dataset": which, "label": label, "rate": rate, "across_videos": across_videos}
    return imported(importer(folder, out, on_error=on_error, **options))


def import_av_digits(folder: Path, /, *, out: Path, seed: int = 0) -> Answer:
    """Spoken and seen digits from a folder with fsdd/recordings.tar and mnist5k/mnist_5k.csv.gz.

    Args:
        folder: where the two sets are.
        out: folder of the new corpus.
        seed: draws which picture goes with which recording.
    """
    from understudy.corpus.importers.av_digits import import_av_digits as importer

    return imported(importer(folder / "fsdd", folder / "mnist5k", out, seed=seed))


def imported(corpus: Any) -> Answer:
    """The answer of every import."""
    kinds = {name: modality.kind for name, modality in corpus.modalities.items()}
    about = corpus.schema.about
    document = {"corpus": str(corpus.folder), "rows": len(corpus), "modalities": kinds, "task": corpus.task.to_json()}
    text = f"{len(corpus)} rows in {corpus.folder}; {corpus.task.kind}; " + ", ".join(f"{n} ({k})" for n, k in kinds.items())
    facts = {name: about[name] for name in ("guessed", "inferred", "counts", "id_hash", "skipped", *kinds) if name in about}
    text += "".join(f"\n{name.replace('_', ' ')}: {fact}" for name, fact in facts.items())
    return Answer(document | {"splits": list(corpus.splits), "about": about}, text, step("check", corpus.folder))


def import_wikipedia(folder: Path, /, *, out: Path, valid: float = 0.2, seed: int = 0) -> Answer:
    """Wikipedia cross-modal retrieval: SIFT histograms of pictures and topics of the texts that they illustrate.

    Args:
        folder: holds raw_features.mat and the three .list files.
        out: folder of the new corpus.
        valid: share of the published train rows that validates.
        seed: draws them.
    """
    from understudy.corpus.importers.wikipedia import import_wikipedia as importer

    return imported(importer(folder, out, valid=valid, seed=seed))


def import_stamps(
    folder: Path,
    /,
    *,
    out: Path,
    language: str = "fr",
    least: int = 30,
    side: int = 96,
    rate: int = 16000,
    seed: int = 0,
    on_error: Literal["fail", "skip"] = "fail",
) -> Answer:
    """Tux Paint's stamps: pictures, captions and spoken names (Debian package tuxpaint-stamps-default).

    Args:
        folder: /usr/share/tuxpaint/stamps, or where the package was unpacked.
        out: folder of the new corpus.
        language: of caption and speech.
        least: top folders with fewer PNG pictures are left out.
        side: longest side of a picture in the corpus, in pixels.
        rate: samples a second of the speech.
        seed: of the splits.
        on_error: what an unreadable file does: fail the import, or be left out and listed in errors.json.
    """
    from understudy.corpus.importers.stamps import import_stamps as importer

    options = {"language": language, "least": least, "side": side, "rate": rate, "seed": seed}
    return imported(importer(folder, out, on_error=on_error, **options))


def import_av_hdf5(
    file: Path,
    /,
    *,
    out: Path,
    dataset: Literal["vegas", "ave", "other"] = "other",
    protocol: Literal["given", "folds", "random"] = "given",
    scaling: Literal["train", "separate", "none"] = "train",
    label_base: Literal["infer", "0", "1"] = "infer",
    test_value: str = "",
    valid: float = 0.1,
    seed: int = 0,
) -> Answer:
    """VEGAS or AVE: audio and visual features in HDF5, in either published layout.

    Args:
        file: the .h5 file.
        out: folder of the new corpus.
        dataset: checks number of classes and widths.
        protocol: the file's own train and test rows, 5 folds, or one 80/20 split.
        scaling: min-max by train rows, by each part (leaks), or none.
        label_base: number of the first class.
        test_value: what Train_test says of a test row.
        valid: share of the train rows that validates.
        seed: of the splits.
    """
    from understudy.corpus.importers.av_hdf5 import import_av_hdf5 as importer

    base: dict[str, Literal[0, 1] | None] = {"infer": None, "0": 0, "1": 1}
    return imported(
        importer(
            file,
            out,
            dataset=dataset,
            protocol=protocol,
            scaling=scaling,
            label_base=base[label_base],
            test_value=test_value or None,
            valid=valid,
            seed=seed,
        )
    )


def check(corpus: str, /) -> Answer:
    """Is this corpus fit for use? Checksums, splits, missing rates, groups, duplicates, balance; exit 2 on an error."""
    from understudy.corpus import Corpus
    from understudy.corpus.check import check as examine

    opened = Corpus(corpus)
    found = examine(opened)
    return Answer(found.to_json(), str(found), "" if found.errors else after_check(opened, corpus), not found.errors)


def after_check(corpus: Any, place: str) -> str:
    """What to do with a sound corpus at this place: distil on a split that it has, or draw one."""
    names = corpus.splits
    if not names:
        return step("split", place)
    return step("distill", place, "--student", "MODALITY", *(["--split", names[0]] if len(names) > 1 else []))


def split(
    corpus: str,
    /,
    *,
    name: str = "main",
    valid: float = 0.1,
    test: float = 0.2,
    labelled: int = 0,
    draws: int = 1,
    across_groups: bool = False,
    leave_one_group_out: bool = False,
    folds: int = 0,
    seed: int = 0,
) -> Answer:
    """Draw train, validation and test rows; groups and exact duplicates stay together, classes keep their shares.

    Args:
        corpus: folder of the corpus.
        name: of the split; several draws get -0, -1 ... appended.
        valid: share of the rows; 0 when the plan is fixed in advance.
        test: share of the rows.
        labelled: hide all but this many train labels; 0 hides none.
        draws: how many draws of the labelled rows.
        across_groups: let one group stand in several parts.
        leave_one_group_out: one split a group instead; the next group validates, or none with `--valid 0`.
        folds: so many splits instead, fold-0 ..., that test each row once.
        seed: of the draw.
    """
    from understudy.corpus import Corpus, make_folds, make_split
    from understudy.corpus import leave_one_group_out as each_group

    given = {"name": name, "valid": valid, "test": test, "labelled": labelled, "draws": draws, "seed": seed}
    refuse_others(given | {"across_groups": across_groups, "leave_one_group_out": leave_one_group_out, "folds": folds})
    opened = Corpus(corpus)
    if leave_one_group_out:
        made = each_group(opened, valid_groups=int(valid > 0))
    elif folds:
        made = make_folds(opened, folds=folds, valid=valid, seed=seed)
    else:
        options = {"valid": valid, "test": test, "group": not across_groups, "labelled": labelled or None, "seed": seed}
        names = [name] if draws == 1 else [f"{name}-{draw}" for draw in range(draws)]
        made = [make_split(opened, name=each, draw=draw, **options) for draw, each in enumerate(names)]
    opened.save_splits(made)
    sizes = {s.name: {part: len(getattr(s, part)) for part in ("train", "labelled", "valid", "test")} for s in made}
    lines = [f"{n}: " + ", ".join(f"{count} {part}" for part, count in parts.items()) for n, parts in sizes.items()]
    document: dict[str, Any] = {"corpus": corpus, "splits": sizes}
    if leave_one_group_out:
        assert opened.groups is not None
        mute = sorted({str(each) for each in opened.groups if each is not None and f"leave-{each}" not in sizes})
        document["unlabelled_groups"] = mute
        lines += [f"{len(mute)} groups have no labelled row, so they train only: {', '.join(mute)}"] if mute else []
    return Answer(document, "\n".join(lines), step("check", corpus))


UNHEEDED = {
    "leave_one_group_out": ("name", "test", "labelled", "draws", "across_groups", "folds", "seed"),
    "folds": ("name", "test", "labelled", "draws", "across_groups"),
}
"""Ways to split -> the options of `split` that have no say in them."""


def refuse_others(given: Mapping[str, Any]) -> None:
    """ValueError for options of `split` that would make other splits than the ones that were asked for."""
    for way, unheeded in UNHEEDED.items():
        if given[way]:
            refuse_unheeded(split, given, unheeded, f"beside --{way.replace('_', '-')}")
    if given["leave_one_group_out"] and given["valid"] not in (0, signature(split).parameters["valid"].default):
        raise ValueError(
            f"--valid {given['valid']} beside --leave-one-group-out: a whole group validates, or with --valid 0 none"
        )
    if given["draws"] < 1:
        raise ValueError(f"--draws {given['draws']}: expected 1 or more")
    if given["draws"] > 1 and not given["labelled"]:
        raise ValueError(
            f"--draws {given['draws']} of all train labels would be as many equal splits: say with --labelled how many labels a "
            "draw keeps, or draw other parts with --seed and --name"
        )
