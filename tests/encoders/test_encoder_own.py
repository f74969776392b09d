"""A torch module as an encoder: what it is handed, what of it trains, and what is refused in a sentence."""

import pytest
import torch
from torch import nn

from made_encoders import make_own
from understudy.encoders.own import OwnEncoder, check_module
from understudy.prepare import Pictures

FIELDS = {"values": torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))}


class Said(nn.Module):
    """Answers with what it was made with."""

    def __init__(self, width, answer):
        super().__init__()
        self.answer = answer
        if width is not None:
            self.width = width

    def forward(self, values):
        return self.answer(values)


@pytest.mark.parametrize("frozen", [False, True])
def test_what_trains(frozen):
    module = make_own(frozen=frozen)
    encoder = OwnEncoder(Pictures(16, 16), module).train()
    assert encoder.frozen is frozen
    assert encoder.module.training is not frozen
    torch.testing.assert_close(encoder(FIELDS).pooled, module.eval()(FIELDS["values"]))
    assert encoder.module is not module
    assert not list(encoder.published())
    setattr(module, "fine_tuned", True)  # noqa: B010
    assert bool(list(OwnEncoder(Pictures(16, 16), module).published())) is not frozen


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Said(None, lambda v: v), "says no width; set module.width"),
        (Said(4, lambda v: (v, v)), "returns a tuple; expected one tensor, a vector of 4 a row"),
        (Said(4, lambda v: v.flatten(1)[:, :5]), r"says width 4, and gives \[2, 5\] for 2 rows"),
        (Said(4, lambda v: v.flatten(1)[:, :4] / 0), "that are no finite numbers"),
        (Said(4, lambda v: (v - v.mean(0)).flatten(1)[:, :4]), "answers a row by the others beside it"),
        (
            Said(4, lambda v: torch.linalg.inv(v)[:, :9, 0, 0, 0]),
            r"called with float32 \[2, 3, 16, 16\] the module raises IndexError",
        ),
        (Said(4, lambda v: v.to("cuda:9")), "write it for the device of what it is called with"),
    ],
)
def test_modules_that_cannot_be_are_refused(module, said):
    with pytest.raises(ValueError, match=f"the image: .*{said}"):
        check_module(module, FIELDS, "the image")


def test_a_module_elsewhere_is_refused():
    module = make_own()
    module.leave = nn.Linear(32, 6, device="meta")
    with pytest.raises(ValueError, match="the module lies on meta; hand it over on the CPU"):
        check_module(module, FIELDS, "image")
