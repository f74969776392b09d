import csv
import json

import numpy as np
import pytest

from understudy.recipes.theatre import beside, lines, table, theatre
from understudy.worlds.theatre import Stage, World, ceilings

CLIPS = {"train": 12, "valid": 2, "test": 6}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return theatre(tmp_path_factory.mktemp("theatre"), clips=CLIPS, labelled=6, seeds=1, epochs=1)


def test_every_subset_stands_beside_its_ceiling(run):
    document = json.loads((run.folder / "ceilings.json").read_text(encoding="utf-8"))
    rows = {row["modalities"]: row for row in document["rows"]}
    assert list(rows) == ["nothing", "text", "audio", "video", "text+audio", "text+video", "audio+video", "text+audio+video"]
    for subset, ceiling in ceilings(World()).items():
        assert rows["+".join(subset) or "nothing"]["ceiling"] == pytest.approx(ceiling)
    metrics = {name: system["metrics"]["mae"]["mean"] for name, system in run.results["systems"].items()}
    assert rows["video"]["teacher"] == pytest.approx(metrics["teacher"])
    assert rows["text"]["plain"] == pytest.approx(metrics["plain"])
    assert rows["text"]["distilled"] == pytest.approx(metrics["distilled"])
    assert "teacher" not in rows["nothing"]
    assert rows["text"]["teacher"] is None
    assert len(table(document).splitlines()) == 9
    corpus, split = run.corpus(), run.split()
    guess = np.abs(np.median(corpus.target[split.labelled]) - corpus.target[split.test]).mean()
    assert rows["nothing"]["median"] == pytest.approx(guess)


def test_labels_of_the_corpus_are_those_of_the_script(run):
    stage = Stage(CLIPS, 6, 0, 64, World())
    corpus = run.corpus()
    assert [f"{video}_{clip}" for video, clip in stage.names()] == corpus.ids.tolist()
    np.testing.assert_allclose(corpus.target[corpus.has_target], stage.script().label[stage.has_label()], atol=1e-4)
    assert beside(run, stage) == json.loads((run.folder / "ceilings.json").read_text(encoding="utf-8"))


def test_the_same_call_trains_nothing_again(run):
    weights = run.folder / "distilled" / "seed-0" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    theatre(run.folder.parent, clips=CLIPS, labelled=6, seeds=1, epochs=1)
    assert weights.stat().st_mtime_ns == before


def test_lines_hold_all_that_the_student_needs(run, tmp_path):
    rows = list(csv.DictReader(lines(run, tmp_path / "lines.csv", rows=4).open(encoding="utf-8")))
    assert [row["id"] for row in rows] == run.corpus().ids[run.split().test[:4]].tolist()
    assert all(set(row) == {"id", "text"} and row["text"] for row in rows)
