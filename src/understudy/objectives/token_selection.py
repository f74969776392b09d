"""TokenSelection: some of the student's tokens, chosen row by row, against an encoder's of the same characters or the same place.

Paper: after CLIP-TD, 2022, arXiv 2201.05729, which applies its objective "to adaptively selected tokens per instance", and Wang
et al., "Multimodal Adaptive Distillation", 2022, arXiv 2204.10496. Scores, selection and all formulas are ours: theirs were not
at hand.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output, Tokens
from understudy.objectives.objective import Objective, Term, check_temperature, exactly, only, over, unit
from understudy.objectives.unimodal import VectorDistance, check_distance, vector_distance, vectors_of

Choosing = Literal["topk", "sampled", "random", "all"]
Medium = Literal["text", "picture"]
NUMBERS: dict[int, Medium] = {2: "text", 4: "picture"}
"""Numbers in a span -> what tokens with such spans are of."""
PARTS = 65_536
"""Of a picture's side, in spans."""


def covering(ours: Tokens, theirs: Tokens) -> Float[Tensor, "B T S"]:
    """How much of each of ours each of theirs covers; padding and tokens whose span is empty cover nothing.

    Of a text 1 for a token that shares a character, however many; of a picture the area that both share.
    """
    if ours.spans is None or theirs.spans is None:
        raise ValueError("tokens without spans given; two encoders' tokens are aligned by where they lie in the text or picture")
    axes = ours.spans.shape[-1] // 2
    start = torch.maximum(ours.spans[:, :, None, :axes], theirs.spans[:, None, :, :axes])
    end = torch.minimum(ours.spans[:, :, None, axes:], theirs.spans[:, None, :, axes:])
    common = (end - start).clamp(min=0).float().div(PARTS).prod(dim=-1) if axes > 1 else (start < end)[..., 0].float()
    return common * (ours.mask[:, :, None] & theirs.mask[:, None, :])


def covered_mean(values: Float[Tensor, "B S D"], cover: Float[Tensor, "B T S"]) -> Float[Tensor, "B T D"]:
    """For each of our tokens the mean of theirs that cover it, by how much they do; 0 where none does. All must be finite."""
    share = cover / cover.sum(dim=2, keepdim=True).clamp(min=torch.finfo(cover.dtype).tiny)
    return share.to(values.dtype) @ values


def selected(
    scores: Float[Tensor, "B T"], able: Bool[Tensor, "B T"], *, share: float
) -> tuple[Int[Tensor, "B K"], Bool[Tensor, "B K"]]:
    """The places of the k = max(1, round(share * n)) best scores among the n tokens of a row that are `able`, and which of the K
    places a row fills; the earlier of equal scores, none where n is 0."""
    tokens = able.shape[1]
    most = max(1, round(share * tokens))
    order = scores.masked_fill(~able, float("-inf")).argsort(dim=1, descending=True, stable=True)
    count = able.sum(dim=1)
    # In double precision this rounds as Python does: .3 * 5 is 1.5, and goes to the even 2; .3 * 15 is 4.5, and goes to 4.
    wanted = (count.double() * share).round().clamp(min=1).minimum(count.double())
    return order[:, :most], torch.arange(most, device=able.device) < wanted[:, None]


