"""Whatever stands in a corpus's own JSON documents: one sentence that names the file, never another error."""

import json

import pytest

from corpus.made import as_before, made_corpus
from understudy.corpus import Corpus, make_split
from understudy.corpus.importers.table import import_table

WRONG = (None, True, -1, 1e400, "x", [], ["x"], [[1]], {}, {"x": 1}, {"x": {"x": []}})
UNREADABLE = {"nested": "[" * 100_000, "nested objects": '{"a":' * 100_000, "a list": "[1]", "cut": "{", "empty": ""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    corpus = made_corpus(tmp_path_factory.mktemp("documents") / "c", rows=60, groups=10)
    corpus.save_split(make_split(corpus, name="s"))
    as_before(corpus, "s")
    return corpus.folder


def altered(document, place=()):
    """The document with each of its values replaced by each wrong one, or left out, one at a time."""
    inside = document
    for key in place:
        inside = inside[key]
    for key in list(inside) if isinstance(inside, dict) else range(min(1, len(inside))) if isinstance(inside, list) else ():
        yield from altered(document, (*place, key))
        for wrong in WRONG:
            copy = json.loads(json.dumps(document))
            target = copy
            for step in place:
                target = target[step]
            target[key] = wrong
            yield copy


@pytest.mark.parametrize("name", ["corpus.json", "splits/s.json"])
def test_a_value_of_a_wrong_type_is_a_sentence(folder, name):
    path = folder / name
    written = path.read_text()
    said = []
    try:
        for document in altered(json.loads(written)):
            path.write_text(json.dumps(document))
            try:
                Corpus(folder).split("s")
            except ValueError as error:
                said.append(str(error))
    finally:
        path.write_text(written)
    assert len(said) > 30
    assert [each for each in said if str(folder) not in each] == []


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("name", ["corpus.json", "splits/s.json"])
def test_what_is_no_object_is_named(folder, name, content):
    path = folder / name
    written = path.read_text()
    path.write_text(content)
    try:
        with pytest.raises(ValueError, match=f"{path.name} is damaged"):
            Corpus(folder).split("s")
    finally:
        path.write_text(written)


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_mapping_that_is_no_object_is_named(tmp_path, content):
    (tmp_path / "t.csv").write_text("x,y\n1,0\n2,1\n")
    (tmp_path / "mapping.json").write_text(content)
    with pytest.raises(ValueError, match=r"mapping\.json is damaged"):
        import_table(tmp_path / "t.csv", tmp_path / "c", mapping=tmp_path / "mapping.json")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"target": "y", "column": {}}', r"no key column; choose from group, id, modalities"),
        (
            '{"target": "y", "columns": {"day": "date"}}',
            r"no key columns; .* the types of a table's columns stand in its modality",
        ),
        ('{"target": "y", "modalities": ["x"]}', r"modalities: expected an object"),
    ],
)
def test_a_mapping_with_other_keys_is_told_which(tmp_path, content, said):
    (tmp_path / "t.csv").write_text("x,y\n1,a\n2,b\n")
    (tmp_path / "mapping.json").write_text(content)
    with pytest.raises(ValueError, match=said):
        import_table(tmp_path / "t.csv", tmp_path / "c", mapping=tmp_path / "mapping.json")
