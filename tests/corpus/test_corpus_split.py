"""Splits: drawn, saved, read back and refused."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.made import as_before, made_corpus, vector_corpus
from understudy.corpus import Corpus, Split, check, given_split, leave_one_group_out, make_split, saved
from understudy.corpus.assign import assign
from understudy.process.alone import alone
from understudy.tasks import Classification, Regression


def at(*rows):
    return np.array(rows, np.intp)


def parts_of(split):
    return {name: set(getattr(split, name).tolist()) for name in ("train", "valid", "test", "labelled")}


def mixed(folder, *, rows=60, seed=0, groups=False, classes=2, repeat=0.3) -> Corpus:
    """Random rows, some equal to others, some without a target."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, 2))
    for row in np.flatnonzero(random.random(rows) < repeat):
        values[row] = values[random.integers(rows)]
    targets = [None if random.random() < 0.2 else int(random.integers(classes)) for _ in range(rows)]
    named = [None if random.random() < 0.1 else f"g{random.integers(rows // 3)}" for _ in range(rows)] if groups else None
    return vector_corpus(folder, values, targets=targets, groups=named, task=Classification(classes=tuple("abcdef"[:classes])))


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), groups=st.booleans(), valid=st.sampled_from([0.0, 0.1, 0.3]))
def test_groups_and_duplicates_never_cross(tmp_path_factory, seed, groups, valid):
    corpus = mixed(tmp_path_factory.mktemp("s") / "c", seed=seed, groups=groups, repeat=0.15)
    split = make_split(corpus, name="s", valid=valid, test=0.2, seed=seed)
    part = np.full(len(corpus), -1)
    for number, name in enumerate(("train", "valid", "test")):
        rows = getattr(split, name)
        assert (part[rows] == -1).all()
        part[rows] = number
    keys = [corpus.content, *([] if corpus.groups is None else [corpus.groups])]
    for key in keys:
        seen = {}
        for each, number in zip(key, part, strict=True):
            if each is not None and number >= 0:
                assert seen.setdefault(each, number) == number
    assert corpus.has_target[part > 0].all()
    assert set(split.labelled) == set(np.flatnonzero((part == 0) & corpus.has_target))
    assert len(split.valid) > 0 or valid == 0
    again = make_split(corpus, name="s", valid=valid, test=0.2, seed=seed)
    assert parts_of(again) == parts_of(split)


@pytest.mark.parametrize("groups", [6, 3])
def test_no_part_stays_empty_beside_a_giant_group(tmp_path, groups):
    named = ["giant"] * 50 + [f"g{row % (groups - 1)}" for row in range(10)]
    values = np.random.default_rng(0).normal(size=(60, 2))
    corpus = vector_corpus(tmp_path / "c", values, targets=[0, 1] * 30, groups=named, task=Classification(classes=("a", "b")))
    split = make_split(corpus, name="s", valid=0.1, test=0.2)
    assert min(map(len, (split.train, split.valid, split.test))) > 0


def assigned_by_hand(unit, strata, shares, seed):
    """A unit after the other, each to the part that lacks its strata most."""
    kinds = sorted(set(strata.tolist()), key=strata.tolist().index)
    counts = np.array([[np.sum((unit == each) & (strata == kind)) for kind in kinds] for each in range(unit.max() + 1)], float)
    # Rows of no stratum count for nothing, but how sums round depends on how many numbers are added.
    counts[:, [kind < 0 for kind in kinds]] = 0
    lacking = np.outer(shares, counts.sum(axis=0))
    order = np.random.default_rng([seed, 1]).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    order = order[counts[order].any(axis=1)]
    part, open_parts = np.zeros(len(counts), int), np.flatnonzero(np.array(shares) > 0)
    empty = open_parts
    for done, each in enumerate(order):
        parts = empty if len(order) - done <= len(empty) else open_parts
        part[each] = parts[np.argmax(lacking[parts] @ counts[each])]
        lacking[part[each]] -= counts[each]
        empty = empty[empty != part[each]]
    return part[unit]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(12, 90),
    alone=st.sampled_from([0.0, 0.5, 1.0]),
    shares=st.sampled_from([(0.7, 0.1, 0.2), (0.8, 0.0, 0.2), (1 - 0.1234, 0.1234), (0.2,) * 5]),
)
def test_parts_are_those_of_a_turn_after_the_other(seed, rows, alone, shares):
    random = np.random.default_rng(seed)
    _, unit = np.unique(
        np.where(random.random(rows) < alone, rows + np.arange(rows), random.integers(0, 9, rows)), return_inverse=True
    )
    strata = random.integers(-1, 4, rows)
    if len(set(unit[strata >= 0].tolist())) >= len(shares):
        assert assign(unit, strata, shares, seed).tolist() == assigned_by_hand(unit, strata, shares, seed).tolist()


