"""The service: JSON in, predictions out, clear refusals, one page."""

import json
import socket
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from made_artifact import MODALITIES, WHOLE, asked, encoded, png

from understudy.artifact.contract import Contract
from understudy.prepare.cells import Modality
from understudy.serve import Manner, create_app, question, serve
from understudy.serve.hosts import names_of
from understudy.serve.page import fields


def test_health_and_contract(client):
    assert client.get("/health").json() == {"status": "ok"}
    (told,) = client.get("/v1/models").json()["models"]
    found = client.get(f"/v1/models/{quote(told['name'], safe='')}").json()
    assert Contract.from_json(found["contract"]).modalities == MODALITIES
    assert found["sample"]["rows"][0].keys() == WHOLE.keys()
    assert found["revision"] == told["revision"]


def test_every_kind_and_any_subset(client):
    rows = [
        WHOLE,
        {"said": "hello"},
        {"a": 1, "b": None, "picture": png()},
        {"said": None},
        {"list": [1.0, 2.0, 3.0], "extra": {"x": 1}},
    ]
    answer = asked(client, rows)
    assert answer.status_code == 200, answer.text
    assert [row["prediction"] for row in answer.json()["predictions"]] == [8, 1, 2, None, 1]
    assert answer.json()["answered"] == 4
    assert answer.json()["modalities"] == list(MODALITIES)
    assert asked(client, [{"said": "x"}]).json()["modalities"] == ["said"]


@pytest.mark.parametrize("name", ["list", "steps", "picture", "sound", "a", "age"])
def test_a_value_that_is_null_in_every_row_is_absent(client, name):
    alone = dict.fromkeys({"a": ("a", "b"), "age": ("age", "<i>town")}.get(name, (name,)))
    answer = asked(client, [alone | {"said": "good"}, alone | {"said": "slow"}])
    assert [row["prediction"] for row in answer.json()["predictions"]] == [1, 1]


def test_half_a_character_is_named(client):
    answer = client.post(
        "/v1/predict",
        content=b'{"rows": [{"said": "ok"}, {"said": "cut \\ud83d"}]}',
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["detail"].partition("; ")[0]) == (
        422,
        "column 'said', row 2: half of a character, which is no text",
    )


def test_the_modality_of_which_a_part_is_there_is_the_one_that_is_named(client):
    detail = asked(client, [{"age": "40"}]).json()["detail"]
    assert detail.startswith("row 1: modality 'facts' needs the missing column <i>town")


