"""SNLI-VE: does a picture entail a sentence, contradict it, or neither? Its own files, or SNLI's split by its picture lists."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split
from understudy.corpus.importers.json_rows import Row, check_kept, existing, field, read_ids, read_lines
from understudy.corpus.importers.pictures import Pictures
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Modality
from understudy.prepare.held import ragged
from understudy.prepare.reader import MediaReader, OnError
from understudy.tasks import Classification

LABELS = ("entailment", "neutral", "contradiction")
"""By name alone: public code numbers them in two different orders."""
KEYS = ("Flickr30K_ID", "Flikr30kID")
"""Of a picture's id: what the generator writes, and what the repository's own reader asks for."""
PARTS = ("train", "dev", "test")
DEV = 1000
"""Pictures of the dev part: the last of the train_val list."""
ABOUT = {
    "name": "SNLI-VE",
    "licence": "SNLI: CC BY-SA 4.0; Flickr30k pictures by form, for research",
    "layout": "snli_ve_{train,dev,test}.jsonl of necla-ml/SNLI-VE, or snli_1.0_{train,dev,test}.jsonl with its data/*.lst",
    "citation": "N. Xie et al., arXiv 1901.06706; S. Bowman et al., EMNLP 2015; P. Young et al., TACL 2014",
    "text": "the hypothesis (sentence2) alone: sentence1 is a caption of the picture and would give it away",
}


@dataclass(frozen=True)
class Pair:
    """A picture and a hypothesis; the id of the picture is a string of digits and stays one."""

    name: str
    picture: str
    hypothesis: str
    label: str
    part: str
    where: str


def import_snli_ve(
    folder: Path | str,
    images: Path | str,
    out: Path | str,
    *,
    keep: Path | str | None = None,
    side: int = 128,
    on_error: OnError = "fail",
) -> Corpus:
    """Modalities `image` and `text` (the hypothesis), grouped by picture; split `given`, dev validating.

    folder: holds snli_ve_{train,dev,test}.jsonl, plain or .gz; or snli_1.0_{train,dev,test}.jsonl beside
    flickr30k_{train_val,test}.lst, from which they are made. images: Flickr30k's <id>.jpg. keep: a file of picture ids, one a
    line; other train rows are left out. side: longest side of a picture in the corpus, in pixels.
    """
    folder, reader = Path(folder), MediaReader(on_error)
    kept = set() if keep is None else set(read_ids(Path(keep)))
    pairs = list(read_pairs(folder))
    check_kept(keep, kept, {pair.picture for pair in pairs if pair.part == "train"}, what="picture of a train row")
    pairs = [pair for pair in pairs if not kept or pair.part != "train" or pair.picture in kept]
    counts = Counter((pair.part, pair.label) for pair in pairs)
    lacking = next((part for part in PARTS if not any(name == part for name, _ in counts)), None)
    if lacking is not None:
        raise ValueError(f"{folder if keep is None else keep}: no {lacking} rows are left")
    pictures = Pictures(images, side=side, reader=reader)
    for pair in pairs:
        pictures.add(f"{pair.picture}.jpg", where=pair.where)
    about = {part: ", ".join(f"{label} {counts[part, label]}" for label in LABELS) for part in PARTS}
    return write_corpus(
        out,
        Schema(
            Classification(classes=LABELS),
            {"image": Modality("image", shared=True), "text": Modality("text")},
            grouped=True,
            about=ABOUT | {"counts": "; ".join(f"{part}: {said}" for part, said in about.items()), "side": str(side)},
        ),
        ids=[pair.name for pair in pairs],
        targets=[LABELS.index(pair.label) for pair in pairs],
        groups=[pair.picture for pair in pairs],
        cells={
            "image": pictures.rows.cells("image"),
            "text": ragged("text", (pair.hypothesis for pair in pairs)),
        },
        splits=lambda corpus: [given_split(corpus, name="given", parts=[pair.part for pair in pairs])],
        errors=reader.errors,
    )


def read_pairs(folder: Path) -> Iterator[Pair]:
    """Every row, of the made files or made from SNLI; ValueError where a pair stands twice or a picture in two parts."""
    made = any((folder / f"snli_ve_train.jsonl{end}").is_file() for end in ("", ".gz"))
    rows = read_made(folder) if made or not (folder / "snli_1.0_train.jsonl").is_file() else make_pairs(folder)
    names: dict[str, str] = {}
    parts: dict[str, str] = {}
    for pair in rows:
        if names.setdefault(pair.name, pair.where) != pair.where:
            raise ValueError(f"{pair.where}: pairID {pair.name!r} stands in {names[pair.name]} too")
        if parts.setdefault(pair.picture, pair.part) != pair.part:
            raise ValueError(f"{pair.where}: picture {pair.picture} stands in {parts[pair.picture]} too")
        yield pair


def read_made(folder: Path) -> Iterator[Pair]:
    """The rows of snli_ve_{train,dev,test}.jsonl."""
    for part in PARTS:
        path = existing(folder / f"snli_ve_{part}.jsonl", folder / f"snli_ve_{part}.jsonl.gz")
        for where, row in read_lines(path):
            key = next((key for key in KEYS if key in row), None)
            if key is None:
                raise ValueError(f"{where}: neither {' nor '.join(KEYS)} is there")
            picture = field(row, key, str, where)
            if picture != picture_of(field(row, "pairID", str, where)):
                raise ValueError(f"{where}: {key} {picture!r}, but pairID {row['pairID']!r}")
            yield pair_of(row, picture, part, where)


def make_pairs(folder: Path) -> Iterator[Pair]:
    """SNLI's rows of all its splits, split anew by picture: those without a gold label and of Visual Genome are dropped."""
    parts = flickr_parts(existing(folder / "flickr30k_train_val.lst"), existing(folder / "flickr30k_test.lst"))
    for part in PARTS:
        for where, row in read_lines(existing(folder / f"snli_1.0_{part}.jsonl")):
            name = field(row, "pairID", str, where)
            if row.get("gold_label") == "-" or "vg_" in name:
                continue
            picture = picture_of(name)
            if picture not in parts:
                raise ValueError(f"{where}: picture {picture!r} of pairID {name!r} is in neither list")
            yield pair_of(row, picture, parts[picture], where)


def flickr_parts(train_val: Path, test: Path) -> Mapping[str, str]:
    """Picture id -> part: dev is the last 1,000 ids of the train_val list."""
    ids, tested = read_ids(train_val), read_ids(test)
    if len(ids) <= DEV:
        raise ValueError(f"{train_val} holds {len(ids)} ids; expected more than {DEV}, the last of which are dev")
    both = set(ids) & set(tested)
    if both:
        raise ValueError(f"{test}: id {min(both)!r} stands in {train_val} too")
    return dict.fromkeys(ids[:-DEV], "train") | dict.fromkeys(ids[-DEV:], "dev") | dict.fromkeys(tested, "test")


def picture_of(pair: str) -> str:
    """`1016887272` of pairID 1016887272.jpg#0r1n."""
    return pair.partition(".jpg")[0]


def pair_of(row: Row, picture: str, part: str, where: str) -> Pair:
    """A checked row; `sentence1` is not looked at."""
    label = field(row, "gold_label", str, where)
    if label not in LABELS:
        raise ValueError(f"{where}: gold_label {label!r} is none of {', '.join(LABELS)}")
    return Pair(row["pairID"], picture, field(row, "sentence2", str, where), label, part, where)
