"""A contract with a part of another type is one sentence, wherever the part stands: before anything is served of it."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor

from made_artifact import WHOLE, write_artifact

from understudy.artifact.contract import write_checksums
from understudy.artifact.predict import Artifact
from understudy.serve.described import described
from understudy.serve.page import page
from understudy.serve.question import Question
from understudy.serve.rows import predict_rows
from understudy.serve.shelf import Shelf
from understudy.serve.together import Together

OTHERS = (None, 5, "x", ["x"], {"x": 1})
ROW = {column: value for column, value in WHOLE.items() if column not in ("picture", "sound")}


def places(document, path=()):
    yield path
    if isinstance(document, dict):
        for key, value in document.items():
            yield from places(value, (*path, key))
    elif isinstance(document, list) and document:
        yield from places(document[0], (*path, 0))


def replaced(document, path, value):
    if not path:
        return value
    changed = copy.deepcopy(document)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return changed


def test_every_part_of_another_type(tmp_path):
    folder = write_artifact(tmp_path / "artifact", classes=True)
    document = json.loads((folder / "contract.json").read_text())
    said = []
    for path in places(document):
        for other in OTHERS:
            (folder / "contract.json").write_text(json.dumps(replaced(document, path, other)))
            write_checksums(folder)
            said.append(used(folder))
    assert len(said) > 500
    assert sum(each != "" for each in said) > len(said) / 2
    assert not any("\n" in each for each in said)


def queue(artifact):
    return Together(artifact, ThreadPoolExecutor(1), wait=0.0, on_error="fail")


def used(folder) -> str:
    """What is said of it, if it is not taken."""
    try:
        artifact = Artifact(folder)
        predict_rows(artifact, Question([ROW]))
        (served,) = Shelf({"x": folder}, queue)
        assert page([served], served)
        assert described([served])
    except ValueError as error:
        return str(error)
    return ""
