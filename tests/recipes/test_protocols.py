"""Protocols on finished runs: all folds in one table, the search among train rows, and information, with their commands."""

import json
import shutil

import numpy as np
import pytest

from corpus.made_action import make_ucf
from study.small import PLAN, SIZES, make_corpus
from understudy.cli import main
from understudy.corpus import Corpus, make_folds
from understudy.corpus.importers import import_ucf
from understudy.evaluate.search import search_metrics
from understudy.study.folds import folds, folds_table, over_folds
from understudy.study.run import Run, load
from understudy.study.search import search, search_table


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A corpus with three folds, all of them run."""
    home = tmp_path_factory.mktemp("protocols")
    corpus = make_corpus(home / "corpus")
    for split in make_folds(corpus, folds=3, valid=0.1):
        corpus.save_split(split)
    options = {"student": ["weak"], "plan": PLAN, "sizes": SIZES, "seeds": 2, "report": False}
    folds(corpus, splits="fold-*", out=home / "out", **options)
    return home


def test_folds_are_averaged_and_compared_together(home):
    document = json.loads((home / "out/folds.json").read_text())
    runs = [load(home / "out" / f"fold-{number}") for number in range(3)]
    assert [each["hash"] for each in document["splits"]] == [run.split().hash for run in runs]
    for system in ("teacher", "plain", "distilled"):
        for metric in ("accuracy", "balanced_accuracy", "f1_positive"):
            values = [run.results["systems"][system]["metrics"][metric]["mean"] for run in runs]
            found = document["systems"][system][metric]
            assert found["folds"] == values
            assert found["mean"] == pytest.approx(np.mean(values))
            assert found["std"] == pytest.approx(np.std(values, ddof=1))
        assert np.sum(document["confusion"][system]) == 2 * 160
        hits = np.trace(document["confusion"][system])
        whole = document["together"]["systems"][system]["metrics"]["accuracy"]["mean"]
        assert whole == pytest.approx(hits / 320)
    assert document["confusion"]["classes"] == ["low", "high"]
    assert document["together"]["rows"] == 160
    text = folds_table(document)
    assert "over 3 folds" in text
    assert "over all 160 rows" in text
    assert folds(Corpus(home / "corpus"), splits="fold-*", out=home / "out", **arguments(runs[0])) == document


def arguments(run: Run) -> dict:
    return {"student": ["weak"], "plan": PLAN, "sizes": SIZES, "seeds": run.seeds, "report": False}


def test_draws_of_one_split_have_no_comparison_together(home):
    run = load(home / "out" / "fold-0")
    document = over_folds([run, run])
    assert document["together"] is None
    assert "tested in several folds" in folds_table(document)
    assert document["systems"]["plain"]["accuracy"]["std"] == 0


def test_folds_by_command(home, capsys):
    command = ["distill", home / "corpus", "--student", "weak", "--split", "fold-*", "--seeds", "1", "--out", home / "by-command"]
    command += ["--plan", "epochs=1", "--sizes", "width=8"]
    assert main([*map(str, command), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["splits"]) == 3
    assert main([*map(str, command[:5]), "nothing-*", "--out", str(home / "none")]) == 2
    assert "name two or more" in capsys.readouterr().err
    assert not (home / "none").exists()


@pytest.fixture(scope="module")
def ucf(tmp_path_factory) -> Run:
    """A visual student of an audio-visual teacher on made UCF51 features."""
    import understudy as us

    home = tmp_path_factory.mktemp("ucf")
    make_ucf(home / "in")
    modalities = {name: home / "in" / name for name in ("audio", "visual")}
    corpus = import_ucf(home / "in/lists", home / "corpus", modalities=modalities, classes_of="audio")
    options = {"plan": PLAN, "sizes": SIZES, "seeds": 2, "report": False}
    return us.distill(corpus, student=["visual"], split="split-1", out=home / "run", **options)


def test_test_rows_search_train_rows_by_the_students_embedding(ucf):
    document = search(ucf)
    assert json.loads((ucf.folder / "search.json").read_text()) == document
    split = ucf.split()
    assert document["queries"]["rows"] == len(split.test) == 12
    assert document["gallery"]["rows"] == len(split.train) + len(split.valid) == 36
    assert (document["cut"], document["ap_divisor"], document["score"]) == (500, "hits_in_k", "cosine")
    assert document["corpus"]["id_hash"] == ucf.corpus().schema.about["id_hash"]
    for system in document["systems"].values():
        assert 0.4 < system["map@500"]["mean"] <= 1
        assert system["recall@1"]["mean"] <= system["recall@10"]["mean"]
        assert len(system["map@500"]["seeds"]) == 2
    assert "12 test rows search 36" in search_table(document)
    model = ucf.model("distilled", seed=1)
    corpus, view = ucf.corpus(), model.views["visual"]
    rows = {"asks": split.test, "held": np.concatenate([split.train, split.valid])}
    places = {}
    for name, chosen in rows.items():
        import torch

        fields = {key: torch.from_numpy(value) for key, value in view.prepare(corpus.cells("visual", chosen)).items()}
        with torch.inference_mode():
            here = {"visual": torch.ones(len(chosen), dtype=torch.bool)}
            places[name] = model.answer({"visual": fields}, here)[1].numpy()
    by_hand = search_metrics(places["asks"], places["held"], corpus.target[rows["asks"]], corpus.target[rows["held"]])
    assert document["systems"]["distilled"]["map@500"]["seeds"][1] == pytest.approx(by_hand["map@500"], abs=1e-6)


def test_search_by_command(ucf, capsys):
    assert main(["search", str(ucf.folder), "--cut", "3", "--ap-divisor", "min_R_k", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["systems"]) == {"teacher", "plain", "distilled"}
    assert "map@3" in found["systems"]["plain"]
    assert main(["search", str(ucf.folder), "--cut", "0"]) == 2
    assert "cut 0" in capsys.readouterr().err


def test_search_wants_classes(tmp_path, capsys):
    import understudy as us

    corpus = make_corpus(tmp_path / "c", regression=True, rows=60)
    options = {"plan": {"epochs": 1}, "sizes": SIZES, "seeds": 1, "report": False}
    run = us.distill(corpus, student=["weak"], split="full", out=tmp_path / "run", **options)
    with pytest.raises(ValueError, match="no classes to search for"):
        search(run)


def test_information_of_a_run(home, capsys, tmp_path):
    run = Run(tmp_path / "run", load(home / "out/fold-0").settings)
    shutil.copytree(home / "out/fold-0", run.folder)
    assert main(["information", str(run.folder), "--estimator", "gaussian", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["information"]
    assert found == json.loads((run.folder / "information.json").read_text())
    assert set(found) == {
        *(f"teacher; {other}" for other in ("plain", "distilled")),
        *(f"{system}; label" for system in ("teacher", "plain", "distilled")),
    }
    assert found["teacher; label"]["value"] > found["plain; label"]["value"]
    assert found["teacher; label"]["ceiling"] == pytest.approx(np.log(2), abs=0.05)
    assert found["teacher; plain"]["rows"] == len(run.split().test)
