"""Several artifacts by name, and one that is replaced while it is served."""

import json
import shutil

import pytest
from fastapi.testclient import TestClient
from made_artifact import asked, write_artifact

from understudy.artifact.contract import write_checksums
from understudy.serve import Manner, create_app
from understudy.serve.shelf import named


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    write_artifact(folder / "one", classes=True, names=("said",), name="words")
    write_artifact(folder / "two", classes=True, names=("said", "facts"), name="all")
    return folder


def replace(old, new, aside):
    """As an atomic swap does."""
    old.rename(aside)
    new.rename(old)


def test_each_by_its_name(pair):
    client = TestClient(create_app([str(pair / "one"), f"teacher={pair / 'two'}"]))
    told = client.get("/v1/models").json()["models"]
    assert [(each["name"], each["modalities"], each["refused"]) for each in told] == [
        ("words", {"said": ["said"]}, None),
        ("teacher", {"said": ["said"], "facts": ["age", "<i>town"]}, None),
    ]
    assert asked(client, [{"said": "x"}], model="words").json()["predictions"][0]["probability_<b>yes"] == 1
    found = asked(client, [{"said": "x"}], model="teacher").json()
    assert (found["model"], found["predictions"][0]["probability_<b>yes"]) == ("teacher", 0.5)
    for model in ({}, {"model": ""}):
        refused = asked(client, [{"said": "x"}], **model)
        assert (refused.status_code, refused.json()["detail"]) == (
            404,
            "several models are served, so the request has to name one: words, teacher",
        )
    assert asked(client, [{"said": "x"}], model="other").json()["detail"] == "no model 'other' is served: words, teacher"
    assert client.get("/v1/models/nothing").status_code == 404
    page = client.get("/?model=teacher").text
    assert "Beside it: words" in page
    assert client.get("/?model=other").status_code == 404


def test_a_modality_that_the_artifact_has_not(pair):
    client = TestClient(create_app(pair / "one"))
    refused = asked(client, [{"said": "x"}], modalities=["facts"])
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "row 1: unknown modality facts; this student reads: said",
    )
    refused = asked(client, [{"age": 3}])
    assert "row 1: modality 'said' needs the missing column said" in refused.json()["detail"]
    refused = asked(client, [{"said": "x"}], colour="red")
    assert "unknown entry 'colour'" in refused.json()["detail"]


def test_two_of_one_name_and_none(pair):
    with pytest.raises(ValueError, match=r"one and .*one are both called 'words'; name one of them yourself"):
        named([str(pair / "one"), pair / "one"])
    assert list(named([str(pair / "one"), f"again={pair / 'one'}"])) == ["words", "again"]
    with pytest.raises(ValueError, match="no artifact given"):
        named([])
    with pytest.raises(FileNotFoundError, match="no artifact at"):
        named([str(pair / "nothing")])


def test_what_is_replaced_is_swapped_in_or_refused(tmp_path):
    live, shelf = write_artifact(tmp_path / "live", classes=True, names=("said",), name="words"), None
    app = create_app(live, Manner(watch=3600.0))
    client, shelf = TestClient(app), app.state.shelf
    before = client.get("/v1/models").json()["models"][0]["revision"]
    assert shelf.stale() == []
    better = write_artifact(tmp_path / "better", classes=True, names=("said", "facts"), name="words")
    newer = shutil.copytree(better, tmp_path / "newer")
    replace(live, better, tmp_path / "old")
    assert shelf.stale() == ["words"]
    assert shelf.renew("words") == ""
    assert shelf.stale() == []
    after = client.get("/v1/models").json()["models"][0]
    assert after["revision"] != before
    assert asked(client, [{"said": "x"}]).json()["predictions"][0]["probability_<b>yes"] == 0.5

    document = json.loads((newer / "contract.json").read_text())
    (newer / "contract.json").write_text(json.dumps(document | {"format": 99}))
    write_checksums(newer)
    replace(live, newer, tmp_path / "older")
    assert shelf.stale() == ["words"]
    assert "artifact format 99; this understudy reads format 1: a newer understudy wrote it" in shelf.renew("words")
    told = client.get("/v1/models").json()["models"][0]
    assert told["revision"] == after["revision"]
    assert told["refused"].endswith("what was read before is served")
    assert asked(client, [{"said": "x"}]).status_code == 200

    shutil.rmtree(live)
    assert shelf.stale() == ["words"]
    assert "no artifact at" in shelf.renew("words")
    replace(tmp_path / "old", tmp_path / "older", tmp_path / "oldest")
    (tmp_path / "old").rename(live)
    assert shelf.renew("words") == ""
    assert client.get("/v1/models").json()["models"][0]["refused"] is None


def test_the_service_looks_by_itself(tmp_path, capfd):
    live = write_artifact(tmp_path / "live", classes=True, names=("said",), name="words")
    better = write_artifact(tmp_path / "better", classes=True, names=("said", "facts"), name="words")
    with TestClient(create_app(live, Manner(watch=0.01))) as client:
        replace(live, better, tmp_path / "old")
        for _ in range(500):
            # Counted after it has happened: the last that can be seen of it from outside.
            if 'understudy_reloads_total{model="words",result="swapped"} 1.0' in client.get("/metrics").text:
                break
        else:
            pytest.fail("nothing was swapped in")
        assert len(client.get("/v1/models").json()["models"][0]["modalities"]) == 2
    event = json.loads(capfd.readouterr().err.splitlines()[-1])
    assert (event["event"], event["model"], event["refused"]) == ("reload", "words", "")
