"""A run's numbers stay its own: other rows, other weights and other answers than the run's are refused by name, everywhere."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import understudy as us
from study.small import PLAN, SIZES, make_corpus
from understudy.corpus import Corpus, Split, make_split
from understudy.evaluate.compare import compare_runs
from understudy.evaluate.predictions import Predictions
from understudy.study.evaluation import evaluate_subsets
from understudy.study.folds import over_folds
from understudy.study.information import information
from understudy.study.search import search
from understudy.study.summary import few_rows
from understudy.study.transfer import transfer

ASKED = {"student": ["weak"], "teacher": ["strong", "weak"], "split": "main", "plan": PLAN, "sizes": SIZES, "seeds": 1}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> us.Run:
    folder = tmp_path_factory.mktemp("integrity")
    return us.distill(make_corpus(folder / "corpus"), out=folder / "run", report=False, **ASKED)


@pytest.fixture
def run(whole, tmp_path) -> us.Run:
    """A copy, whose corpus may be spoilt."""
    shutil.copytree(whole.corpus().folder, tmp_path / "corpus")
    return us.load(shutil.copytree(whole.folder, tmp_path / "run"), corpus=tmp_path / "corpus")


def other_rows(corpus: Corpus) -> None:
    """The split of this name becomes another, as a person does it who removes it first."""
    (corpus.folder / "splits" / "main.arrow").unlink()
    corpus.save_split(make_split(corpus, name="main", seed=9))


USES = {
    "evaluate": evaluate_subsets,
    "evaluate on another split": lambda run: evaluate_subsets(run, split="full"),
    "export": lambda run: run.export(run.folder / "shipped"),
    "search": search,
    "information": information,
    "transfer": lambda run: transfer(run, "full"),
    "folds": lambda run: over_folds([run, run]),
    "few rows": lambda run: few_rows(run, run.folder / "rows.jsonl"),
    "the same run again": lambda run: us.distill(run.corpus(), out=run.folder, **ASKED),
    "teachers of it": lambda run: us.distill(run.corpus(), out=run.folder / "next", teachers_of=run.folder, **ASKED),
    "plain students of it": lambda run: us.distill(run.corpus(), out=run.folder / "next", plain_of=run.folder, **ASKED),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_every_use_of_a_run_s_rows_refuses_a_split_that_has_others_by_now(run, use):
    other_rows(run.corpus())
    before = set(run.folder.rglob("*"))
    with pytest.raises(ValueError, match=r"other rows than the ones|differs in split_hash|trained on other rows of a split"):
        use(run)
    assert set(run.folder.rglob("*")) == before


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_and_a_corpus_that_has_others(run, use, tmp_path):
    shutil.rmtree(tmp_path / "corpus")
    make_corpus(tmp_path / "corpus", rows=161)
    with pytest.raises(ValueError, match=r"holds other rows than the ones"):
        use(run)


def test_kept_transfer_predictions_of_other_rows_are_made_again(run):
    (run.folder / "transfer").mkdir()
    corpus = run.corpus()
    corpus.save_split(make_split(corpus, name="small", valid=0.0, test=0.1))
    rows = [set(corpus.split(name).test) & set(run.split().test) for name in ("small", "full")]
    for name, kept in zip(("a", "b"), rows, strict=True):
        corpus.save_split(Split(name, run.split().train, np.array(sorted(kept)), run.split().labelled))
    assert transfer(run, "a")["rows"] == len(rows[0])
    shutil.copytree(run.folder / "transfer" / "a", run.folder / "transfer" / "b")
    assert transfer(run, "b")["rows"] == len(rows[1]) != len(rows[0])


def test_weights_of_another_system_are_not_shipped(run, tmp_path):
    plain, distilled = (run.folder / system / "seed-0" for system in ("plain", "distilled"))
    shutil.copy(plain / "model.safetensors", distilled / "model.safetensors")
    with pytest.raises(ValueError, match=r"distilled/seed-0/model.safetensors is not the file that was written here"):
        run.export(tmp_path / "shipped")
    # A run of before there were sums.
    (distilled / "checksums.json").unlink()
    with pytest.raises(ValueError, match=r"does not say what the run recorded of it: accuracy 0\.\d+ on its test rows now"):
        run.export(tmp_path / "shipped")
    shutil.rmtree(distilled)
    shutil.copytree(plain, distilled)
    with pytest.raises(ValueError, match=r"distilled/seed-0 is not what .* recorded: its .* results.json says"):
        run.export(tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()


def test_a_run_of_before_there_were_sums_ships(run, tmp_path):
    for note in run.folder.rglob("checksums.json"):
        note.unlink()
    assert run.export(tmp_path / "shipped").is_dir()


def test_runs_of_other_targets_are_not_compared(run, tmp_path):
    assert compare_runs([run.folder, shutil.copytree(run.folder, tmp_path / "same")])[1]["against_first"]
    for place in (tmp_path / "same" / "distilled").glob("seed-*"):
        kept = Predictions.load(place / "predictions.npz")
        type(kept)(**(vars(kept) | {"target": 1 - kept.target})).save(place / "predictions.npz")
    assert compare_runs([run.folder, tmp_path / "same"])[1]["against_first"] is None


def test_a_run_says_whether_it_hashed_its_corpus_and_refuses_a_damaged_one(whole, tmp_path, monkeypatch):
    assert json.loads((whole.folder / "run.json").read_text())["corpus_hashed"] is True
    folder = Path(shutil.copytree(whole.corpus().folder, tmp_path / "corpus"))
    shard = folder / "rows-0.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"rows-0.arrow was changed after it was written"):
        us.distill(folder, out=tmp_path / "run", **ASKED)
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("understudy.study.claim.MOST_HASHED", 0)
    shutil.copy(whole.corpus().folder / "rows-0.arrow", shard)
    asked: dict[str, Any] = ASKED | {"plan": {"epochs": 1}}
    made = us.distill(folder, out=tmp_path / "run", report=False, **asked)
    assert made.settings["corpus_hashed"] is False
