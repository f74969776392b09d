"""Commands on data: import, check, split."""

from pathlib import Path
from typing import Any, Literal

from understudy.commands.answer import Answer, pairs


def import_() -> Answer:
    """Bring data in: `understudy import table|mfeat|mosi|av-digits --help`."""
    raise ValueError("import what? `understudy import table FILE ...`, or one of mfeat, mosi, av-digits")


def import_table(
    file: Path,
    /,
    *,
    out: Path,
    target: str = "",
    modalities: tuple[str, ...] = (),
    task: Literal["infer", "classification", "regression"] = "infer",
    id: str = "",
    group: str = "",
    split: str = "",
    mapping: Path | None = None,
) -> Answer:
    """Make a corpus of your own table: CSV, TSV, Parquet, JSON lines or .npz.

    Args:
        file: the table; cells may be numbers, categories, text, or paths of .npy, image and audio files relative to it.
        out: folder of the new corpus.
        target: column that is predicted; empty cells are unlabelled rows.
        modalities: NAME=KIND:COLUMNS, e.g. `sensors=vector:acc_*`; KIND is vector, table, sequence, text, image or audio.
        task: what the target is.
        id: column with unique ids; row numbers when empty.
        group: column whose rows must stay together (a speaker, a patient).
        split: column that says train, valid or test.
        mapping: JSON file that says all this: {"target": ..., "modalities": {NAME: {"kind": ..., "columns": [...]}}, ...}.
    """
    from understudy.corpus.importers.table import import_table as importer

    named = pairs("--modalities", modalities)
    kind = None if task == "infer" else task
    options = {"target": target, "id": id, "group": group, "split": split, "mapping": mapping}
    corpus = importer(file, out, modalities=named or None, task=kind, **{k: v or None for k, v in options.items()})
    return imported(corpus)


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
    document = {"corpus": str(corpus.folder), "rows": len(corpus), "modalities": kinds, "task": corpus.task.to_json()}
    text = f"{len(corpus)} rows in {corpus.folder}; {corpus.task.kind}; " + ", ".join(f"{n} ({k})" for n, k in kinds.items())
    return Answer(document | {"splits": list(corpus.splits)}, text, f"understudy check {corpus.folder}")


def check(corpus: Path, /) -> Answer:
    """Is this corpus fit for use? Splits, missing rates, groups, duplicates, constants, balance; exit 2 on an error."""
    from understudy.corpus import Corpus
    from understudy.corpus.check import check as examine

    found = examine(Corpus(corpus))
    return Answer(
        found.to_json(),
        str(found),
        f"understudy distill {corpus} --student MODALITY" if not found.errors else "",
        not found.errors,
    )


def split(
    corpus: Path,
    /,
    *,
    name: str = "main",
    valid: float = 0.1,
    test: float = 0.2,
    labelled: int = 0,
    draws: int = 1,
    across_groups: bool = False,
    leave_one_group_out: bool = False,
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
        leave_one_group_out: one split a group instead.
        seed: of the draw.
    """
    from understudy.corpus import Corpus, make_split
    from understudy.corpus import leave_one_group_out as each_group

    opened = Corpus(corpus)
    if leave_one_group_out:
        made = each_group(opened)
    else:
        options = {"valid": valid, "test": test, "group": not across_groups, "labelled": labelled or None, "seed": seed}
        names = [name] if draws == 1 else [f"{name}-{draw}" for draw in range(draws)]
        made = [make_split(opened, name=each, draw=draw, **options) for draw, each in enumerate(names)]
    for each in made:
        opened.save_split(each)
    sizes = {s.name: {part: len(getattr(s, part)) for part in ("train", "labelled", "valid", "test")} for s in made}
    text = "\n".join(f"{n}: " + ", ".join(f"{count} {part}" for part, count in parts.items()) for n, parts in sizes.items())
    return Answer({"corpus": str(corpus), "splits": sizes}, text, f"understudy check {corpus}")
