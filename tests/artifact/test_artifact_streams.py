"""A single-stream student ships: proven on every test row, of any number and length, with equal bytes however it was taught."""

import json

import numpy as np
import pytest
import torch

from understudy.artifact.contract import read_contract
from understudy.artifact.export import export
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Schema, Split, write_corpus
from understudy.encoders import ImagePatches, RegionTokens, TextTransformer
from understudy.methods import MAD
from understudy.models.experts import Experts
from understudy.models.fusion import Beside, SingleStream
from understudy.models.model import Model
from understudy.prepare import Choices, Image, Regions, Text
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Choice, Classification
from understudy.teachers.teacher import Frozen

ROWS = 24
WORDS = ["red", "blue", "circle", "square", "above", "beside", "a", "the"]
TASKS = {"choice": Choice(choices=3), "classification": Classification(classes=("yes", "no", "perhaps"))}
READS = {"choice": ("text", "image", "regions"), "classification": ("text", "regions")}


def made_corpus(folder, task) -> Corpus:
    """Some rows lack the picture, the regions or the text; none lacks all."""
    draw = np.random.default_rng(0)
    lacks = draw.integers(0, 5, ROWS)
    kind = "choices" if isinstance(task, Choice) else "text"

    def words() -> str:
        return " ".join(draw.choice(WORDS, draw.integers(1, 12)))

    def regions() -> np.ndarray:
        count = int(draw.integers(1, 5))
        corners = np.concatenate([draw.uniform(0, 0.4, (count, 2)), draw.uniform(0.5, 1, (count, 2))], axis=1)
        return np.concatenate([corners, draw.normal(size=(count, 3))], axis=1).astype(np.float32)

    made = {
        "text": (kind, lambda: tuple(words() for _ in range(3)) if kind == "choices" else words()),
        "image": ("image", lambda: draw.integers(0, 256, (12, 9, 3), dtype=np.uint8)),
        "regions": ("regions", regions),
    }
    cells = {}
    for place, (name, (each, make)) in enumerate(made.items()):
        here = lacks != place
        cells[name] = Cells(each, [make() if there else None for there in here], here)
    modalities = {"text": Modality(kind, width=3 if kind == "choices" else 0, source=("text",))}
    modalities |= {"image": Modality("image", source=("image",)), "regions": Modality("regions", width=3, source=("regions",))}
    ids, targets = [f"r{row}" for row in range(ROWS)], draw.integers(0, 3, ROWS)
    return write_corpus(folder, Schema(task, modalities), ids=ids, targets=targets, cells=cells)


def student(corpus: Corpus) -> Model:
    reads = READS[corpus.task.kind]
    rows, text = np.arange(ROWS), Text.bpe(vocabulary=290, max_tokens=9)
    views = {
        "text": Choices(text) if isinstance(corpus.task, Choice) else text,
        "image": Image((10, 10), 3),
        "regions": Regions(),
    }
    views = {name: view.fit(corpus.cells(name, rows)) for name, view in views.items()}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoders = {
            "text": TextTransformer(views["text"], width=8, heads=2),
            "image": ImagePatches(views["image"], width=12, patch=5),
            "regions": RegionTokens(views["regions"], width=8),
        }
        fusion = SingleStream({name: encoders[name].width for name in reads}, width=8, depth=1, heads=2)
        return Model(corpus.task, {name: encoders[name] for name in reads}, fusion=fusion, name="student").eval()


def taught(plain: Model, corpus: Corpus) -> Model:
    """A student like this one after a step of MAD, given the weights of this one."""
    text = TextTransformer(Text.bpe(vocabulary=270, max_tokens=20).fit(corpus.cells("text", np.arange(ROWS))), width=12, heads=2)
    teacher = Model(corpus.task, {"text": text}, fusion=Beside({"text": 12}), head=Experts(corpus.task, {"text": 12}))
    method = MAD(student(corpus), Frozen(teacher), score="pooled")
    rows = Loader(corpus, range(ROWS), method.views(), task=corpus.task, batch_size=ROWS)
    terms = method(next(rows.batches(0)))
    assert all(float(term.count) for term in terms.values())
    torch.stack([term.total for term in terms.values()]).sum().backward()
    torch.optim.SGD([p for group in method.groups() for p in group.parameters], lr=0.1).step()
    assert not torch.equal(method.student.fusion.types.weight, plain.fusion.types.weight)
    # Strict: MAD left nothing in its student.
    method.student.load_state_dict(plain.state_dict())
    return method.student.eval()


@pytest.mark.parametrize("kind", TASKS)
def test_a_single_stream_ships(kind, tmp_path):
    corpus = made_corpus(tmp_path / "corpus", TASKS[kind])
    rows, model = np.arange(ROWS), student(corpus)
    split = Split("half", train=rows[:8], test=rows[8:], labelled=rows[:8])
    artifact = export(model, tmp_path / "artifact", corpus=corpus, split=split, about={})
    parity = json.loads((artifact / "parity.json").read_text())
    assert parity["max_difference"] < 1e-5
    axes = {i.name: i.axes for i in read_contract(artifact).inputs}
    assert axes["regions.values"] == ("batch", "regions.steps", 3)
    assert axes["text.ids"] == ("batch", "text.steps", 3) if kind == "choice" else ("batch", "text.steps")
    assert {f"{name}.present" for name in READS[kind]} < set(axes)
    if kind == "choice":
        assert parity["answered"] == parity["rows"] == len(split.test)
    else:
        # Equal bytes are equal nodes, inputs and size.
        again = export(taught(model, corpus), tmp_path / "again", corpus=corpus, split=split, about={})
        names = sorted(path.name for path in artifact.iterdir())
        assert all((artifact / name).read_bytes() == (again / name).read_bytes() for name in names)