class TokenSelection(Objective):
    """Mean over a row's chosen tokens of distance(P h_i, z_i): the student's token, and the teacher's of the same place.

    z_i is the mean of the teacher's tokens that share a character with the student's token i, or area with its region, by how
    much. of: which tokens, those of the text or of the picture. against: features of the teacher;
    a token's score is the cosine of z_i with them, the mean over those that a row has. choosing: "topk" takes the share
    of tokens with the highest scores; "sampled" draws as many without repeats, with probabilities softmax(score / sampling), by
    numbers handed over; "random" draws evenly; "all" takes every token that the teacher covers. distance, temperature: as in
    `Unimodal`.
    """

    counts = "rows with a token that may be chosen, and with a score where one is needed; labels are ignored"

    def __init__(
        self,
        student_width: int,
        teacher_width: int,
        *,
        against: Sequence[str],
        of: Medium = "text",
        choosing: Choosing = "topk",
        share: float = 0.3,
        sampling: float = 0.1,
        distance: VectorDistance = "l1",
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        check_distance(distance, temperature)
        check_temperature(sampling, usual="0.01 to 1")
        if choosing not in get_args(Choosing) or not 0 < share <= 1:
            raise ValueError(
                f"choosing {choosing!r}, share {share} given; allowed: {', '.join(get_args(Choosing))}; 0 < share <= 1"
            )
        self.against, self.sampling = tuple(against), sampling
        self.of: Medium = of
        self.choosing: Choosing = choosing
        self.share = 1.0 if choosing == "all" else share
        self.distance: VectorDistance = distance
        self.temperature = temperature
        self.projection = nn.Linear(student_width, teacher_width)

    def forward(
        self,
        batch: Batch,
        student: Output,
        teacher: Output,
        weight: Float[Tensor, " B"] | None = None,
        drawn: Float[Tensor, "B T"] | None = None,
    ) -> Term:
        """weight: of each row; 1 when None. drawn: from (0, 1), one a token of the student's, where tokens are drawn."""
        both = student.valid & teacher.valid
        ours, theirs = tokens_of(student, self.of), tokens_of(teacher, self.of)
        if ours is None or theirs is None:
            return over(torch.zeros_like(both), only(torch.zeros_like(both), student.need("embedding").float()).sum(dim=1))
        with exactly(ours.values):
            places, kept, wanted = self.aligned(both, ours, theirs, teacher, drawn)
        rows = kept.any(dim=1)
        states = ours.values.float().gather(1, places[:, :, None].expand(-1, -1, ours.values.shape[2]))
        # Rows choose unequal numbers: places that they leave empty are left out (all but one: never none), since InfoNCE
        # compares each token with all others.
        asked = kept.clone()
        asked[:1, 0] = True
        given, here = self.projection(states.where(kept[:, :, None], 0.0)[asked]).float(), kept[asked]
        chosen = vector_distance(given, wanted[asked], here, distance=self.distance, temperature=self.temperature)
        chosen = chosen.new_zeros(kept.shape).masked_scatter(asked, chosen).where(kept, 0.0)
        loss = chosen.sum(dim=1) / kept.sum(dim=1).clamp(min=1)
        return over(rows, loss if weight is None else loss * weight)

    @torch.no_grad()
    def aligned(
        self, both: Bool[Tensor, " B"], ours: Tokens, theirs: Tokens, teacher: Output, drawn: Float[Tensor, "B T"] | None
    ) -> tuple[Int[Tensor, "B K"], Bool[Tensor, "B K"], Float[Tensor, "B K D"]]:
        """The chosen tokens' places, which of these a row fills, and what the teacher says there."""
        cover = covering(ours, theirs) * both[:, None, None]
        # Nothing here has a gradient, so rows that do not count, NaN or not, are cleaned where they are few: at the end.
        said, able = covered_mean(theirs.values.float(), cover), (cover > 0).any(dim=2)
        if self.choosing in ("topk", "sampled"):
            here, scores = self.scored(said, teacher)
            able = able & here[:, None]
        else:
            scores = torch.zeros_like(able, dtype=said.dtype)
        if self.choosing in ("sampled", "random"):
            if drawn is None:
                raise ValueError(f"choosing {self.choosing!r} needs drawn numbers, one for each token of the student's {self.of}")
            # The k largest of log p and Gumbel noise are k draws without repeats (Kool et al. 2019, arXiv 1903.06059).
            scores = scores / self.sampling - (-drawn.log()).log()
        places, kept = selected(scores, able, share=self.share)
        wanted = said.gather(1, places[:, :, None].expand(-1, -1, said.shape[2]))
        return places, kept, wanted.where(kept[:, :, None], 0.0)

    def scored(self, said: Float[Tensor, "B T D"], teacher: Output) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B T"]]:
        """The rows with a vector to score against, and each token's mean cosine with those."""
        found = [vectors_of(teacher, feature) for feature in self.against]
        count = torch.stack([here for here, _ in found]).sum(dim=0)
        toward = torch.stack([unit(vectors) for _, vectors in found]).sum(dim=0) / count.clamp(min=1)[:, None]
        return count > 0, (said @ toward[:, :, None])[:, :, 0] / said.norm(dim=2).clamp(min=1e-12)


def tokens_of(output: Output, medium: Medium) -> Tokens | None:
    """The tokens that lie in a text, or in a picture; None where an output has none, ValueError where it has several."""
    located = [tokens for tokens in output.tokens.values() if tokens.spans is not None]
    found = [tokens for tokens in located if tokens.spans is not None and NUMBERS[tokens.spans.shape[-1]] == medium]
    if len(found) > 1:
        raise ValueError(f"{output.source} gives tokens of {len(found)} {medium}s; tokens are chosen from one {medium} alone")
    return found[0] if found else None
