"""A teacher that somebody brings: what it says is read by name, held against the corpus, and taught as it stands."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC
from tests.study.small import SIZES, make_corpus

import understudy as us
from understudy.corpus import Corpus
from understudy.evaluate.simple import folds_of_rows
from understudy.study.answer_table import read_answers
from understudy.study.outside import answers_of, frame_of
from understudy.tasks.calibration import temperature_of
from understudy.teachers.store import Store

ASKED = {"student": "weak", "plan": {"epochs": 2, "batch_size": 32}, "sizes": SIZES, "seeds": 1, "report": False}
BOTH = ("strong", "weak")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus", rows=120)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "numbers", regression=True, rows=120)


def said(corpus: Corpus, rows: np.ndarray | None = None) -> pd.DataFrame:
    """Logits of what the strong modality says, by id, the classes not in the corpus's order."""
    rows = np.arange(len(corpus)) if rows is None else rows
    strength = corpus.cells("strong", rows).values[:, 0].astype(np.float64) * 2
    return pd.DataFrame({"id": corpus.ids[rows], "logit_high": strength, "logit_low": -strength})


def as_probabilities(frame: pd.DataFrame, prefix: str = "probability_") -> pd.DataFrame:
    shares = softmax(frame[["logit_high", "logit_low"]].to_numpy(), axis=1)
    return pd.DataFrame({"id": frame["id"], f"{prefix}high": shares[:, 0], f"{prefix}low": shares[:, 1]})


def test_every_file_says_the_same(corpus, tmp_path):
    logits = said(corpus)
    truth = log_softmax(logits[["logit_low", "logit_high"]].to_numpy(), axis=1)
    clipped = np.log(np.maximum(np.exp(truth), 1e-4))
    clipped -= np.log(np.exp(clipped).sum(axis=1, keepdims=True))
    shares = as_probabilities(logits)
    logits.to_csv(tmp_path / "logits.csv", index=False)
    shares.to_csv(tmp_path / "shares.csv", index=False)
    shares.assign(prediction="high").to_parquet(tmp_path / "shares.parquet")
    as_probabilities(logits, prefix="").to_json(tmp_path / "bare.jsonl", orient="records", lines=True)
    np.savez(tmp_path / "shares.npz", **{name: np.array(column.tolist()) for name, column in shares.items()})
    for name, expected in (
        *(("logits.csv", truth), ("shares.csv", clipped), ("shares.parquet", clipped)),
        *(("bare.jsonl", clipped), ("shares.npz", clipped)),
    ):
        found = read_answers(tmp_path / name, corpus)
        assert found.ids.tolist() == corpus.ids.tolist()
        np.testing.assert_allclose(found.values, expected, atol=1e-6)
        assert found.source == f"{name}, as given"


def changed(corpus: Corpus, what: str) -> pd.DataFrame:
    """Answers with one fault."""
    frame = as_probabilities(said(corpus))
    if what == "unknown":
        frame.loc[3, "id"] = "nobody"
    if what == "twice":
        frame.loc[3, "id"] = frame.loc[4, "id"]
    if what == "sum":
        frame.loc[3, ["probability_high", "probability_low"]] = 0.4
    if what == "partly":
        frame.loc[3, "probability_low"] = np.nan
    if what == "nothing":
        frame[["probability_high", "probability_low"]] = np.nan
    if what == "infinite":
        frame.loc[3, "probability_low"] = np.inf
    renamed = {"classes": {"probability_low": "probability_lower"}, "nameless": {"id": "name"}}
    return frame.rename(columns=renamed.get(what, {})).drop(columns=["probability_low"] if what == "fewer" else [])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("unknown", "answers for 1 ids that .* has not, the first 'nobody'; its own are such as 'r0'"),
        ("twice", "answers 2 times for id 'r4'; give one answer a row"),
        ("sum", "probabilities of row 'r3' are not from 0 to 1, or add up to 0.8, not to 1"),
        ("partly", "row 'r3' has some classes without a number"),
        ("nothing", "has no answer in any row"),
        ("infinite", "column probability_low.*infinite|infinite"),
        ("classes", "answers for the classes high, lower, and the corpus has low, high"),
        ("fewer", "answers for the classes high, and the corpus has low, high"),
        ("nameless", "has no column 'id'"),
    ],
)
def test_bad_answers_are_one_sentence_before_anything_is_trained(corpus, tmp_path, what, message):
    changed(corpus, what).to_csv(tmp_path / "answers.csv", index=False)
    with pytest.raises(ValueError, match=message):
        us.distill(corpus, teacher_answers=tmp_path / "answers.csv", split="main", out=tmp_path / "run", **ASKED)
    assert not (tmp_path / "run").exists()


