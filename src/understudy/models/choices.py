"""Choices: a row with K choices is K rows while a model reads it, all choices of row 0 first, and one row again in its Output."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from understudy.batches.batch import Batch, Fields, Output, Tokens


def unfolded_fields(fields: Fields) -> Fields:
    """Fields `[B T K ...]` of a view of choices as fields `[B*K T ...]` of one text each."""
    return {name: values.movedim(2, 1).flatten(0, 1) for name, values in fields.items()}


def repeated(values: Tensor, choices: int) -> Tensor:
    """`[B ...]` as `[B*K ...]`: each row K times, one after the other."""
    return values[:, None].expand(-1, choices, *values.shape[1:]).flatten(0, 1)


def repeated_tokens(tokens: Tokens, choices: int) -> Tokens:
    """As `repeated`."""
    spans = None if tokens.spans is None else repeated(tokens.spans, choices)
    return Tokens(repeated(tokens.values, choices), repeated(tokens.mask, choices), spans)


def folded(values: Tensor, choices: int) -> Tensor:
    """`[B*K ...]` as `[B K ...]`."""
    return values.unflatten(0, (-1, choices))


def folded_tokens(tokens: Tokens, choices: int) -> Tokens:
    """Tokens `[B*K T D]` as `[B K*T D]`, choice after choice; spans stay offsets into each choice's own text."""
    spans = None if tokens.spans is None else folded(tokens.spans, choices).flatten(1, 2)
    return Tokens(folded(tokens.values, choices).flatten(1, 2), folded(tokens.mask, choices).flatten(1, 2), spans)


def unfolded_tokens(tokens: Tokens, choices: int) -> Tokens:
    """The inverse of `folded_tokens`; ValueError where the tokens are no multiple of the choices."""
    steps = tokens.mask.shape[1]
    if steps % choices:
        raise ValueError(f"{steps} tokens a row are given for {choices} choices; expected as many for each choice")

    def each(values: Tensor) -> Tensor:
        return values.unflatten(1, (choices, -1)).flatten(0, 1)

    return Tokens(each(tokens.values), each(tokens.mask), None if tokens.spans is None else each(tokens.spans))


def unfolded_rows(batch: Batch, choices: int) -> Batch:
    """B rows as B*K without inputs, for an objective that reads `unfolded` outputs; each choice has an id of its own."""
    ids = tuple(f"{row}/{choice}" for row in batch.id for choice in range(choices))
    present = {m: repeated(here, choices) for m, here in batch.present.items()}
    return Batch({}, present, repeated(batch.target, choices), repeated(batch.labelled, choices), ids)


def unfolded(output: Output, choices: int) -> Output:
    """What a model says of B rows with K choices each, as B*K rows: logits `[B*K 1]`, embedding, tokens, features."""
    features: Mapping[str, Tensor] = {name: values.flatten(0, 1) for name, values in output.features.items()}
    return replace(
        output,
        valid=repeated(output.valid, choices),
        logits=None if output.logits is None else output.logits.flatten()[:, None],
        embedding=None if output.embedding is None else output.embedding.unflatten(1, (choices, -1)).flatten(0, 1),
        tokens={key: unfolded_tokens(each, choices) for key, each in output.tokens.items()},
        features=features,
    )
