"""The gradient is exact, however rows are spread over batches; randomness belongs to positions."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from toy import NUMBER, ToyLoader, toy_batch, toy_loader
from toy_method import FLAT, Alone, blind, joined, same, unlabelled, weights
from understudy.batches.batch import Batch
from understudy.training.fit import Plan, fit


def by_hand(batches: list[Batch], plan: Plan) -> dict[str, Tensor]:
    """The loop that anyone would write, in its simplest form."""
    method, steps = Alone(), plan.epochs * len(batches)
    groups = list(method.student.parameters())
    optimizer = torch.optim.AdamW(groups, lr=plan.rate, weight_decay=plan.weight_decay, foreach=False)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: plan.factor(step, steps))
    method.train()
    for _ in range(plan.epochs):
        for batch in batches:
            optimizer.zero_grad()
            sum(term.total / term.count for term in method(batch).values()).backward()
            if plan.clip:
                nn.utils.clip_grad_norm_(groups, plan.clip)
            optimizer.step()
            schedule.step()
    return weights(method)


def test_a_fit_is_the_loop_written_by_hand():
    plan, method = Plan(epochs=3, rate=0.01, clip=0.3, warmup=0.3), Alone()
    history = fit(method, toy_loader(NUMBER, batches=5), plan=plan, seed=0)
    torch.testing.assert_close(weights(method), by_hand(toy_loader(NUMBER, batches=5).of, plan), rtol=1e-5, atol=1e-6)
    assert (history.steps, history.selection, history.best_epoch, len(history.epochs)) == (15, "last", None, 3)
    assert not method.training


def test_accumulation_equals_the_large_batch():
    small = [toy_batch(NUMBER, rows, seed=rows) for rows in (3, 9, 1, 6)]
    small[1] = unlabelled(small[1])
    many, once = Alone(), Alone()
    fit(many, ToyLoader(small), plan=replace(FLAT, accumulate=4), seed=0)
    fit(once, ToyLoader([joined(small)]), plan=FLAT, seed=0)
    assert len(many.gradients) == len(once.gradients) == 1
    torch.testing.assert_close(many.gradients[0], once.gradients[0], rtol=1e-6, atol=1e-6)
    means = [b.labelled.float().sum() for b in small]
    assert len({float(m) for m in means}) > 1, "the counts must be unequal for the test to tell a mean of means"


def test_the_last_window_of_an_epoch_may_be_short():
    method = Alone()
    history = fit(method, toy_loader(NUMBER, batches=5), plan=replace(FLAT, epochs=2, accumulate=2), seed=0)
    assert history.steps == len(method.gradients) == 6


def test_each_batch_draws_its_own_dropout_and_the_rehearsal_the_same():
    method = Alone(dropout=True)
    fit(method, ToyLoader([toy_batch(NUMBER, 8)] * 2), plan=replace(FLAT, epochs=2, accumulate=2), seed=0)
    one, two, again_one, again_two, next_one, *_ = method.answers
    assert torch.equal(one, again_one)
    assert torch.equal(two, again_two)
    assert not torch.equal(one, two)
    assert not torch.equal(one, next_one)


def test_the_same_seed_trains_the_same_weights_whatever_ran_before():
    def run(seed: int) -> dict[str, Tensor]:
        method = Alone(dropout=True)
        fit(method, toy_loader(NUMBER), plan=FLAT, seed=seed)
        return weights(method)

    first = run(0)
    torch.rand(7)
    assert same(first, run(0))
    assert not same(first, run(1))


def test_an_update_in_which_nothing_counts_moves_nothing():
    method, batches = Alone(), toy_loader(NUMBER, batches=3).of
    before = weights(method)
    history = fit(method, ToyLoader([blind(b) for b in batches]), plan=replace(FLAT, weight_decay=0.5), seed=0)
    assert same(weights(method), before)
    assert not method.gradients
    assert history.epochs[0]["terms"] == {}
    mixed, plain = Alone(), Alone()
    fit(mixed, ToyLoader([batches[0], blind(batches[1]), batches[2]]), plan=FLAT, seed=0)
    fit(plain, ToyLoader([batches[0], batches[2]]), plan=FLAT, seed=0)
    assert same(weights(mixed), weights(plain))


def test_a_term_that_counts_nothing_leaves_the_others_alone():
    method = Alone()
    history = fit(method, ToyLoader([unlabelled(toy_batch(NUMBER, 8))]), plan=FLAT, seed=0)
    assert history.epochs[0]["terms"]["supervised"] is None
    assert history.epochs[0]["terms"]["pull"] > 0
    assert all(value.isfinite().all() for value in weights(method).values())