def test_rows_without_an_answer_are_not_taught_and_tests_without_one_not_scored(corpus, tmp_path):
    split = corpus.split("main")
    half = split.train[::2]
    path = tmp_path / "answers.csv"
    said(corpus, half).to_csv(path, index=False)
    run = us.distill(corpus, teacher=path, split="main", out=tmp_path / "run", **ASKED | {"report": True})
    assert run.results["systems"].keys() == {"plain", "distilled"}
    assert run.results["listening"]["source"] == "answers.csv, as given"
    assert run.settings["arguments"]["teacher_answers"].startswith("answers.csv, as given, ")
    found = Store(run.folder / "teacher" / "answers").answers(corpus.ids[split.train].tolist())
    assert (found.valid.numpy() == np.isin(split.train, half)).all()
    logits = said(corpus, half)[["logit_low", "logit_high"]].to_numpy()
    np.testing.assert_allclose(found.need("logits").numpy()[found.valid.numpy()], log_softmax(logits, axis=1), atol=1e-5)
    assert not list((run.folder / "teacher").glob("seed-*"))
    assert "answers.csv, as given" in run.report.read_text()
    before = (run.folder / "results.json").stat().st_mtime_ns
    us.distill(corpus, teacher_answers=str(path), split="main", out=tmp_path / "run", **ASKED | {"report": True})
    assert (run.folder / "results.json").stat().st_mtime_ns == before
    said(corpus, split.train).to_csv(path, index=False)
    with pytest.raises(ValueError, match="differs in teacher_answers"):
        us.distill(corpus, teacher=path, split="main", out=tmp_path / "run", **ASKED)


@pytest.mark.parametrize("listed", [False, True])
def test_embeddings_in_a_file_are_what_methods_compare(corpus, tmp_path, listed):
    embedding = np.random.default_rng(0).normal(size=(len(corpus), 3)).astype(np.float32)
    frame = said(corpus).iloc[::-1].reset_index(drop=True)
    for place in range(3):
        frame[f"embedding_{place}"] = embedding[::-1, place]
    path = tmp_path / "answers.parquet"
    if listed:
        parts = [f"embedding_{place}" for place in range(3)]
        frame["embedding"] = frame[parts].to_numpy().tolist()
        frame = frame.drop(columns=parts)
    frame.to_parquet(path)
    run = us.distill(corpus, teacher=path, method="rkd", split="main", out=tmp_path / "run", **ASKED)
    train = corpus.split("main").train
    found = Store(run.folder / "teacher" / "answers").answers(corpus.ids[train].tolist())
    np.testing.assert_allclose(found.need("embedding").numpy(), embedding[train], atol=1e-6)
    assert "rkd" in run.settings["arguments"]["method"]
    frame.assign(logit_low=0.5).to_parquet(path)
    with pytest.raises(ValueError, match="differs in"):
        us.distill(corpus, teacher=path, method="rkd", split="main", out=tmp_path / "run", **ASKED)
    if not listed:
        frame.assign(embedding_1=frame["embedding_1"].where(frame.index != 4)).to_parquet(path)
        with pytest.raises(ValueError, match="is answered without a whole embedding; give every answered row one"):
            read_answers(path, corpus)
        pd.concat([frame, frame[:1]]).to_parquet(path)
        with pytest.raises(ValueError, match="answers 2 times for id"):
            read_answers(path, corpus)
    said(corpus).to_parquet(path)
    with pytest.raises(ValueError, match="given without embeddings, which rkd compares"):
        us.distill(corpus, teacher=path, method="rkd", split="main", out=tmp_path / "other", **ASKED)
    assert not (tmp_path / "other").exists()


def test_a_teacher_that_answers_test_rows_is_scored_once(numbers, tmp_path):
    strength = numbers.cells("strong", np.arange(len(numbers))).values[:, 0]
    pd.DataFrame({"id": numbers.ids, "prediction": strength}).to_csv(tmp_path / "answers.csv", index=False)
    run = us.distill(numbers, teacher=tmp_path / "answers.csv", split="full", out=tmp_path / "run", **ASKED)
    test = numbers.split("full").test
    off = np.abs(strength[test] - numbers.target[test]).mean()
    assert run.results["systems"]["teacher"]["metrics"]["mae"]["mean"] == pytest.approx(off, abs=1e-5)


