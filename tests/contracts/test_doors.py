"""Every public function that takes a corpus takes it as a folder, as a Corpus and as data; a split by name and as it is."""

from collections.abc import Callable
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import understudy as us
from understudy.cli import main
from understudy.corpus import Corpus, opened, opened_split
from understudy.evaluate import advice
from understudy.prepare.frames import framed

PLAN = {"epochs": 1, "batch_size": 32}
STORED = {"modality": "number", "encoder": "none"}


def rows() -> list[dict[str, Any]]:
    """A vector and a text, neither of which says the target without doubt; groups of two."""
    draw = np.random.default_rng(0)
    found = []
    for row in range(60):
        words = ("warm", "sunny", "day") if (row + (row % 7 == 0)) % 2 else ("cold", "wet", "day")
        numbers = {f"x{at}": round(float(draw.normal() + row % 2), 3) for at in range(3)}
        found.append({"note": " ".join([*words, f"no {row}"]), **numbers, "y": "yes" if row % 2 else "no"})
    return found


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """Data is made a corpus in a cache of the tests' own; forests would take seconds each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advice, "PROBES", ("linear",))
        patch.setenv("UNDERSTUDY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory, cache) -> Corpus:
    corpus = us.corpus(rows(), target="y", out=tmp_path_factory.mktemp("made") / "corpus")
    corpus.save_split(us.make_split(corpus, name="default"))
    return corpus


@pytest.fixture(scope="module")
def run(made, tmp_path_factory) -> us.Run:
    return us.distill(made, student="note", plan=PLAN, seeds=1, out=tmp_path_factory.mktemp("runs") / "run", report=False)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "advise": lambda run, out, *given, **more: us.advise(*given, "x", **more).to_json(),
    "check": lambda run, out, *given, **more: us.check(*given, **more).facts["rows"],
    "distill": lambda run, out, *given, **more: (
        us.distill(*given, student="note", plan=PLAN, seeds=1, out=run.folder, report=False, **more).results
    ),
    "export": lambda run, out, given, **more: refused(
        us.export, "no split 'none'; it has default", run.model(), out / "shipped", corpus=given, split="none", **more
    ),
    "leave_one_group_out": lambda run, out, *given, **more: refused(us.leave_one_group_out, "with groups", *given, **more),
    "load": lambda run, out, given, **more: us.load(run, corpus=given, **more).corpus().fingerprint,
    "make_folds": lambda run, out, *given, **more: [each.test.tolist() for each in us.make_folds(*given, folds=2, **more)],
    "make_split": lambda run, out, *given, **more: us.make_split(*given, name="other", **more).test.tolist(),
    "store_features": lambda run, out, *given, **more: refused(
        us.store_features, "no modality 'number'; the corpus has note, x", *given, out / "features", **STORED, **more
    ),
}
"""Public function -> a short call of it, and what has to be the same whatever kind the corpus is given as."""


def refused(function: Callable[..., Any], said: str, *given: Any, **more: Any) -> str:
    with pytest.raises((ValueError, KeyError), match=said) as error:
        function(*given, **more)
    return str(error.value)


def test_they_are_all_that_take_a_corpus():
    takes = {
        name
        for name in us.__all__
        if name != "corpus" and callable(getattr(us, name)) and not isinstance(getattr(us, name), type)
    }
    assert {name for name in takes if "corpus" in signature(getattr(us, name)).parameters} == FUNCTIONS.keys()
    splits = {name for name in takes if "split" in signature(getattr(us, name)).parameters}
    assert splits == {"advise", "distill", "evaluate_subsets", "export", "import_table"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_folder_a_corpus_and_data_are_one(made, run, tmp_path, name):
    found = []
    for number, (given, more) in enumerate(
        [(made, {}), (str(made.folder), {}), (Path(made), {}), (rows(), {"target": "y"}), (pd.DataFrame(rows()), {"target": "y"})]
    ):
        (out := tmp_path / str(number)).mkdir()
        found.append(FUNCTIONS[name](run, out, given, **more))
    assert all(each == found[0] for each in found)


def test_every_kind_of_data_is_the_same_corpus(made, tmp_path):
    datasets = pytest.importorskip("datasets")
    table = framed(rows()).table
    frames: list[Any] = [
        *(pd.DataFrame(rows()), pl.DataFrame(rows()), table, datasets.Dataset.from_list(rows())),
        *({name: table.column(name).to_pylist() for name in table.column_names}, rows()),
    ]
    pd.DataFrame(rows()).to_csv(tmp_path / "rows.csv", index=False)
    assert {opened(frame, target="y").fingerprint for frame in [*frames, tmp_path / "rows.csv"]} == {made.fingerprint}


def test_a_split_by_name_and_as_it_is(made, run, tmp_path):
    own = made.split("default")
    assert us.advise(made, "x", split="default") == us.advise(made, ["x"], split=own)
    assert us.evaluate_subsets(run, split="default") == us.evaluate_subsets(run.folder, split=own)
    other = us.make_split(made, name="saved by distill", seed=1)
    more = us.distill(made, student="note", split=other, plan=PLAN, seeds=1, out=tmp_path / "run", report=False)
    assert more.split().test.tolist() == other.test.tolist()
    assert "saved by distill" in made.splits
    refused(us.advise, "it is of another corpus", rows()[:20], "x", target="y", split=own)


def test_data_has_a_split_drawn_only_where_it_names_none(made):
    corpus, split = opened_split(rows(), target="y")
    assert (split.name, corpus.splits) == ("default", ("default",))
    assert split.test.tolist() == made.split("default").test.tolist()
    parts = [each | {"part": ("train", "train", "test")[row % 3]} for row, each in enumerate(rows())]
    given = us.corpus(parts, target="y", split="part")
    assert opened_split(given)[1].name == "given"


def test_a_run_answers_data_in_its_kind_as_it_answered_the_test_rows(run):
    frame = pd.DataFrame(rows(), index=range(7, 67))
    said = run.predict(frame)
    assert said.index.equals(frame.index)
    (kept,) = run.predictions("distilled")
    place = [int(key.removeprefix("row-")) - 1 for key in kept.id]
    np.testing.assert_allclose(said[["probability_no", "probability_yes"]].to_numpy()[place], kept.values, atol=1e-5)
    assert run.artifact().folder == run.folder / "shipped" / "distilled" / "seed-0"
    assert run.predict(rows()[:1])[0].keys() == set(said.columns)


def test_what_a_notebook_shows(run, made):
    artifact = run.artifact()
    assert repr(made) == f"Corpus({str(made.folder)!r}, 60 rows, note: text, x: vector[3]; classification)"
    assert repr(run).endswith("note taught by note+x: one training run)")
    assert repr(artifact) == f"Artifact({str(artifact.folder)!r}, reads note; classification)"
    assert repr(us.check(made)) == "Findings(0 errors, 0 warnings, 60 rows)"
    for shown, words in (
        (made, ("splits: default", "<td>vector[3]</td>", "<th>rows that have it</th>")),
        (run, ("the distilled student is one training run", "<td>note + x</td>", "<th>accuracy</th>")),
        (artifact, ("classification of no, yes", "<td>note</td>")),
        (us.check(made), ("no errors, no warnings", "<td>0.0%</td>")),
    ):
        page = shown._repr_html_()
        assert all(each in page for each in words), page


def test_versions(capsys):
    assert us.__version__ == version("understudy")
    assert main(["--version"]) == 0
    assert main(["--version", "--json"]) == 0
    assert capsys.readouterr().out == f'understudy {us.__version__}\n{{"version": "{us.__version__}"}}\n'


@pytest.mark.parametrize(
    ("given", "more", "said"),
    [
        (rows(), {}, "list of rows given without its target: say which column it is"),
        ("corpus", {"target": "y"}, "target 'y' given beside a corpus, which has its own"),
        (rows(), {"target": "z"}, "target column 'z' is not in the table"),
        (3, {"target": "y"}, "a int of builtins given; expected a path"),
    ],
)
def test_what_is_no_corpus_is_one_sentence(made, given, more, said):
    with pytest.raises((ValueError, TypeError), match=said):
        us.check(made if given == "corpus" else given, **more)