def test_too_few_groups_for_the_parts_are_refused(tmp_path):
    values = np.random.default_rng(0).normal(size=(60, 2))
    named = ["giant"] * 50 + ["other"] * 10
    corpus = vector_corpus(tmp_path / "c", values, targets=[0, 1] * 30, groups=named, task=Classification(classes=("a", "b")))
    with pytest.raises(ValueError, match="leave 2 sets of rows that stay together, too few for 3 parts"):
        make_split(corpus, name="s", valid=0.1, test=0.2)


def test_strata_keep_their_shares(tmp_path):
    random = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [100, 50, 10])
    corpus = vector_corpus(
        tmp_path / "c", random.normal(size=(160, 1)), targets=targets, task=Classification(classes=("a", "b", "c"))
    )
    split = make_split(corpus, name="s", valid=0.1, test=0.2, seed=3)
    assert np.bincount(targets[split.test]).tolist() == [20, 10, 2]
    assert np.bincount(targets[split.valid]).tolist() == [10, 5, 1]
    numbers = vector_corpus(tmp_path / "n", random.normal(size=(100, 1)), targets=np.arange(100.0), task=Regression())
    split = make_split(numbers, name="s", valid=0.0, test=0.2, seed=3)
    assert np.bincount(split.test // 20).tolist() == [4] * 5
    assert len(split.valid) == 0


def test_seeds_differ_and_are_spread(tmp_path):
    corpus = vector_corpus(tmp_path / "c", np.random.default_rng(0).normal(size=(200, 1)))
    tested = [make_split(corpus, name="s", seed=seed).test for seed in range(30)]
    assert len({tuple(rows) for rows in tested}) == 30
    times = np.bincount(np.concatenate(tested), minlength=200)
    # 30 draws at one in five: 6 expected, deviation 2.2; a drift along the rows would show in the halves.
    assert times.max() <= 15
    assert abs(times[:100].mean() - times[100:].mean()) < 1


def test_few_labels(tmp_path):
    corpus = vector_corpus(tmp_path / "c", np.random.default_rng(0).normal(size=(200, 1)), targets=np.arange(200) % 4 // 3)
    full = make_split(corpus, name="s")
    few = make_split(corpus, name="s", labelled=40)
    more = make_split(corpus, name="s", labelled=80)
    other = make_split(corpus, name="s", labelled=40, draw=1)
    assert set(few.train) == set(full.train) == set(other.train)
    assert np.bincount(corpus.target[few.labelled]).tolist() == [30, 10]
    assert set(few.labelled) <= set(more.labelled)
    assert set(few.labelled) != set(other.labelled)
    for count in (0, 10_000):
        with pytest.raises(ValueError, match="rows with a target"):
            make_split(corpus, name="s", labelled=count)
    for valid, test in ((0.5, 0.5), (-0.1, 0.2), (0.1, 0.0)):
        with pytest.raises(ValueError, match="shares"):
            make_split(corpus, name="s", valid=valid, test=test)


def test_leave_one_group_out(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=24, groups=4)
    splits = leave_one_group_out(corpus)
    assert [split.name for split in splits] == [f"leave-g{n}" for n in range(4)]
    assert corpus.groups is not None
    for number, split in enumerate(splits):
        assert set(corpus.groups[split.test]) == {f"g{number}"}
        assert set(corpus.groups[split.valid]) == {f"g{(number + 1) % 4}"}
        assert len(set(corpus.groups[split.train])) == 2
        corpus.save_split(split)
    assert len(leave_one_group_out(corpus, valid_groups=0)[0].valid) == 0
    with pytest.raises(ValueError, match="too few"):
        leave_one_group_out(corpus, valid_groups=3)
    with pytest.raises(ValueError, match="needs a corpus with groups"):
        leave_one_group_out(made_corpus(tmp_path / "d"))


def left_out_by_hand(corpus, name, held):
    """The rows of each part when `name` is tested and `held` validate, a row after the other."""
    part = [2 if each == name else 1 if each in held else 0 for each in corpus.groups]
    part = [-1 if number and not there else number for number, there in zip(part, corpus.has_target, strict=True)]
    taken = {}
    for wanted in (2, 1, 0):
        for row, number in enumerate(part):
            if number == wanted and taken.setdefault(corpus.content[row], wanted) != wanted:
                part[row] = -1
    return [[row for row, number in enumerate(part) if number == wanted] for wanted in range(3)]


@pytest.mark.parametrize("valid_groups", [0, 1, 2])
def test_leave_one_group_out_is_what_a_loop_over_rows_finds(tmp_path, valid_groups):
    corpus = mixed(tmp_path / "c", rows=90, seed=4, groups=True, repeat=0.5)
    splits = leave_one_group_out(corpus, valid_groups=valid_groups)
    names = [split.name.removeprefix("leave-") for split in splits]
    assert len(names) > 10
    for number, split in enumerate(splits):
        held = [names[(number + 1 + step) % len(names)] for step in range(valid_groups)]
        found = [split.train.tolist(), split.valid.tolist(), split.test.tolist()]
        assert found == left_out_by_hand(corpus, names[number], held)


def test_leave_one_group_out_drops_what_it_tests(tmp_path):
    corpus = vector_corpus(tmp_path / "c", [[0], [1], [2], [0], [4], [5]], groups=["a", "a", "b", "b", "c", "c"])
    first = leave_one_group_out(corpus, valid_groups=0)[0]
    assert first.test.tolist() == [0, 1]
    assert first.train.tolist() == [2, 4, 5]


def test_leave_one_group_out_tests_and_validates_labelled_groups_alone(tmp_path):
    corpus = vector_corpus(tmp_path / "c", [[n] for n in range(6)], targets=[0, 1, None, None, 1, 0], groups=[*"aabbcc"])
    with pytest.raises(ValueError, match="2 groups with a labelled row: too few"):
        leave_one_group_out(corpus, valid_groups=1)
    assert [(s.name, s.test.tolist(), s.train.tolist()) for s in leave_one_group_out(corpus, valid_groups=0)] == [
        ("leave-a", [0, 1], [2, 3, 4, 5]),
        ("leave-c", [4, 5], [0, 1, 2, 3]),
    ]


def test_of_several_splits_all_are_saved_or_none(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=24, groups=4)
    good = leave_one_group_out(corpus)
    with pytest.raises(ValueError, match="test is empty"):
        corpus.save_splits([*good, Split("s", at(0), at(), at(0))])
    with pytest.raises(ValueError, match="file name"):
        corpus.save_splits([*good, replace(good[0], name="a/b")])
    assert corpus.splits == ()
    assert [split.name for split in corpus.save_splits(good)] == [split.name for split in good] == list(corpus.splits)


def test_given(tmp_path):
    corpus = vector_corpus(tmp_path / "c", [[n] for n in range(6)], targets=[0, 1, None, 0, 1, 0])
    split = corpus.save_split(given_split(corpus, name="g", parts=["train", "Train ", "train", "dev", "test", ""]))
    assert parts_of(split) == {"train": {0, 1, 2}, "valid": {3}, "test": {4}, "labelled": {0, 1}}
    with pytest.raises(ValueError, match="row 'r1': 'x' is none of train"):
        given_split(corpus, name="g", parts=["train", "x"] + [None] * 4)


def test_saved_and_read(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=40, groups=8)
    split = make_split(corpus, name="a b", seed=5)
    saved = corpus.save_split(split)
    assert parts_of(saved) == parts_of(split)
    assert (saved.name, saved.group, saved.seed) == ("a b", True, 5)
    assert len(saved.hash) == 64
    assert corpus.splits == ("a b",)
    assert Corpus(corpus.folder).split("a b").hash == saved.hash
    assert not list((corpus.folder / "splits").glob(".*"))
    with pytest.raises(KeyError, match="no split 'b'; it has a b"):
        corpus.split("b")
    for name in ("", "../x", ".x"):
        with pytest.raises(ValueError, match="file name"):
            corpus.save_split(make_split(corpus, name=name))


def test_a_name_that_is_taken_by_other_rows_is_refused_and_by_the_same_rows_is_no_matter(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=40)
    first = corpus.save_split(make_split(corpus, name="s"))
    path = corpus.folder / "splits" / "s.arrow"
    before = path.stat().st_mtime_ns
    assert corpus.save_split(make_split(corpus, name="s")).hash == first.hash
    assert path.stat().st_mtime_ns == before
    other = make_split(corpus, name="s", seed=1)
    with pytest.raises(
        ValueError, match=r"has a split 's' of other rows, on which runs may rest: choose another name, or remove"
    ):
        corpus.save_splits([make_split(corpus, name="t"), other])
    assert corpus.split("s").hash == first.hash
    assert corpus.splits == ("s",), "none of several, where one is refused"
    path.unlink()
    assert corpus.save_split(other).hash != first.hash
    with alone(corpus.folder / "splits"):
        corpus.save_split(other)
        with pytest.raises(ValueError, match="another process is at work"):
            corpus.save_split(make_split(corpus, name="t"))


REFUSED = {
    "stands in train and in test": Split("s", at(0, 1), at(1, 2), at(0)),
    "train is empty": Split("s", at(), at(1), at()),
    "test is empty": Split("s", at(0), at(), at(0)),
    "labelled is empty": Split("s", at(0), at(1), at()),
    "labelled rows must be train rows": Split("s", at(0), at(1), at(2)),
    "row 'r6' has no target": Split("s", at(0), at(1, 6), at(0)),
    "group 'g0' stands in train and in test": Split("s", at(0), at(1), at(0), group=True),
}


@pytest.mark.parametrize("said", REFUSED)
def test_refused(tmp_path, said):
    corpus = made_corpus(tmp_path / "c", groups=4)
    with pytest.raises(ValueError, match=said):
        corpus.save_split(REFUSED[said])
    assert corpus.splits == ()


def test_refused_files_of_before(tmp_path):
    corpus = made_corpus(tmp_path / "c", groups=4)
    corpus.save_split(Split("s", at(0), at(22), at(0)))
    path = as_before(corpus, "s")
    document = json.loads(path.read_text())

    def changed(said, **changes):
        path.write_text(json.dumps(document | changes))
        with pytest.raises(ValueError, match=said):
            corpus.split("s")

    changed("changed after it was written", test=["r21"])
    changed("test names 1 ids that the corpus does not have, the first 'zz'", test=["zz"])
    changed("damaged: test is 3; expected a list", test=3)
    changed("damaged: group is", group=[], test=[["r1"]])
    del document["hash"]
    changed("'r0' stands in train and in test", test=["r0"])
    changed("group 'g0'", test=["r1"], group=True)
    changed("damaged: train is null; expected a list", train=None)
    path.write_text(json.dumps(document | {"test": ["r21"]}))
    assert corpus.split("s").test.tolist() == [21]
    path.write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        corpus.split("s")


def test_a_split_of_before_is_the_same_split(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=60, groups=20)
    written = corpus.save_split(make_split(corpus, name="s", seed=3))
    as_before(corpus, "s")
    found = Corpus(corpus.folder).split("s")
    assert [getattr(found, part).tolist() for part in saved.PARTS] == [getattr(written, part).tolist() for part in saved.PARTS]
    assert (found.hash, found.group, found.seed) == (written.hash, written.group, written.seed)
    listed = {part: sorted(corpus.ids[getattr(written, part)]) for part in saved.PARTS}
    assert written.hash == hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
    assert corpus.save_split(make_split(corpus, name="s", seed=3)).hash == found.hash, "it stays in the form it has"
    assert [path.name for path in (corpus.folder / "splits").iterdir()] == ["s.json"]


def test_refused_files(tmp_path):
    corpus = made_corpus(tmp_path / "c", groups=4)
    corpus.save_split(Split("s", at(0), at(22), at(0)))
    path = corpus.folder / "splits" / "s.arrow"
    whole = path.read_bytes()
    other = made_corpus(tmp_path / "d", groups=4, seed=1)
    other.save_split(Split("t", at(0), at(22), at(0)))
    (other.folder / "splits" / "s.arrow").write_bytes(whole)
    with pytest.raises(ValueError, match="names rows of another corpus"):
        other.split("s")
    at_rows = whole.index(np.array([22], np.uint32).tobytes())
    for content, said in {
        whole[:at_rows] + b"\x15" + whole[at_rows + 1 :]: "its hash does not fit its rows",
        whole[: len(whole) // 2]: "is damaged",
        b"": "is damaged",
        whole.replace(b'"group"', b'"grope"'): "is damaged: it lacks 'group'",
    }.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=said):
            corpus.split("s")


def test_of_splits_that_the_disk_does_not_take_none_is_left(tmp_path, monkeypatch):
    corpus = made_corpus(tmp_path / "c", rows=60)
    kept = corpus.save_split(make_split(corpus, name="kept"))
    splits, whole = [make_split(corpus, name=name, seed=1) for name in "abc"], saved.whole_file

    def full(path):
        if path.name == "c.arrow":
            raise OSError(28, "No space left on device")
        return whole(path)

    monkeypatch.setattr(saved, "whole_file", full)
    with pytest.raises(OSError, match="No space"):
        corpus.save_splits([kept, *splits])
    assert corpus.splits == ("kept",)
    assert check(corpus).errors == []


def test_a_lock_that_was_left_when_all_was_saved_goes_with_the_next_call(tmp_path):
    corpus = vector_corpus(tmp_path / "c", np.arange(20)[:, None], targets=[0, 1] * 10, task=Classification(classes=("a", "b")))
    split = corpus.save_split(make_split(corpus, name="main"))
    (left := tmp_path / "c" / "splits" / ".lock").touch()
    with alone(tmp_path / "c" / "splits"):
        # Of somebody who lives it stays.
        corpus.save_split(split)
        assert left.exists()
    left.touch()
    corpus.save_split(split)
    assert not left.exists()
    assert corpus.splits == ("main",)
