"""The ways in and out beside plain JSON: forms with files, streams of lines, and what the service says of itself."""

import base64
import json
import threading

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient
from made_artifact import WHOLE, asked, png, wav, write_artifact

from understudy.serve import Manner, app, create_app, question, together

LINES = {"Accept": "application/x-ndjson"}


def form(client, rows, files, **more):
    data = {"request": json.dumps({"rows": rows, **more})}
    return client.post("/v1/predict", data=data, files={name: (f"{name}.bin", content) for name, content in files.items()})


def test_a_form_with_files(client):
    files = {"one": base64.b64decode(png()), "two": base64.b64decode(wav())}
    rows = [{"picture": {"part": "one"}, "sound": {"part": "two"}}, {"picture": {"part": "one"}, "said": "x"}, {"sound": wav()}]
    found = form(client, rows, files)
    assert found.status_code == 200, found.text
    assert [row["prediction"] for row in found.json()["predictions"]] == [2, 2, 1]


@pytest.mark.parametrize(
    ("rows", "files", "said"),
    [
        ([{"picture": {"part": "no"}}], {"one": b"x"}, "column 'picture', row 1: no file of the form is called 'no'"),
        ([{"picture": {"path": "/etc/passwd"}}], {"one": b"x"}, "column 'picture', row 1: expected a file's bytes in base64"),
        ([{"picture": {"part": "one"}}], {"one": b"x"}, "column 'picture', row 1: what was sent is not a readable picture"),
        ([{"said": {"part": "one"}}], {"one": b"x"}, "column 'said'"),
    ],
)
def test_a_form_that_cannot_be_used(client, rows, files, said):
    found = form(client, rows, files)
    assert (found.status_code, said in found.json()["detail"]) == (422, True), found.text


