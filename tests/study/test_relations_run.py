"""Methods of relations from end to end: a teacher that goes on from where it was, a memory of rows, and what is refused early."""

import json

import numpy as np
import pytest
import torch

import understudy as us
from study.small import SIZES
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification
from understudy.training.plan import Plan

PLAN = Plan(epochs=3, batch_size=32, rate=5e-3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    """Three classes, a strong modality that some rows lack, and a weak one; most train rows without a label."""
    random = np.random.default_rng(0)
    classes = np.arange(160) % 3
    cells = {
        name: Cells("vector", (np.eye(3)[classes] + noise * random.normal(size=(160, 3))).astype(np.float32), here)
        for name, noise, here in (("strong", 0.3, np.arange(160) % 5 > 0), ("weak", 1.0, np.ones(160, bool)))
    }
    made = write_corpus(
        tmp_path_factory.mktemp("data") / "corpus",
        Schema(Classification(classes=("a", "b", "c")), {name: Modality("vector", width=3) for name in cells}),
        ids=[f"r{row}" for row in range(160)],
        targets=classes,
        cells=cells,
    )
    made.save_split(make_split(made, name="few", valid=0.2, test=0.3, labelled=24))
    return made


def run(corpus: Corpus, out, method: str, **changes) -> us.Run:
    asked = {"student": ["weak"], "split": "few", "plan": PLAN, "sizes": SIZES, "seeds": 1, "report": False}
    return us.distill(corpus, method=method, out=out, **(asked | changes))


def terms(made: us.Run) -> dict[str, float]:
    log = (made.folder / "distilled" / "seed-0" / "log.jsonl").read_text().splitlines()
    return json.loads(log[-1])["terms"]


def test_c2kd_trains_the_teacher_on(corpus, tmp_path):
    made = run(corpus, tmp_path / "run", "c2kd", plan=Plan(epochs=1, batch_size=32, rate=1e-9), teacher_plan=PLAN)
    led, along = (made.model(system).state_dict() for system in ("teacher", "joint_teacher"))
    assert all(torch.allclose(led[name], along[name], atol=1e-6) for name in led)
    assert not all(torch.equal(led[name], along[name]) for name in led)
    assert set(terms(made)) == {"supervised", "teacher", "teacher_proxy", "student_proxy", "cross"}


@pytest.mark.parametrize(("method", "name"), [("crd", "crd"), ("rkd", "rkd"), ("pkt", "pkt"), ("vid", "vid"), ("dkd", "dkd")])
def test_a_stored_teacher_is_enough(corpus, tmp_path, method, name):
    made = run(corpus, tmp_path / "run", method, options={"warmup": 4} if method == "dkd" else {})
    assert set(terms(made)) == {"supervised", name}
    assert all(np.isfinite(value) for value in terms(made).values())
    assert made.results["systems"]["distilled"]["parameters"] == made.results["systems"]["plain"]["parameters"]


def test_an_ensemble_is_refused_before_anything_is_trained(corpus, tmp_path):
    for method, words in (("rkd", "rkd reads .*embedding"), ("c2kd", "trains the teacher beside")):
        with pytest.raises(ValueError, match=words):
            run(corpus, tmp_path / "run", method, ensemble="yes")
    assert not (tmp_path / "run").exists()
