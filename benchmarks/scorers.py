"""Official VQA accuracy, VCR's Q->AR and SNLI-VE by class at full size: answers a second, and with nothing remembered.

python -m benchmarks.scorers     answers are made: as many questions and distinct strings as the published sets have, or more
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.record import table, write_result
from understudy.corpus.vocabulary import answer_targets, build_vocabulary
from understudy.evaluate.entailment import LABELS, entailment_scores
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.vcr import stages_of, stages_of_scores
from understudy.tasks.vqa import ANSWERS, CREDIT, accuracies, cleaned, normalised

QUESTIONS = 214_354
"""Of VQA v2's val2014."""
STRINGS = 40_000
EXAMPLES, PAIRS = 26_534, 17_901
"""Of VCR's val and SNLI-VE's test."""
TIMES = 5
WORDS = [
    "red",
    "blue",
    "the",
    "a",
    "cat",
    "dog",
    "two",
    "none",
    "yes",
    "no",
    "dont",
    "white",
    "t-shirt",
    "1,000",
    "3.",
    "a.m.",
    "left/right",
    "(old)",
]


def made_answers(random: np.random.Generator, questions: int, strings: int) -> tuple[list[str], list[list[str]]]:
    """Predictions and ten references a question: a few strings each, common ones far more often, as people answer."""
    pool = [
        " ".join(random.choice(WORDS, size=random.integers(1, 4))) + f" {number}" * (number > 50) for number in range(strings)
    ]
    shares = 1 / (1 + np.arange(strings)) ** 0.6
    drawn = random.choice(strings, size=(questions, 4), p=shares / shares.sum())
    # A string that no question has would not count as one that is normalised.
    drawn[: strings // 4 + 1] = np.resize(np.arange(strings), (strings // 4 + 1, 4))[:questions]
    which = np.minimum(random.geometric(0.6, size=(questions, ANSWERS)) - 1, 3)
    references = [[pool[place] for place in row] for row in np.take_along_axis(drawn, which, axis=1).tolist()]
    said = drawn[np.arange(questions), random.integers(0, 4, questions)].tolist()
    return [pool[place].capitalize() for place in said], references


def plainly(prediction: str, references: list[str]) -> float:
    """One question by itself, nothing remembered: what the official code does, in fewer steps."""
    clean, said = [cleaned(each) for each in references], cleaned(prediction)
    if len(set(clean)) > 1:
        clean, said = [normalised(each) for each in clean], normalised(said)
    return float(CREDIT[sum(each == said for each in clean)])


def best(run: Callable[..., Any], times: int, *arguments: Any) -> tuple[float, Any]:
    """Least seconds of several runs, and what the last one gave. Each gets arguments as a JSON file gives them, no string twice."""
    seconds, found, document = [], None, json.dumps(arguments)
    for _ in range(times):
        fresh = json.loads(document)
        begin = time.perf_counter()
        found = run(*fresh)
        seconds.append(time.perf_counter() - begin)
    return min(seconds), found


def vqa(questions: int, strings: int, times: int) -> dict[str, Any]:
    """The official accuracy of all questions, against one question at a time on the first of them."""
    predictions, references = made_answers(np.random.default_rng(0), questions, strings)
    distinct = len({each for row in references for each in row})
    seconds, found = best(accuracies, times, predictions, references)
    few = max(1, questions // 20)
    slow, plain = best(lambda *some: list(map(plainly, *some)), 1, predictions[:few], references[:few])
    assert np.array_equal(found[:few], plain)
    return {
        "vqa_questions": questions,
        "vqa_distinct_strings": distinct,
        "vqa_seconds": round(seconds, 3),
        "vqa_answers_per_second": round(questions / seconds),
        "vqa_references_per_second": round(questions * ANSWERS / seconds),
        "vqa_answers_per_second_before": round(few / slow),
        "vqa_speedup": round(slow / few / (seconds / questions), 1),
        "vqa_accuracy": round(100 * float(found.mean()), 2),
    }


def targets(questions: int, strings: int) -> dict[str, Any]:
    """Vocabulary, soft targets and credit of every question, as an import makes them; the credit is the official accuracy."""
    _, references = made_answers(np.random.default_rng(1), questions, strings)
    begin = time.perf_counter()
    vocabulary = build_vocabulary({number: row[0] for number, row in enumerate(references)})
    found = answer_targets(references, vocabulary)
    seconds = time.perf_counter() - begin
    # Each question's second entry, or first, or none, as its answer.
    place = np.where(found[:, 1:2, 0] >= 0, 1, 0)[:, 0] if found.shape[1] > 1 else np.zeros(questions, int)
    chosen = found[np.arange(questions), place]
    official = accuracies([vocabulary[max(0, int(each))] for each in chosen[:, 0]], references)
    named = chosen[:, 0] >= 0
    assert np.allclose(official[named], chosen[named, 2], atol=1e-6)
    return {"vqa_vocabulary": len(vocabulary), "vqa_targets_per_second": round(questions / seconds)}


def vcr(examples: int, times: int) -> dict[str, Any]:
    """From two arrays, and from a run's predictions joined by annotation id."""
    random = np.random.default_rng(0)
    scores, labels = random.random((2, examples, 4)), random.integers(0, 4, (2, examples))
    arrays, found = best(lambda: stages_of_scores(*scores, *labels).metrics(), times)
    ids = np.array([f"val-{number}/{stage}" for stage in ("answer", "rationale") for number in range(examples)])
    order, here = random.permutation(2 * examples), np.ones(2 * examples, bool)
    predictions = Predictions(ids[order], scores.reshape(-1, 4)[order], labels.ravel()[order], here, here)
    joined, again = best(lambda: stages_of(predictions).metrics(), times)
    plain = [(a.argmax() == la, r.argmax() == lr) for a, r, la, lr in zip(*scores, *labels, strict=True)]
    assert found == again
    assert found["q_ar"] == sum(a and r for a, r in plain) / examples
    assert found["q_a"] == sum(a for a, _ in plain) / examples
    rates = {"vcr_examples_per_second": round(examples / arrays), "vcr_joined_examples_per_second": round(examples / joined)}
    return {"vcr_examples": examples} | rates


def entailment(pairs: int, times: int) -> dict[str, Any]:
    """By the names of the classes."""
    random = np.random.default_rng(0)
    said, true = (random.choice(LABELS, pairs).tolist() for _ in range(2))
    seconds, found = best(entailment_scores, times, said, true)
    assert found["accuracy"] == sum(a == b for a, b in zip(said, true, strict=True)) / pairs
    own = [a == b for a, b in zip(said, true, strict=True) if b == "neutral"]
    assert found["neutral"] == sum(own) / len(own)
    return {"snli_ve_pairs": pairs, "snli_ve_pairs_per_second": round(pairs / seconds)}


def page(figures: dict[str, Any]) -> str:
    """The Markdown table and what it says."""
    rows = [
        [
            "VQA v2, official accuracy",
            f"{figures['vqa_questions']:,} questions x {ANSWERS}",
            f"{figures['vqa_answers_per_second']:,} answers",
        ],
        ["the same, nothing remembered", "a twentieth of them", f"{figures['vqa_answers_per_second_before']:,} answers"],
        [
            "VQA targets with credit",
            f"{figures['vqa_questions']:,} questions",
            f"{figures['vqa_targets_per_second']:,} questions",
        ],
        ["VCR from arrays", f"{figures['vcr_examples']:,} examples", f"{figures['vcr_examples_per_second']:,} examples"],
        ["VCR joined by id", f"{figures['vcr_examples']:,} examples", f"{figures['vcr_joined_examples_per_second']:,} examples"],
        ["SNLI-VE by class", f"{figures['snli_ve_pairs']:,} pairs", f"{figures['snli_ve_pairs_per_second']:,} pairs"],
    ]
    return f"""# Scorers

Answers are made, as many as the published sets have; {figures["vqa_distinct_strings"]:,} distinct reference strings, and the predictions in
another spelling. Both sides go through the official normalisation. One process, best of {TIMES}; reading files is not counted.

{table(["scorer", "size", "a second"], rows)}

Each distinct string is normalised once, and strings are compared as numbers: {figures["vqa_speedup"]} times the speed of one question at
a time, {figures["vqa_seconds"]} s for all, with the same values on those questions. An answer here is a scored prediction; every one meets ten references
({figures["vqa_references_per_second"]:,} a second). Every scorer agreed with a plain one on the same cases; the rules themselves are held to a
separate implementation in `tests/evaluate/test_vqa.py`.
"""


def main() -> None:
    """Measure, and write results/scorers.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few questions; nothing written under results/")
    options = parser.parse_args()
    questions, strings, times = (2_000, 500, 1) if options.quick else (QUESTIONS, STRINGS, TIMES)
    figures = vqa(questions, strings, times) | targets(questions, strings)
    figures |= vcr(200 if options.quick else EXAMPLES, times) | entailment(300 if options.quick else PAIRS, times)
    text = page(figures)
    if not options.quick:
        write_result("scorers", figures=figures, rows=[figures], seeds=[0], text=text)


if __name__ == "__main__":
    main()
