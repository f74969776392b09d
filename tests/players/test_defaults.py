"""Which encoder reads a modality where nobody says."""

import pytest

from understudy.players.blueprint import AUTO, OWN, WIDEST, default_encoder
from understudy.prepare.cells import Modality


@pytest.mark.parametrize(
    ("modality", "encoder"),
    [
        (Modality("vector", width=6), "piecewise"),
        (Modality("vector", width=WIDEST), "piecewise"),
        (Modality("vector", width=WIDEST + 1), "mlp"),
        (Modality("table"), "mlp"),
        (Modality("text"), "small"),
    ],
)
def test_numbers_are_read_one_by_one_unless_they_are_very_many(modality, encoder):
    assert default_encoder(modality, {}) == encoder
    assert default_encoder(modality, {"vector": AUTO, "text": AUTO}) == (encoder if encoder == "mlp" else AUTO)
    assert encoder in OWN[modality.kind]
