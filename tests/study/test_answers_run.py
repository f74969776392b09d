"""Choices and several answers through the main job: from a table to a distilled student that predicts without torch."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

import understudy as us
from study.small_answers import COLOURS, FORMS, make_answers, make_choices
from understudy.artifact.predict_file import predict_file
from understudy.corpus import Corpus, make_split
from understudy.evaluate.compare import compare_runs
from understudy.serve.app import create_app
from understudy.study.evaluation import evaluate_subsets
from understudy.training.plan import Plan

ASKED = {
    "student": ["text"],
    "teacher": ["text", "regions"],
    "split": "main",
    "plan": Plan(epochs=3, batch_size=32, rate=1e-2),
    "sizes": {"width": 16, "dropout": 0.0},
    "seeds": 2,
}


def write_table(path: Path, corpus: Corpus, *, listed: bool) -> None:
    """A user's table of the same rows: choices as lists or as columns, in a .jsonl beside regions."""
    rows = range(len(corpus))
    texts, regions = (corpus.cells(name, rows).values for name in ("text", "regions"))
    right = [int(each) if known else None for each, known in zip(corpus.target, corpus.has_target, strict=True)]
    lines: list[dict] = [{"id": str(name), "right": each} for name, each in zip(corpus.ids, right, strict=True)]
    for line, text, boxes in zip(lines, texts, regions, strict=True):
        line |= {"said": text} if listed else dict(zip("abc", text, strict=True))
        line |= {"seen": None if boxes is None else boxes.tolist()} if path.suffix == ".jsonl" else {}
    with path.open("w", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(line) + "\n" for line in lines)
            return
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def imported(folder: Path) -> Corpus:
    """The choices as a user brings them: a column each."""
    write_table(folder.parent / "rows.jsonl", make_choices(folder.parent / "made"), listed=False)
    asked = {"text": "choices:a,b,c", "regions": "regions:seen"}
    corpus = us.import_table(folder.parent / "rows.jsonl", folder, target="right", task="choice", id="id", modalities=asked)
    corpus.save_split(make_split(corpus, name="main", valid=0.2, test=0.3))
    return corpus


MAKE = {"choice": imported, "multilabel": make_answers}


@pytest.fixture(scope="module", params=MAKE)
def run(request, tmp_path_factory) -> us.Run:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp(request.param)
    corpus = MAKE[request.param](folder / "corpus")
    return us.distill(corpus, out=folder / "run", ensemble="yes" if request.param == "multilabel" else "no", **ASKED)


def kind_of(run: us.Run) -> str:
    return run.results["task"]["kind"]


def test_three_systems_are_compared(run):
    found, corpus = run.results, run.corpus()
    assert found["metric"] == {"name": "accuracy", "higher_is_better": True}
    names = {"choice": {"accuracy", "nll", "ece"}, "multilabel": {"accuracy", "ceiling", "bce"}}[kind_of(run)]
    assert all(set(system["metrics"]) == names for system in found["systems"].values())
    assert ("ensemble" in found["systems"]) == (kind_of(run) == "multilabel")
    said = run.predictions("plain")[0]
    shape = {"choice": (33, 3), "multilabel": (33, len(COLOURS) + len(FORMS))}[kind_of(run)]
    assert (said.values.shape, said.values.dtype) == (shape, np.float32)
    np.testing.assert_array_equal(said.target, corpus.target[corpus.split("main").test])
    mean = corpus.task.per_row(said.values, said.target).mean()
    assert mean == pytest.approx(found["systems"]["plain"]["metrics"]["accuracy"]["seeds"][0])
    (line,) = compare_runs([run.folder])
    assert line["comparison"]["difference"] == found["comparison"]["difference"]


def test_subsets_and_page(run):
    subsets = json.loads((run.folder / "subsets.json").read_text())
    assert set(subsets["teacher"]) == {"text", "regions", "text+regions"}
    if kind_of(run) == "choice":
        # Without the texts every choice looks alike.
        first = np.mean(run.corpus().target[run.split().test] == 0)
        assert subsets["teacher"]["regions"]["metrics"]["accuracy"][0] <= 2 * first
    again = evaluate_subsets(run, system="teacher", seed=0, split="")
    assert again["text"]["accuracy"] == pytest.approx(subsets["teacher"]["text"]["metrics"]["accuracy"][0])
    page = run.report.read_text()
    assert ("Do the probabilities mean what they say?" in page) == (kind_of(run) == "choice")