def test_classes_come_with_probabilities(chooser):
    answer = asked(chooser, [WHOLE, {"said": "x"}, {"said": "  "}]).json()["predictions"]
    assert answer == [
        {"prediction": "<b>yes", "probability_no": 0.0, "probability_<b>yes": 1.0},
        {"prediction": "no", "probability_no": 0.875, "probability_<b>yes": 0.125},
        {"prediction": None, "probability_no": None, "probability_<b>yes": None},
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"a": 1}], "row 1: modality 'few' needs the missing column b; the table has: a"),
        ([{"said": "x"}, {"steps": [[1, 2]], "m1": 3}], "row 2: modality 'many' needs the missing columns m0, m2"),
        ([{"typo": 1}], "row 1: modality 'few' needs the missing columns a, b"),
        ([{}], "needs the missing column"),
        ([{"list": [1, 2]}], "column 'list', row 1"),
        ([{"list": "/etc/secret.npy"}], "column 'list', row 1: text given"),
        ([{"steps": "/etc/secret.npy"}], "column 'steps', row 1: text given"),
        ([{"steps": 5}], "column 'steps', row 1: no list given; expected a list of lists"),
        ([{"steps": 1e308}, {"steps": [[1, 2]]}], "column 'steps', row 1: no list given"),
        ([{"steps": {"part": "a"}}], "column 'steps', row 1: no list given"),
        ([{"a": 1, "b": "../x.npy"}], "column 'b', row 1: text given"),
        ([{"said": [5]}], "column 'said' holds list<item: int64>; expected text"),
        ([{"said": "x"}, {"said": [5]}], "column 'said'"),
        ([{"said": "ok"}, {"said": "x" * 100_001}], "column 'said', row 2: a text of 100,001 characters; at most 100,000"),
        ([{"age": 1, "<i>town": "x" * 100_001}], "column '<i>town', row 1: a text of 100,001 characters"),
        ([{"picture": "/etc/passwd"}], "column 'picture', row 1: expected a file's bytes in base64"),
        ([{"picture": encoded(b"nothing")}], "column 'picture', row 1: what was sent is not a readable picture"),
        ([{"sound": encoded(b"nothing")}], "column 'sound', row 1: what was sent is not a readable sound file"),
        ([{"age": 2**70, "<i>town": "x"}], "column 'age'"),
        ([{"a": [1], "b": [2]}], "column 'a'"),
        ([], "0 rows given; 1 to 1000 are allowed"),
        ([{"said": "x"}] * 1001, "1001 rows given"),
        ({"said": "x"}, "rows is {"),
        ([{"said": "x"}, 1], "row 2 is no object"),
        (None, "rows is null; expected a list"),
    ],
)
def test_what_cannot_be_used_is_422_with_the_reason(client, rows, said):
    answer = asked(client, rows)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]
    assert "/tmp" not in answer.json()["detail"]
    assert "understudy-" not in answer.json()["detail"]
    assert "7069" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"rows": [{"a": NaN, "b": 1}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"rows": [{"said": "\\ud800"}]}',
        b"[]",
        b"5",
        b"{}",
    ],
)
def test_broken_json_is_422(client, body):
    answer = client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_only_json_is_taken(client):
    answer = client.post("/v1/predict", content=b"[]", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_a_large_body_is_cut_off(client, monkeypatch):
    monkeypatch.setattr(question, "LARGEST_BODY", 2**20)
    sent = []

    def endless():
        for _ in range(50):
            sent.append(1)
            yield b" " * 2**18

    answer = client.post("/v1/predict", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "larger than 1 MB" in answer.json()["detail"]


class Form(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.boxes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "label":
            self.boxes.append((dict(attrs)["data-how"], json.loads(dict(attrs)["data-columns"] or "")))


def test_boxes_of_choices_and_regions():
    boxes = fields(Modality("choices", width=3), ("said",)) + fields(Modality("choices", width=2), ("a", "b"))
    form = Form("".join(boxes + fields(Modality("regions", width=5), ("seen",))))
    assert form.boxes == [("lines", ["said"]), ("text", ["a"]), ("text", ["b"]), ("steps", ["seen"])]


def test_the_page_is_one_form_of_the_contract(client, chooser):
    answer = client.get("/")
    form = Form(answer.text)
    assert form.boxes == [
        ("number", ["a"]),
        ("number", ["b"]),
        ("spread", [f"m{i}" for i in range(20)]),
        ("numbers", ["list"]),
        ("number", ["age"]),
        ("text", ["<i>town"]),
        ("steps", ["steps"]),
        ("text", ["said"]),
        ("file", ["picture"]),
        ("file", ["sound"]),
    ]
    assert form.tags.count("script") == 2
    assert "i" not in form.tags
    assert "alert(1)</script>" not in answer.text
    assert "a number in pieces" in answer.text
    assert "one of 2 classes" in chooser.get("/").text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for path in ("/assets/page.css", "/assets/page.js"):
        assert client.get(path).status_code == 200
    for path in ("/", "/docs", "/assets/page.css", "/assets/page.js"):
        assert "://" not in client.get(path).text
    assert client.get("/assets/page.html").status_code == 404


def test_an_address_that_cannot_be_listened_on(artifact):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"cannot listen on 127.0.0.1, port {port}: .*give another --port"):
            serve(artifact, port=port)
    for host, port in (("127.0.0.1", 70_000), ("no such host", 0)):
        with pytest.raises(ValueError, match=f"cannot listen on {host}, port {port}"):
            serve(artifact, host=host, port=port)


def test_what_is_left_empty_is_absent_in_every_box(client):
    empty = asked(client, [dict.fromkeys(WHOLE, ""), dict.fromkeys(WHOLE, " \n"), WHOLE])
    assert [row["prediction"] for row in empty.json()["predictions"]] == [None, None, 8]


def test_words_beside_numbers_are_words_as_in_a_file(client):
    answer = asked(client, [{"said": "x"}, {"said": 5}, {"age": 40, "<i>town": 7}, {"age": "41", "<i>town": "x"}])
    assert answer.json()["answered"] == 4


def test_bad_cells_are_named_beside_the_answers(artifact):
    lenient = TestClient(create_app(artifact, Manner(on_error="skip")))
    bad = {"picture": encoded(b"nothing"), "sound": "?", "list": "/etc/secret.npy", "age": "tbc", "steps": [[1]]}
    answer = asked(lenient, [WHOLE, WHOLE | bad, {"said": "x"}]).json()
    assert [row["prediction"] for row in answer["predictions"]] == [8, 3, 1]
    assert {(e["row"], e["modality"]) for e in answer["errors"]} == {
        (2, m) for m in ("picture", "sound", "list", "facts", "steps")
    }
    reasons = {e["modality"]: e["reason"] for e in answer["errors"]}
    assert reasons["facts"] == "column 'age', row 2: 'tbc' is not a number"
    assert reasons["picture"].startswith("column 'picture', row 2: what was sent is not a readable picture")
    assert asked(lenient, [{"said": "x"}]).json()["errors"] == []


def test_only_by_its_own_names(artifact):
    here = TestClient(create_app(artifact, Manner(hosts=names_of("127.0.0.1"))))
    for name in ("localhost", "127.0.0.1:8000", "LOCALHOST:1", "[::1]:8000", "[::1]"):
        assert here.get("/health", headers={"Host": name}).status_code == 200, name
    for name in ("rebound.example", "rebound.example:8000", "127.0.0.1.example", "", "[::1].example:80"):
        answer = here.get("/health", headers={"Host": name})
        assert answer.status_code == 421, name
        assert "answers as" in answer.json()["detail"]
    assert names_of("0.0.0.0") == ()
    assert TestClient(create_app(artifact)).get("/health", headers={"Host": "any.example"}).status_code == 200
