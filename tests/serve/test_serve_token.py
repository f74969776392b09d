"""Token: who has none is turned away, wherever it comes from it is checked, and no message repeats it."""

import pytest
from fastapi.testclient import TestClient
from made_artifact import WHOLE

from understudy.serve import Manner, create_app
from understudy.serve.token import token_from

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def guarded(artifact):
    return TestClient(create_app(artifact, Manner(token=TOKEN)))


@pytest.mark.parametrize("header", [None, f"Bearer {TOKEN}x", "Bearer ", TOKEN, f"Basic {TOKEN}", f"bearer  {TOKEN}"])
def test_without_the_token_nothing_is_said(guarded, header):
    headers = {} if header is None else {"Authorization": header}
    for path in ("/", "/v1/models", "/nothing"):
        found = guarded.get(path, headers=headers)
        assert (found.status_code, found.headers["WWW-Authenticate"]) == (401, "Bearer")
    found = guarded.post("/v1/predict", json={"rows": [WHOLE]}, headers=headers)
    assert found.status_code == 401
    assert TOKEN not in found.text


def test_with_it_all_is_as_before(guarded):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.post("/v1/predict", json={"rows": [WHOLE]}, headers=headers).json()["answered"] == 1
    assert guarded.get("/v1/models", headers=headers).status_code == 200


def test_health_and_readiness_need_none(guarded):
    assert guarded.get("/health").json()["status"] == "ok"
    assert guarded.get("/ready").json()["status"] == "ready"


def test_a_token_comes_from_a_file_of_its_owner_or_the_environment(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    assert token_from(file, {}) == TOKEN
    assert token_from("", {"UNDERSTUDY_TOKEN": TOKEN}) == TOKEN
    assert token_from("", {}) == ""
    with pytest.raises(ValueError, match="both given"):
        token_from(file, {"UNDERSTUDY_TOKEN": TOKEN})
    with pytest.raises(FileNotFoundError, match="no token file"):
        token_from(tmp_path / "nowhere", {})
    file.chmod(0o644)
    with pytest.raises(ValueError, match="can be read by others"):
        token_from(file, {})


@pytest.mark.parametrize("bad", ["short", "with a space in the middle", "ünïcödé-is-not-plain", ""])
def test_a_bad_token_is_refused_and_not_repeated(tmp_path, bad):
    file = tmp_path / "token"
    file.write_text(bad, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ValueError, match="holds no token of at least 16") as error:
        token_from(file, {})
    assert not bad or bad not in str(error.value)