def test_shipped_student_answers_in_words(run, tmp_path):
    folder, corpus = run.export(tmp_path / "student"), run.corpus()
    rows = corpus.split("main").test[:5]
    columns = "abc" if kind_of(run) == "choice" else ["text"]
    texts = [text if isinstance(text, tuple) else (text,) for text in corpus.cells("text", rows).values]
    lines = [dict(zip(columns, text, strict=True)) | {"id": corpus.ids[row]} for row, text in zip(rows, texts, strict=True)]
    lines.append(dict.fromkeys(columns) | {"id": "none"})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = predict_file(us.Artifact(folder), tmp_path / "rows.jsonl", tmp_path / "said.csv", id="id")
    assert (found.rows, found.answered) == (6, 5)
    said = list(csv.DictReader((tmp_path / "said.csv").open()))
    model = run.predictions("distilled")[run.seeds.index(run.ships)]
    values = model.ordered(corpus.ids[corpus.split("main").test]).values[:5]
    best = values.argmax(axis=1)
    if (sure := us.Artifact(folder).contract.confidence) is not None:
        values = sure.calibrated(values)
    if kind_of(run) == "choice":
        assert [line["prediction"] for line in said] == [*map(str, best), ""]
        shown = np.array([[float(line[f"probability_{place}"]) for place in range(3)] for line in said[:5]])
        np.testing.assert_allclose(shown, values, atol=1e-4)
    else:
        assert list(said[0]) == ["id", "prediction", "probability"]
        assert [line["prediction"] for line in said] == [*((COLOURS + FORMS)[place] for place in best), ""]
        np.testing.assert_allclose([float(line["probability"]) for line in said[:5]], values.max(axis=1), atol=1e-4)
    words = {"choice": "which of 3 texts is the right one", "multilabel": "the likeliest of 7 that each have"}
    assert words[kind_of(run)] in (folder / "card.md").read_text()
    client = TestClient(create_app(folder))
    assert client.get("/").text.count('data-how="text"') == len(columns)
    answer = client.post("/v1/predict", json={"rows": [{key: value for key, value in lines[0].items() if key != "id"}]}).json()
    assert str(answer["predictions"][0]["prediction"]) == said[0]["prediction"]
    part = client.post("/v1/predict", json={"rows": [{columns[0]: "it is red"}]})
    assert part.status_code == (422 if kind_of(run) == "choice" else 200)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_users_table_of_choices(tmp_path, name):
    made = make_choices(tmp_path / "made")
    listed = name.endswith(".jsonl")
    write_table(tmp_path / name, made, listed=listed)
    asked = {"text": "choices:said", "regions": "regions:seen"} if listed else {"text": "choices:a,b,c"}
    corpus = us.import_table(tmp_path / name, tmp_path / "out", target="right", task="choice", id="id", modalities=asked)
    assert corpus.task == made.task
    assert corpus.target.tolist() == made.target.tolist()
    assert corpus.has_target.tolist() == made.has_target.tolist()
    assert corpus.cells("text", range(120)).values == made.cells("text", range(120)).values
    assert corpus.modalities["text"].width == 3
    assert not listed or (corpus.content == made.content and corpus.modalities["regions"].width == 7)


def test_tables_that_say_too_little_are_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b,right\nx,y,0\np,q,1\n")
    with pytest.raises(ValueError, match="task choice needs a modality of kind choices"):
        us.import_table(path, tmp_path / "out", target="right", task="choice", modalities={"text": "text:a"})
    with pytest.raises(ValueError, match="the task is a classification, not a choice"):
        us.import_table(path, tmp_path / "out", target="right", modalities={"text": "choices:a,b"})
    path.write_text("a,b,right\nx,y,0\np,q,2\n")
    with pytest.raises(ValueError, match="row 'row-2': class index 2"):
        us.import_table(path, tmp_path / "out", target="right", task="choice", modalities={"text": "choices:a,b"})
    path.write_text("a,b,right\nx,y,0\np,,1\n")
    with pytest.raises(ValueError, match="column 'b', row 2: choice 1 is empty"):
        us.import_table(path, tmp_path / "out", target="right", task="choice", modalities={"text": "choices:a,b"})
    assert [each.name for each in tmp_path.iterdir()] == ["rows.csv"]