def test_an_estimator_answers_labelled_rows_that_it_did_not_see(corpus):
    split = corpus.split("main")
    found = answers_of(LogisticRegression(), corpus, split, BOTH)
    frame, target = frame_of(corpus, BOTH, split.labelled), corpus.target[split.labelled]
    fold = folds_of_rows(corpus, split.labelled, folds=5)
    logs = np.zeros((len(fold), 2))
    for held in range(5):
        model = LogisticRegression().fit(frame[fold != held], target[fold != held])
        logs[fold == held] = np.log(np.maximum(model.predict_proba(frame[fold == held]), 1e-4))
    np.testing.assert_allclose(found.values[: len(fold)], logs / temperature_of(logs, target), rtol=0.01, atol=1e-3)
    assert found.ids[: len(fold)].tolist() == corpus.ids[split.labelled].tolist()
    assert set(found.ids.tolist()) == set(corpus.ids[np.concatenate([split.train, split.test])].tolist())
    assert found.source == "LogisticRegression, crossfit"


def test_a_function_is_asked_once_about_train_and_test_rows_alone(numbers):
    split, asked = numbers.split("full"), []

    def strongest(frame: pd.DataFrame) -> np.ndarray:
        asked.append(frame)
        return frame["strong_0"].to_numpy()

    found = answers_of(strongest, numbers, split, BOTH)
    (frame,) = asked
    assert list(frame.columns) == ["strong_0", "strong_1", "weak_0", "weak_1", "weak_2"]
    assert set(frame.index) == set(numbers.ids[np.concatenate([split.train, split.test])])
    np.testing.assert_allclose(found.values, frame["strong_0"])
    assert answers_of(Ridge(), numbers, split, BOTH).source == "Ridge, crossfit"


@pytest.mark.parametrize(
    ("teacher", "error", "message"),
    [
        (lambda frame: np.ones((len(frame), 2)) / 2, ValueError, "whose columns have no names"),
        (lambda frame: {"low": [0.5], "high": [0.5]}, ValueError, "was asked about .* rows and answered 1"),
        (lambda frame: {"low": [0.5] * len(frame), "hi": [0.5] * len(frame)}, ValueError, "the same by name"),
        (LinearSVC(), ValueError, "LinearSVC has no predict_proba"),
        (3, TypeError, "a int given as teacher"),
    ],
)
def test_what_is_no_teacher_of_these_classes_is_one_sentence(corpus, teacher, error, message):
    with pytest.raises(error, match=message):
        answers_of(teacher, corpus, corpus.split("main"), BOTH)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"method": "amid"}, "amid reads more of its teacher than its answers"),
        ({"answers": "crossfit"}, "beside answers, which are about teachers that are trained here"),
        ({"teacher_model": "forest"}, "beside teacher_model"),
        ({"method": "rkd"}, "given without embeddings, which rkd compares; give a file of answers with columns embedding_0"),
    ],
)
def test_what_does_not_go_with_a_teacher_from_elsewhere_is_refused(corpus, tmp_path, asked, message):
    with pytest.raises(ValueError, match=message):
        us.distill(corpus, teacher=LogisticRegression(), split="main", out=tmp_path / "run", **ASKED | asked)


def test_a_run_and_an_artifact_of_ours_say_the_same(corpus, tmp_path):
    split = corpus.split("main")
    run = us.distill(corpus, teacher=list(BOTH), split="main", out=tmp_path / "run", **ASKED)
    by_run = answers_of(run, corpus, split, BOTH)
    artifact = run.artifact("teacher")
    by_artifact = answers_of(artifact, corpus, split, BOTH)
    assert by_run.ids.tolist() == by_artifact.ids.tolist()
    sure = artifact.contract.confidence
    assert sure is not None
    np.testing.assert_allclose(log_softmax(by_run.values / sure.temperature, axis=1), by_artifact.values, atol=1e-3)
    with pytest.raises(ValueError, match="were train or validation rows of"):
        answers_of(run, corpus, us.make_split(corpus, name="other", seed=5), BOTH)
    taught = us.distill(corpus, teacher=run, split="main", out=tmp_path / "taught", **ASKED)
    assert taught.settings["arguments"]["teacher"] == list(BOTH)
    one, other = (each.results["systems"]["teacher"]["metrics"]["accuracy"]["mean"] for each in (run, taught))
    assert one == other


def test_the_command_line_takes_a_file(corpus, tmp_path, capsys):
    from understudy.cli import main

    as_probabilities(said(corpus)).to_csv(tmp_path / "answers.csv", index=False)
    words = ["distill", str(corpus.folder), "--student", "weak", "--split", "main", "--seeds", "1", "--plan", "epochs=1"]
    assert main([*words, "--teacher-answers", str(tmp_path / "answers.csv"), "--out", str(tmp_path / "run")]) == 0
    assert Path(tmp_path / "run" / "answers.npz").is_file()
    assert main([*words, "--teacher-answers", str(tmp_path / "none.csv"), "--out", str(tmp_path / "other")]) == 2
    assert "none.csv" in capsys.readouterr().err
