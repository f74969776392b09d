"""Rows to choose by are held out where a split has none: which, when not, and that a run knows them again."""

import json

import numpy as np
import pytest

import understudy as us
from study.small import SIZES, make_corpus
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.corpus.draw import LEAST_HELD, with_validation
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification

ASKED = {"student": ["weak"], "split": "none", "plan": {"epochs": 2}, "sizes": SIZES, "seeds": 2, "report": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    made = make_corpus(tmp_path_factory.mktemp("data") / "corpus", rows=1200)
    made.save_split(make_split(made, name="none", valid=0.0, test=0.3))
    made.save_split(make_split(made, name="few", valid=0.0, test=0.3, labelled=600))
    return made


def grouped(folder, groups: list[str]) -> Corpus:
    """Rows of two classes, by group."""
    random, here = np.random.default_rng(0), np.ones(len(groups), bool)
    return write_corpus(
        folder,
        Schema(Classification(classes=("low", "high")), {"x": Modality("vector", width=2)}, grouped=True),
        ids=[f"r{row}" for row in range(len(groups))],
        targets=random.integers(0, 2, len(groups)),
        cells={"x": Cells("vector", random.normal(size=(len(groups), 2)).astype(np.float32), here)},
        groups=groups,
        splits=lambda corpus: [make_split(corpus, name="none", valid=0.0, test=0.3)],
    )


def test_what_is_held_out_is_of_the_labelled_train_rows_alone(corpus):
    whole, found = corpus.split("none"), with_validation(corpus, corpus.split("none"), 0.15)
    assert set(found.valid) < set(whole.labelled)
    assert not set(found.valid) & (set(found.train) | set(whole.test))
    assert abs(len(found.valid) / len(whole.labelled) - 0.15) < 0.02
    shares = [corpus.target[rows].mean() for rows in (found.valid, found.labelled)]
    assert abs(shares[0] - shares[1]) < 0.03
    assert found.hash == whole.hash


def test_groups_stay_together_and_few_of_them_are_left_whole(tmp_path):
    many = grouped(tmp_path / "many", [f"g{row // 10}" for row in range(1200)])
    found = with_validation(many, many.split("none"), 0.15)
    assert many.groups is not None
    assert len(found.valid) >= LEAST_HELD
    assert not set(many.groups[found.valid]) & set(many.groups[found.train])
    few = grouped(tmp_path / "few", [f"g{row // 300}" for row in range(1200)])
    assert not len(with_validation(few, few.split("none"), 0.15).valid)


@pytest.mark.parametrize(("split", "share"), [("few", 0.15), ("full", 0.15), ("none", 0.0)])
def test_few_labels_rows_of_ones_own_and_a_share_of_none_leave_the_split_as_it_is(corpus, split, share):
    whole, found = corpus.split(split), with_validation(corpus, corpus.split(split), share)
    assert (found.train.tolist(), found.valid.tolist()) == (whole.train.tolist(), whole.valid.tolist())


def test_a_run_says_what_it_holds_out_and_knows_it_again(corpus, tmp_path, capsys):
    run = us.distill(corpus, out=tmp_path / "run", **ASKED)
    rows = with_validation(corpus, corpus.split("none"), 0.15)
    assert f"{len(rows.valid)} of 840 labelled train rows are held out to choose by (15 %; valid 0 forbids it)" in (
        capsys.readouterr().err
    )
    assert run.settings["arguments"]["valid"] == 0.15
    assert us.load(run.folder).split().valid.tolist() == rows.valid.tolist()
    assert run.results["split"]["valid"] == len(rows.valid)
    assert run.results["selection"] == f"best epoch on {len(rows.valid)} validation rows"


def test_valid_0_forbids_it_and_is_what_earlier_runs_did(corpus, tmp_path):
    run = us.distill(corpus, out=tmp_path / "run", valid=0, **ASKED)
    assert "valid" not in json.loads((run.folder / "run.json").read_text())["arguments"]
    assert not len(us.load(run.folder).split().valid)
    with pytest.raises(ValueError, match=r"holds another run \(differs in .*valid"):
        us.distill(corpus, out=run.folder, **ASKED)
    with pytest.raises(ValueError, match=r"valid is 1\.5; give a share of the train rows, from 0 \(none\) to below 1"):
        us.distill(corpus, out=tmp_path / "no", valid=1.5, **ASKED)
