"""VCR's annotations: mixed tokens of words and 0-based object references, read, checked and put into words."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from understudy.corpus.importers.json_rows import Row, field, read_lines

CHOICES = 4
STAGES = ("answer", "rationale")
PERSON = "person"
NAMES = ("Casey", "Riley", "Jessie", "Jackie", "Avery", "Jaime", "Peyton", "Kerry")
NAMES += ("Jody", "Kendall", "Peyton", "Skyler", "Frankie", "Pat", "Quinn")
"""Said for a person, by the object's index modulo 15; Peyton stands twice, as in the official loader."""
MASK = "[MASK]"
MASKED = 10000
"""Added to the index of an object whose reference was masked, in the published adversarial sets."""
EVERYONE = ("everyone", "everyones")
Tokens = Sequence[Any]
"""Words, and lists of object indices."""


def row_id(annotation: str, stage: str, variant: str = "") -> str:
    """The id of a corpus row: `val-0/answer`; of a changed set `val-0/rationale/rule-singular`."""
    return "/".join(part for part in (annotation, stage, variant) if part)


def read_annotations(path: Path, *, labelled: bool | None = None) -> Iterator[tuple[str, Row]]:
    """The checked annotations of a VCR jsonl, each with where it stands.

    labelled: True where both labels must be there, False where neither may be (the test file), None where either is fine.
    ValueError names file, line and field; an `annot_id` that stands twice is one.
    """
    seen: dict[str, str] = {}
    for where, row in read_lines(path):
        name = field(row, "annot_id", str, where)
        if not name or "/" in name:
            raise ValueError(f"{where}: annot_id {name!r}; expected a name without /")
        if seen.setdefault(name, where) != where:
            raise ValueError(f"{where}: annot_id {name!r} stands in {seen[name]} too")
        check_annotation(row, where, labelled)
        yield where, row
    if not seen:
        raise ValueError(f"{path} holds no annotations")


def check_annotation(row: Row, where: str, labelled: bool | None) -> None:
    """ValueError for the first field that is not as VCR has it."""
    for name in ("img_id", "img_fn", "metadata_fn"):
        field(row, name, str, where)
    if not all(isinstance(each, str) for each in field(row, "objects", list, where)):
        raise ValueError(f"{where}: 'objects' holds something that is no name of a class")
    check_tokens(field(row, "question", list, where), "question", where)
    for stage in STAGES:
        choices = field(row, f"{stage}_choices", list, where)
        if len(choices) != CHOICES:
            raise ValueError(f"{where}: {len(choices)} {stage}_choices; expected {CHOICES}")
        for choice in choices:
            check_tokens(choice, f"{stage}_choices", where)
    if labelled or (labelled is None and any(f"{stage}_label" in row for stage in STAGES)):
        for stage in STAGES:
            if field(row, f"{stage}_label", int, where) not in range(CHOICES):
                raise ValueError(f"{where}: {stage}_label {row[f'{stage}_label']}; expected 0 to {CHOICES - 1}")
    if labelled is False and any(f"{stage}_label" in row for stage in STAGES):
        raise ValueError(f"{where}: a label in a file of test rows, which have none")


def check_tokens(tokens: Any, name: str, where: str) -> None:
    """Words, and lists of whole numbers from 0: anything else is refused."""
    if not isinstance(tokens, list) or not tokens:
        raise ValueError(f"{where}: {name!r} holds {str(tokens)[:60]!r}; expected a list of tokens that is not empty")
    for token in tokens:
        references = isinstance(token, list) and token and all(type(each) is int and each >= 0 for each in token)
        if not isinstance(token, str) and not references:
            raise ValueError(
                f"{where}: token {str(token)[:60]!r} in {name!r}; expected a word or a list of object indices from 0"
            )


def text_of(tokens: Tokens, objects: list[str]) -> str:
    """In words: people by gender-neutral names, other objects by their class, masked references as [MASK].

    A reference to an object that there is not is left out.
    """
    words: list[str] = []
    for token in tokens:
        if isinstance(token, str):
            words.append(token)
            continue
        for index in token:
            if index >= MASKED:
                words.append(MASK)
            elif index < len(objects):
                words.append(NAMES[index % len(NAMES)] if objects[index] == PERSON else objects[index])
    return " ".join(words)


def mentioned(sentences: Sequence[Tokens], objects: Sequence[str]) -> list[int]:
    """Indices of the objects that these sentences speak of, in order; "everyone" adds all persons, and so does silence.

    A masked reference, or one to an object that there is not, adds none.
    """
    people = {index for index, name in enumerate(objects) if name == PERSON}
    found: set[int] = set()
    for token in (token for tokens in sentences for token in tokens):
        if isinstance(token, str):
            found |= people if token.lower() in EVERYONE else set()
        else:
            found |= {index for index in token if index < len(objects)}
    return sorted(found or people)
