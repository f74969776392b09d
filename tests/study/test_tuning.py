"""Settings of a plan and of a method, chosen by validation rows."""

import json
import shutil
from typing import Any

import pytest

import understudy as us
from study.small import SIZES, files, make_corpus
from understudy.corpus import Corpus, make_split
from understudy.methods import CATALOGUE
from understudy.players.options import whole_options
from understudy.process.log import LOG, read_log
from understudy.report import write_report
from understudy.report.page import title
from understudy.study import tuning
from understudy.study.ahead import ahead
from understudy.study.join import join
from understudy.study.tuning import rounds

ASKED: dict[str, Any] = {
    "student": ["weak"],
    "split": "some",
    "plan": {"epochs": 4, "batch_size": 32},
    "sizes": SIZES,
    "encoders": {"weak": "mlp", "strong": "mlp", "spare": "mlp"},
    "seeds": 2,
    "search": 3,
    "report": False,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    made = make_corpus(tmp_path_factory.mktemp("data") / "corpus")
    made.save_split(make_split(made, name="some", valid=0.3, test=0.3))
    made.save_split(make_split(made, name="none", valid=0.0, test=0.3, labelled=20))
    return made


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    return us.distill(corpus, out=tmp_path_factory.mktemp("run") / "run", **ASKED)


def best(run: us.Run, system: str) -> float:
    return max(line["valid"]["accuracy"] for line in read_log(run.folder / system / "seed-0"))


@pytest.mark.parametrize(("system", "tried"), [("plain", "plain/search"), ("distilled", "tried/search")])
def test_the_better_half_goes_on_and_the_best_is_what_all_seeds_train_with(run, system, tried):
    found = json.loads((run.folder / "tuned.json").read_text())
    first = {each: best(run, f"{tried}-0/{each}") for each in range(3)}
    second = {path.name for path in run.folder.glob(f"{tried}-1/*")}
    assert second == {str(each) for each in sorted(first, key=lambda each: -first[each])[:2]}
    last = {each: best(run, f"{tried}-1/{each}") for each in second}
    winner = max(sorted(last, key=lambda each: -first[int(each)]), key=lambda each: last[each])
    kept = found[f"{tried}-0/{winner}"]
    assert found[system] == {"plan": {n: kept["plan"][n] for n in found[system]["plan"]}, "options": kept["options"]}
    assert [len(read_log(run.folder / f"{tried}-{number}/{winner}" / "seed-0")) for number in (0, 1)] == [1, 2]
    assert {len(read_log(run.folder / system / f"seed-{seed}")) for seed in (0, 1)} == {4}


def test_settings_that_diverge_are_out_and_no_candidate_meets_the_test_rows(corpus, run, tmp_path, monkeypatch):
    assert not list(run.folder.glob("*/search-*/*/seed-*/*.npz"))
    drawn = tuning.candidates

    def endless(settings, system):
        asked, wild, *others = drawn(settings, system)
        return [asked, {**wild, "plan": {**wild["plan"], "rate": 1e30}}, *others]

    monkeypatch.setattr(tuning, "candidates", endless)
    found = us.distill(corpus, out=tmp_path / "run", **ASKED | {"seeds": 1})
    assert not read_log(found.folder / "plain/search-0/1/seed-0"), "it diverged"
    assert {path.name for path in found.folder.glob("plain/search-1/*")} == {"0", "2"}
    assert us.distill(corpus, out=tmp_path / "run", **ASKED | {"seeds": 1}).results == found.results


def test_the_first_setting_is_what_was_asked_and_both_may_try_as_much(run):
    found = json.loads((run.folder / "tuned.json").read_text())
    for tried in ("plain/search", "tried/search"):
        assert set(found[f"{tried}-0/0"]["plan"]) == {"epochs", "schedule", "patience"}
        assert {each: found[f"plain/search-0/{each}"]["plan"] for each in (1, 2)} == {
            each: found[f"{tried}-0/{each}"]["plan"] for each in (1, 2)
        }
    assert found["plain/search-0/1"]["options"] == {}
    assert "pretrained_rate" not in found["plain/search-0/1"]["plan"], "nothing is pretrained here"
    assert 0 < found["tried/search-0/1"]["options"]["weight"] < 1


def test_results_and_page_say_what_was_chosen_and_spent(run, tmp_path):
    found = run.results["search"]
    assert found["settings"] == 3
    shutil.copytree(run.folder, tmp_path / "run")
    page = write_report(tmp_path / "run").read_text()
    for system, each in found["systems"].items():
        tried = [read_log(path.parent) for path in run.folder.glob(f"*/search-*/*/seed-0/{LOG}")]
        assert each["updates"] * 2 == sum(log[-1]["step"] for log in tried)
        assert f"{title(system)} chosen" in page
        assert each["chose"] in page


def test_a_run_that_was_stopped_on_the_way_ends_the_same(corpus, run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    for name in ("results.json", "distilled", "plain/search-1", "plain/seed-1", "tuned.json"):
        path = tmp_path / "run" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert files(us.distill(corpus, out=tmp_path / "run", **ASKED).folder) == files(run.folder)


def test_two_at_once_end_the_same(corpus, run, tmp_path):
    assert files(us.distill(corpus, out=tmp_path / "run", jobs=2, **ASKED).folder) == files(run.folder)


def test_a_plan_counts_the_rounds(corpus):
    asked: dict[str, Any] = {name: value for name, value in ASKED.items() if name != "report"}
    found = {line.system: (line.trainings, line.epochs) for line in ahead(corpus, **asked).lines}
    assert {name: found[name] for name in found if "/search-" in name} == {
        f"{name}/search-{number}": many for name in ("plain", "tried") for number, many in enumerate([(3, 1), (2, 2)])
    }


def test_rounds_double_and_the_last_is_half_a_training():
    assert [rounds(many, 80) for many in (0, 2, 3, 8)] == [[], [40], [20, 40], [10, 20, 40]]
    assert rounds(8, 3) == [1, 1, 1]


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name != "supervised"])
def test_every_method_says_how_strongly_it_teaches(name):
    options = whole_options(name, {})
    method = CATALOGUE[name]
    same, more = method.stronger(1.0, **options), method.stronger(2.0, **options)
    assert same
    assert same == pytest.approx({each: options[each] for each in same})
    assert all(more[each] > same[each] for each in more)


