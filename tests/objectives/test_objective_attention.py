"""What the contract suite cannot know of attention transfer: which tokens are compared, and when they cannot be."""

import pytest
import torch

from understudy.batches.batch import Batch, Output, Tokens
from understudy.objectives import AttentionTransfer
from understudy.objectives.attention import attention_map

ROWS = 3
MASK = torch.tensor([[True, True, False], [True, True, True], [False, False, False]])


def output(width: int, *views: str, steps: int = 3, seed: int = 0) -> Output:
    draw = torch.Generator().manual_seed(seed)
    tokens = {view: Tokens(torch.randn(ROWS, steps, width, generator=draw), MASK[:, :steps]) for view in views}
    return Output(valid=torch.ones(ROWS, dtype=torch.bool), tokens=tokens, source=f"width {width}")


BATCH = Batch({}, {}, torch.zeros(ROWS), torch.ones(ROWS, dtype=torch.bool), ("a", "b", "c"))


def test_a_map_has_length_one_over_the_tokens_there_are():
    tokens = output(4, "text").tokens["text"]
    found = attention_map(tokens.values, tokens.mask)
    torch.testing.assert_close(found.norm(dim=1), torch.tensor([1.0, 1.0, 0.0]))
    assert (found[~MASK] == 0).all()
    torch.testing.assert_close(attention_map(-5 * tokens.values, tokens.mask), found)


def test_rows_without_tokens_do_not_count_and_what_is_masked_is_not_seen():
    student, teacher = output(4, "text"), output(6, "text", seed=1)
    term = AttentionTransfer()(BATCH, student, teacher)
    assert float(term.count) == 2
    student.tokens["text"].values[~MASK] = torch.nan
    assert torch.equal(AttentionTransfer()(BATCH, student, teacher).total, term.total)


def test_every_view_that_both_read_is_compared():
    student, teacher = output(4, "text", "frames", "sound"), output(6, "frames", "text", seed=1)
    both = AttentionTransfer()(BATCH, student, teacher)
    assert float(both.count) == 4
    each = [AttentionTransfer().of(student.valid, v, student.tokens[v], teacher.tokens[v]) for v in ("text", "frames")]
    torch.testing.assert_close(both.total, each[0].total + each[1].total)


def test_tokens_that_do_not_meet_are_refused():
    with pytest.raises(ValueError, match=r"width 4 of text and width 6 of nothing; attention transfer needs a view"):
        AttentionTransfer()(BATCH, output(4, "text"), output(6))
    with pytest.raises(ValueError, match=r"\(3, 3\) and \(3, 2\) of text"):
        AttentionTransfer()(BATCH, output(4, "text"), output(6, "text", steps=2))


def test_tokens_without_size_are_finite():
    student = output(4, "text")
    student.tokens["text"].values.zero_().requires_grad_()
    term = AttentionTransfer()(BATCH, student, output(6, "text"))
    term.total.backward()
    assert student.tokens["text"].values.grad.isfinite().all()
