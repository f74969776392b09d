"""Parts: one optimiser each, players clipped apart, groups that must fit."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from toy import NUMBER, toy_loader
from toy_method import FLAT, Alone, Two, same, weights
from understudy.methods.method import Group
from understudy.training.fit import fit
from understudy.training.optimise import Part


def test_players_are_clipped_apart():
    calm, wild = Two(), Two(scale=1e6)
    for method in (calm, wild):
        fit(method, toy_loader(NUMBER), plan=replace(FLAT, clip=0.1), seed=0)
    assert same(weights(calm), weights(wild))
    norm = math.sqrt(sum(float(g.square().sum()) for g in wild.gradients[0].values()))
    assert norm == pytest.approx(0.1, rel=1e-4)


def test_parts_have_their_own_optimisers_and_names_in_the_log():
    alone, beside = Alone(), Two(part="critic")
    fit(alone, toy_loader(NUMBER), plan=FLAT, seed=0)
    history = fit(beside, toy_loader(NUMBER), plan=FLAT, seed=0)
    assert same(weights(alone), weights(beside))
    assert beside.critic.weight.item() < 1
    assert list(history.epochs[0]["terms"]) == ["critic.critic", "supervised", "pull"]


def test_pretrained_parameters_move_at_their_own_rate():
    method = Alone()
    method.student.encoders["x"].fine_tuned = True
    before = weights(method)
    fit(method, toy_loader(NUMBER, batches=1), plan=replace(FLAT, pretrained_rate=1e-4, weight_decay=0.0), seed=0)
    step = {name: float((value - before[name]).abs().max()) for name, value in weights(method).items()}
    assert step["encoders.x.layers.1.weight"] == pytest.approx(1e-4, rel=1e-2)  # Adam's first step is the rate itself.
    assert step["encoders.y.layers.1.weight"] == pytest.approx(1e-2, rel=1e-2)


class Groups(Alone):
    """Groups as the test wants them."""

    def __init__(self, change: Callable[[list[Group]], list[Group]]) -> None:
        super().__init__()
        self.change = change

    def groups(self) -> list[Group]:
        return self.change(super().groups())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda groups: groups + groups, "in more than one group"),
        (lambda groups: [replace(groups[0], parameters=groups[0].parameters[1:])], "trains but is in no group"),
        (lambda groups: [*groups, Group("other", [nn.Parameter(torch.ones(1))])], "in a group but not in the method"),
        (lambda groups: [replace(groups[0], part="critic")], "is for part 'critic'; the method's parts are"),
        (lambda groups: [], "trains but is in no group"),
    ],
)
def test_groups_that_do_not_fit_are_named(change: Callable[[list[Group]], list[Group]], message: str):
    with pytest.raises(ValueError, match=message):
        fit(Groups(change), toy_loader(NUMBER), plan=FLAT, seed=0)


def test_a_part_without_parameters_is_named():
    method = Two(part="critic")
    method.critic.requires_grad_(False)
    method.groups = lambda: [Group("student", list(method.student.parameters()))]
    with pytest.raises(ValueError, match="part 'critic' of the method moves no parameter"):
        fit(method, toy_loader(NUMBER), plan=FLAT, seed=0)


def test_moments_come_back_as_their_parameters_lie_in_memory():
    def group_of(layer: nn.Module) -> Group:
        return Group("student", list(layer.parameters()))

    torch.manual_seed(0)
    layer = convert_conv2d_weight_memory_format(nn.Conv2d(4, 8, 3), torch.channels_last)
    gone = copy.deepcopy(layer)
    pictures = torch.randn(2, 4, 6, 6)

    def step(layer: nn.Module, part: Part) -> None:
        layer.zero_grad()
        layer(pictures).square().sum().backward()
        part.step(1.0, None)

    part = Part("main", [group_of(layer)], plan=FLAT)
    for _ in range(3):
        step(layer, part)
    gone.load_state_dict(layer.state_dict())
    again = Part("main", [group_of(gone)], plan=FLAT)
    again.restore({name: value.clone(memory_format=torch.contiguous_format) for name, value in part.state().items()})
    step(layer, part)
    step(gone, again)
    assert torch.equal(layer.weight, gone.weight)
