"""Attention transfer: the tokens that are large in the teacher are to be large in the student.

Paper: Zagoruyko, Komodakis, "Paying More Attention to Attention", ICLR 2017, arXiv 1612.03928, activation-based maps. Our form
of it: over the tokens of each view that both players read, the squared distance of the two maps.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output, Tokens
from understudy.objectives.objective import Objective, Term, only, over, together, unit


def attention_map(values: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """The mean square of each token's features, each row scaled to length 1; 0 where the mask is False."""
    return unit(values.where(mask[:, :, None], 0.0).square().mean(dim=2))


class AttentionTransfer(Objective):
    """The squared distance of the student's attention maps from the teacher's, 0 to 2.

    Both have to give tokens of the same views, one to one: a ValueError says where they do not. A row counts once for each view
    of which it has tokens.
    """

    counts = "rows where both the student and the teacher are valid and have tokens; labels are ignored"

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        both = [view for view in student.tokens if view in teacher.tokens]
        if not both:
            said = [f"{o.source} of {', '.join(o.tokens) or 'nothing'}" for o in (student, teacher)]
            raise ValueError(f"tokens of {' and '.join(said)}; attention transfer needs a view of which both give tokens")
        valid = student.valid & teacher.valid
        return together([self.of(valid, view, student.tokens[view], teacher.tokens[view]) for view in both])

    def of(self, valid: Bool[Tensor, " B"], view: str, student: Tokens, teacher: Tokens) -> Term:
        """The term of one view."""
        if student.mask.shape != teacher.mask.shape:
            shapes = f"{tuple(student.mask.shape)} and {tuple(teacher.mask.shape)}"
            raise ValueError(f"tokens {shapes} of {view}; attention transfer compares them one to one")
        mask = student.mask & teacher.mask
        rows = valid & mask.any(dim=1)
        ours, theirs = (attention_map(only(rows, values.float()), mask) for values in (student.values, teacher.values.detach()))
        return over(rows, (ours - theirs).square().sum(dim=1))