@pytest.mark.parametrize(
    ("more", "said"), [({"search": 1}, "2 or more"), ({"search": -3}, "2 or more"), ({"split": "none", "valid": 0.0}, "has none")]
)
def test_what_cannot_be_searched(corpus, tmp_path, more: dict[str, Any], said):
    asked: dict[str, Any] = ASKED | more
    with pytest.raises(ValueError, match=said):
        us.distill(corpus, out=tmp_path / "run", **asked)
    assert not (tmp_path / "run").exists()


def test_more_seeds_train_with_what_was_chosen_unless_another_comes_first(corpus, run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    more = us.distill(corpus, out=tmp_path / "run", **ASKED | {"seeds": 3})
    assert (more.folder / "tuned.json").read_bytes() == (run.folder / "tuned.json").read_bytes()
    with pytest.raises(ValueError, match=r"differs in seeds"):
        us.distill(corpus, out=tmp_path / "run", **ASKED | {"seeds": [3, 0, 1, 2]})


def test_plain_students_that_searched_otherwise_are_no_control(corpus, run, tmp_path):
    with pytest.raises(ValueError, match="were trained with another search"):
        us.distill(corpus, out=tmp_path / "run", **ASKED | {"plain_of": run.folder, "search": 0})
    taken = us.distill(corpus, out=tmp_path / "run", **ASKED | {"plain_of": run.folder, "method": "rkd"})
    assert taken.results["systems"]["plain"] == run.results["systems"]["plain"]


def test_runs_that_chose_differently_are_not_joined(corpus, run, tmp_path):
    other = us.distill(corpus, out=tmp_path / "other", **ASKED | {"seeds": [2]})
    with pytest.raises(ValueError, match=r"differ in tuned.json"):
        join([run.folder, other.folder], tmp_path / "joined")
