"""A run's folder: the same run is known again however it is spelled, by whichever version, wherever its corpus lies."""

import json
import shutil
from pathlib import Path

import pytest

import understudy as us
from recipes.small import PLAN, SIZES, make_corpus
from understudy.corpus import Corpus

ASKED = {"student": ["weak"], "teacher": ["strong", "weak"], "split": "main", "plan": PLAN, "sizes": SIZES, "seeds": 1}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    return us.distill(corpus, out=tmp_path_factory.mktemp("runs") / "run", **ASKED)


def written(folder: Path) -> dict[Path, int]:
    """Every file, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_run_json_says_what_was_meant(run):
    asked = run.settings["arguments"]
    assert asked["options"] == {"weight": 0.5, "temperature": 2.0, "distance": "l1", "feature": 0.0, "mixup": 0.0}
    assert asked["sizes"] == {"width": 16, "dropout": 0.1, "modality_dropout": 0.0, "freeze": "tower", "depth": 2}
    assert (asked["encoders"], asked["teacher_encoders"]) == ({"weak": "mlp"}, {"strong": "mlp", "weak": "mlp"})
    card = (run.export(run.folder.parent / "shipped") / "card.md").read_text()
    assert "method: kd (weight 0.5, temperature 2.0, distance l1, feature 0.0, mixup 0.0)" in card
    assert "student reads: weak (mlp)\n- sizes: width 16, dropout 0.1, modality_dropout 0.0" in card


@pytest.mark.parametrize(
    "spelled",
    [
        {"options": {"weight": 0.5, "temperature": 2}},
        {"sizes": SIZES | {"depth": 2, "modality_dropout": 0}},
        {"encoders": {"weak": "mlp"}},
        {"teacher_encoders": {"strong": "mlp"}, "fusion": "concat"},
    ],
)
def test_a_default_that_is_spelled_out_asks_for_the_same_run(run, corpus, spelled):
    before = written(run.folder)
    us.distill(corpus, out=run.folder, **ASKED | spelled)
    assert written(run.folder) == before


@pytest.mark.parametrize(
    ("other", "name"),
    [({"options": {"weight": 0.4}}, "options"), ({"sizes": {"width": 16, "dropout": 0.2}}, "sizes"), ({"seeds": [1]}, "seeds")],
)
def test_another_value_does_not(run, corpus, other, name):
    with pytest.raises(ValueError, match=f"holds another run .differs in {name}."):
        us.distill(corpus, out=run.folder, **ASKED | other)


def test_a_run_of_a_version_that_wrote_no_defaults_is_known_again(run, corpus, tmp_path):
    old = Path(shutil.copytree(run.folder, tmp_path / "old"))
    settings = json.loads((old / "run.json").read_text())
    settings["arguments"] |= {"options": {}, "encoders": {}, "teacher_encoders": {}, "sizes": SIZES}
    for name in ("fusion", "teacher_fusion", "teacher_head", "space", "plain_of"):
        settings["arguments"].pop(name)
    (old / "run.json").write_text(json.dumps(settings))
    before = written(old)
    assert us.distill(corpus, out=old, **ASKED).results == run.results
    assert written(old) == before
    taken = us.distill(corpus, out=tmp_path / "taken", teachers_of=old, plain_of=old, report=False, **ASKED)
    assert taken.results["systems"] == run.results["systems"]
    with pytest.raises(ValueError, match="differs in options"):
        us.distill(corpus, out=old, **ASKED | {"options": {"weight": 0.4}})
