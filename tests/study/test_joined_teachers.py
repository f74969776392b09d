"""A torch module as a teacher, and several teachers as one."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from tests.study.small import SIZES, make_corpus
from torch import nn

import understudy as us
from understudy.study.outside import answers_of

BOTH = ("strong", "weak")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus", rows=120)


def inputs(frame: pd.DataFrame) -> torch.Tensor:
    return torch.tensor(frame[["strong_0"]].to_numpy(), dtype=torch.float32)


def net(outputs: int) -> nn.Module:
    made = nn.Linear(1, outputs)
    with torch.no_grad():
        made.weight.copy_(torch.arange(outputs)[:, None] + 1.0)
        made.bias.zero_()
    return nn.Sequential(made, nn.Dropout(0.9)).train()


def test_a_module_answers_in_its_own_order_of_classes(corpus):
    split = corpus.split("full")
    found = answers_of(us.TorchTeacher(net(2), inputs, classes=("high", "low")), corpus, split, BOTH)
    strength = corpus.cells("strong", np.concatenate([split.train, split.test])).values[:, 0]
    np.testing.assert_allclose(np.exp(found.values[:, 1]), 1 / (1 + np.exp(strength)), rtol=1e-3, atol=1e-3)
    assert found.source == "Sequential, as given"


@pytest.mark.parametrize("answer", [lambda x: (x, x), lambda x: x.repeat(1, 3)])
def test_other_shapes_are_refused(corpus, answer):
    class Other(nn.Module):
        def forward(self, values):
            return answer(values)

    with pytest.raises(ValueError, match=r"Other answers 64 rows with .*; expected a tensor \[64, 2\]"):
        answers_of(us.TorchTeacher(Other(), inputs, classes=("low", "high")), corpus, corpus.split("full"), BOTH)


def test_several_are_their_weighted_mean_where_all_answer(corpus, tmp_path):
    split = corpus.split("full")
    pd.DataFrame({"id": corpus.ids[split.train[:40]], "low": 0.2, "high": 0.8}).to_csv(tmp_path / "said.csv", index=False)

    def even(frame):
        return {"low": np.full(len(frame), 0.5), "high": np.full(len(frame), 0.5)}

    several = us.Weighted([(tmp_path / "said.csv", 3), (even, 1.0)])
    found = answers_of(several, corpus, split, BOTH)
    assert set(found.ids.tolist()) == set(corpus.ids[split.train[:40]])
    np.testing.assert_allclose(np.exp(found.values), [[0.275, 0.725]] * 40)
    assert found.source == "0.75 said.csv, as given + 0.25 even, as given"
    run = us.distill(
        corpus,
        student="weak",
        teacher=us.Weighted(
            [
                (HistGradientBoostingClassifier(max_iter=20, random_state=0), 1.0),
                (us.TorchTeacher(net(2), inputs, ("low", "high")), 1.0),
            ]
        ),
        split="full",
        seeds=1,
        plan={"epochs": 2},
        sizes=SIZES,
        report=False,
        out=tmp_path / "run",
    )
    assert run.results["listening"]["source"] == "0.5 HistGradientBoostingClassifier, crossfit + 0.5 Sequential, as given"
    assert run.results["systems"]["teacher"]["metrics"]["accuracy"]["mean"] > 0.8


@pytest.mark.parametrize("members", [[], [("a.csv", 0.0)], [("a.csv", float("nan"))]])
def test_weights_that_are_none_are_refused(members):
    with pytest.raises(ValueError, match=r"given to us\.Weighted; expected pairs of a teacher and a weight above 0"):
        us.Weighted(members)