def test_what_is_no_form(client):
    for content, kind in (
        (b"", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary=b"),
        (b'--b\r\nContent-Disposition: form-data; name="rows"\r\n\r\n[]\r\n--b--\r\n', "multipart/form-data; boundary=b"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\n[]\r\n--b--\r\n", "multipart/form-data; boundary=b"),
    ):
        found = client.post("/v1/predict", content=content, headers={"Content-Type": kind})
        assert found.status_code == 422, found.text
        assert found.json()["detail"]


def test_no_page_of_another_site_asks(client):
    data = {"request": '{"rows": [{"said": "x"}]}'}
    for origin, status in (("https://elsewhere.example", 403), ("http://testserver", 200), ("null", 403)):
        found = client.post("/v1/predict", files={"request": (None, data["request"])}, headers={"Origin": origin})
        assert found.status_code == status, found.text


def test_a_stream_is_a_line_a_row_and_one_that_sums_up(client, monkeypatch):
    rows = [{"said": "x"}, {"said": None}, {"a": 1, "b": 2, "said": "x"}] * 50
    found = client.post("/v1/predict", json={"rows": rows}, headers=LINES)
    assert found.headers["content-type"].startswith("application/x-ndjson")
    *lines, last = [json.loads(line) for line in found.text.splitlines()]
    assert [line["prediction"] for line in lines] == [1, None, 2] * 50
    assert (last["answered"], last["modalities"]) == (100, ["few", "said"])
    monkeypatch.setattr(app, "MOST_ROWS", 10)
    assert asked(client, rows).status_code == 422
    assert client.post("/v1/predict", json={"rows": rows}, headers=LINES).status_code == 200


def test_a_stream_that_goes_wrong_says_so(client, artifact):
    early = client.post("/v1/predict", json={"rows": [{"typo": 1}]}, headers=LINES)
    assert early.status_code == 422
    rows = [{"said": "x"}] * 60
    bad = [{"picture": "?"}]
    found = client.post("/v1/predict", json={"rows": bad + rows}, headers=LINES)
    assert found.status_code == 422
    lenient = TestClient(create_app(artifact, Manner(on_error="skip")))
    *lines, last = lenient.post("/v1/predict", json={"rows": bad + rows}, headers=LINES).text.splitlines()
    assert len(lines) == 61
    assert [each["row"] for each in json.loads(last)["errors"]] == [1]
    wrong = "data:nothing that is base64 of a picture"
    late = client.post(
        "/v1/predict", json={"rows": [*rows, {"picture": base64.b64encode(wrong.encode()).decode()}]}, headers=LINES
    )
    *lines, last = late.text.splitlines()
    assert late.status_code == 200
    assert 0 < len(lines) < 61
    assert "column 'picture', row 61: what was sent is not a readable picture" in json.loads(last)["detail"]


def test_metrics_and_lines_say_what_was_done_and_not_with_what(artifact, capfd):
    secret = "Xanadu"
    client = TestClient(create_app(artifact, Manner(log=True)))
    found = asked(client, [{"said": secret}, {"said": "x"}])
    asked(client, [{secret: 1}])
    client.get(f"/{secret}")
    client.get("/health")
    text = client.get("/metrics").text
    assert 'understudy_requests_total{model="",route="/health",status="200"} 1.0' in text
    name = 'model="count <script>alert(1)</script>"'
    assert f'understudy_requests_total{{{name},route="/v1/predict",status="200"}} 1.0' in text
    assert f"understudy_rows_total{{{name}}} 2.0" in text
    assert "understudy_requests_in_progress 0.0" in text
    said = capfd.readouterr().err
    assert secret not in said
    assert secret not in text
    first = json.loads(said.splitlines()[0])
    assert first["id"] == found.headers["x-request-id"]
    assert (first["event"], first["route"], first["rows"], first["status"]) == ("request", "/v1/predict", 2, 200)


def test_what_takes_too_long_is_given_up(tmp_path, monkeypatch):
    folder = write_artifact(tmp_path / "slow", classes=False, names=("said",), name="slow")
    given_up = threading.Event()

    def held(*_, **__):
        given_up.wait()
        raise ValueError("nobody waits for this")

    monkeypatch.setattr(app, "predict_rows", held)
    monkeypatch.setattr(together, "predict_together", held)
    for manner in (Manner(seconds=0.01), Manner(seconds=0.01, batch_ms=0.0)):
        given_up.clear()
        with TestClient(create_app(folder, manner)) as client:
            found = asked(client, [{"said": "x"}] * 5)
            given_up.set()
        assert (found.status_code, found.headers["Retry-After"]) == (503, "1")
        assert "no answer within" in found.json()["detail"]
    with pytest.raises(ValueError, match="expected more than 0"):
        create_app(folder, Manner(seconds=0.0))
    with pytest.raises(ValueError, match="expected milliseconds from 0"):
        create_app(folder, Manner(batch_ms=-1.0))


def test_the_description_is_true_of_what_is_served(client, chooser):
    for each in (client, chooser):
        document = each.get("/openapi.json").json()
        predict = document["paths"]["/v1/predict"]["post"]
        body = predict["requestBody"]["content"]["application/json"]
        (example,) = body["examples"].values()
        validator = jsonschema_rs.validator_for({"$ref": "#/schema", **document, "schema": body["schema"]})
        assert validator.is_valid(example["value"])
        assert validator.is_valid({"rows": [WHOLE]})
        assert not validator.is_valid({"rows": [{"a": "words"}]})
        (answer,) = predict["responses"]["200"]["content"]["application/json"]["examples"].values()
        assert each.post("/v1/predict", json=example["value"]).json() == answer["value"]
        page = each.get("/docs")
        assert "/v1/predict" in page.text
        assert "alert(1)</script>" not in page.text


def test_a_body_is_read_only_as_far_as_allowed(client, monkeypatch):
    monkeypatch.setattr(question, "LARGEST_BODY", 1000)
    assert form(client, [{"picture": {"part": "one"}}], {"one": b"x" * 2000}).status_code == 413
