"""One artifact for all tests of this folder, and its service."""

import pytest
from fastapi.testclient import TestClient
from made_artifact import write_artifact

from understudy.serve import create_app


@pytest.fixture(scope="session")
def artifact(tmp_path_factory):
    return write_artifact(tmp_path_factory.mktemp("serve") / "artifact", classes=False)


@pytest.fixture(scope="session")
def client(artifact):
    return TestClient(create_app(artifact))


@pytest.fixture(scope="session")
def chooser(tmp_path_factory):
    return TestClient(create_app(write_artifact(tmp_path_factory.mktemp("chooser") / "artifact", classes=True)))
