"""Rule-Singular and Rule-Plural: validation sets of VCR in which the usual word overlap points away from the right choice.

The rules of the generators in yekeren/VCR-shortcut-effects-study (Ye and Kovashka, AAAI 2021), restated; from the official
val.jsonl they give 16,154 and 3,657 rows by that repository's count.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from understudy.corpus.importers.json_rows import Row
from understudy.corpus.importers.vcr_annotations import PERSON, STAGES, Tokens, read_annotations
from understudy.process.whole import whole_folder

HE, SHE = ("he", "his", "him"), ("she", "her", "hers")
Group = list[int]
Change = Callable[[Tokens, bool], Tokens]
"""A choice, and whether it is the right one -> the changed choice."""


def rule_singular(row: Row) -> Row | None:
    """The annotation with changed choices; None where the question does not mention exactly one person.

    Of each choice with exactly one of (person mentioned, he or she): a wrong one gets the question's person in its place, the
    right one he or she, whichever its words or else the question's speak of more (he where they do not).
    """
    question, objects = row["question"], row["objects"]
    asked = people(question, objects)
    if len(asked) != 1:
        return None

    def change(choice: Tokens, right: bool) -> Tokens:
        named = people(choice, objects)
        pronouns = {token.lower() for token in choice if isinstance(token, str) and token.lower() in ("he", "she")}
        if len(named) + len(pronouns) != 1:
            return choice
        if right:
            return spoken(choice, named, pronoun(choice, question))
        return pointed(choice, named, ("he", "she", "He", "She"), asked)

    return changed(row, change)


def rule_plural(row: Row) -> Row | None:
    """The same of questions whose only reference is to two or more persons together, and of "they"."""
    question, objects = row["question"], row["objects"]
    asked = group(question, objects)
    if asked is None:
        return None

    def change(choice: Tokens, right: bool) -> Tokens:
        named = group(choice, objects)
        if named is None and "they" not in choice and "They" not in choice:
            return choice
        return spoken(choice, named, "they") if right else pointed(choice, named, ("they", "They"), asked)

    return changed(row, change)


RULES: dict[str, Callable[[Row], Row | None]] = {"rule-singular": rule_singular, "rule-plural": rule_plural}


def changed_rows(rows: Iterable[Row], rule: Callable[[Row], Row | None]) -> Iterator[Row]:
    """The rows that a rule applies to, changed by it; the given ones stay as they are."""
    return (found for found in map(rule, rows) if found is not None)


def write_rule_sets(annotations: Path, out: Path) -> dict[str, int]:
    """Each rule's set of the official val.jsonl, as `val_rule_singular.jsonl` ... in a new folder; how many rows each has."""
    rows = [row for _, row in read_annotations(annotations, labelled=True)]
    found = {name: list(changed_rows(rows, rule)) for name, rule in RULES.items()}
    with whole_folder(out) as partial:
        for name, each in found.items():
            text = "".join(f"{json.dumps(row)}\n" for row in each)
            (partial / f"val_{name.replace('-', '_')}.jsonl").write_text(text, encoding="utf-8")
    return {name: len(each) for name, each in found.items()}


def changed(row: Row, change: Change) -> Row:
    """Both stages' choices changed."""
    found = dict(row)
    for stage in STAGES:
        right = row[f"{stage}_label"]
        found[f"{stage}_choices"] = [change(choice, place == right) for place, choice in enumerate(row[f"{stage}_choices"])]
    return found


def is_person(index: int, objects: Sequence[str]) -> bool:
    """Whether a reference is to a person; one to an object that there is not is to none."""
    return index < len(objects) and objects[index] == PERSON


def people(tokens: Tokens, objects: Sequence[str]) -> Group:
    """Every person that is mentioned, once."""
    found = {index for token in tokens if isinstance(token, list) for index in token if is_person(index, objects)}
    return sorted(found)


def group(tokens: Tokens, objects: Sequence[str]) -> Group | None:
    """The only reference of a sentence, sorted, where it is to two or more and all are persons."""
    found = [token for token in tokens if isinstance(token, list)]
    if len(found) != 1 or len(found[0]) < 2 or not all(is_person(index, objects) for index in found[0]):
        return None
    return sorted(found[0])


def pointed(choice: Tokens, named: Group | None, words: Collection[str], asked: Group) -> list[Any]:
    """The named persons, and these words, become those of the question."""
    return [asked if token == named or (isinstance(token, str) and token in words) else token for token in choice]


def spoken(choice: Tokens, named: Group | None, word: str) -> list[Any]:
    """The named persons become a word, with a capital where it comes first."""
    return [(word if place else word.capitalize()) if token == named else token for place, token in enumerate(choice)]


def pronoun(choice: Tokens, question: Tokens) -> str:
    """he or she: by the gendered words of the choice, where they are even by those of the question too, and else he."""
    for tokens in (choice, [*choice, *question]):
        # The generator counts words that are small throughout or begin with a capital, and no others.
        counts = Counter(token[:1].lower() + token[1:] for token in tokens if isinstance(token, str))
        he, she = (sum(counts[word] for word in words) for words in (HE, SHE))
        if he != she:
            return "he" if he > she else "she"
    return "he"
