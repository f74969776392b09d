"""InfoNCE: what two players say of the same row, told apart from what they say of the other rows of the batch.

Paper: van den Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018, arXiv 1807.03748: log B less
the cross-entropy is a lower bound of the mutual information. Our form of it: linear projections onto the unit sphere, cosine over
a temperature, the mean of both directions.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output
from understudy.objectives.gather import gathered
from understudy.objectives.objective import Known, Objective, Term, check_counts, check_temperature, only, over, unit


def infonce(
    left: Float[Tensor, "B D"], right: Float[Tensor, "B D"], rows: Bool[Tensor, " B"], *, temperature: float
) -> Float[Tensor, " B"]:
    """Minus the bound on I(left; right) in nats, row by row; scores are dot products over `temperature`.

    The candidates are the `rows` of all processes, N of them: 0 where nothing is known of the other side, -log N at best.
    """
    lefts, rights, candidates = gathered(left), gathered(right), gathered(rows)
    own = (left * right).sum(dim=1)
    # In mixed precision the products would be rounded to two or three digits, and a temperature makes more of that.
    with torch.autocast(left.device.type, enabled=False):
        total = log_sum(left, rights, candidates, temperature) + log_sum(right, lefts, candidates, temperature)
    return total / 2 - own / temperature - candidates.sum().clamp(min=1).log()


def log_sum(
    left: Float[Tensor, "B D"], right: Float[Tensor, "N D"], candidates: Bool[Tensor, " N"], temperature: float
) -> Float[Tensor, " B"]:
    """log sum exp of each row's scores with the candidates; finite where there is none."""
    scores = (left / temperature) @ right.T
    # A maximum of nothing is an error. (A graph that is being compiled may not know its number of rows yet.)
    if not torch.compiler.is_compiling() and not len(right):
        return scores.sum(dim=1)
    # One table, changed in place from scores to probabilities: of many tokens it is where time and memory go.
    table = scores.detach().masked_fill_(~candidates, torch.finfo(scores.dtype).min)
    most = table.amax(dim=1, keepdim=True)
    total = table.sub_(most).exp_().sum(dim=1, keepdim=True)
    return Known.apply(scores, (total.log() + most).squeeze(1), table.div_(total))


class Sphere(nn.Module):
    """A linear projection onto the unit sphere, as CRD has it: no hidden layer. Rows that do not count are 0 before it."""

    def __init__(self, width: int, dimension: int) -> None:
        super().__init__()
        check_counts(dimension=dimension)
        self.projection = nn.Linear(width, dimension)

    def forward(self, rows: Bool[Tensor, " B"], output: Output, *, detach: bool = False) -> Float[Tensor, "B D"]:
        """The embedding of `output` on the sphere, in float32; detach: it takes no gradient, the projection does."""
        embedding = only(rows, output.need("embedding").float())
        return unit(self.projection(embedding.detach() if detach else embedding).float())


class InfoNCE(Objective):
    """Minus the InfoNCE bound on the mutual information of two players' embeddings, in nats: least where they tell most.

    dimension: of the sphere. temperature: above 0; 0.07 to 0.1 is usual. detach_left, detach_right: whether that player takes no
    gradient; the projections always do. A batch of N rows shows at most log N nats; one row shows nothing.
    """

    counts = "rows where both players are valid; labels are ignored"

    def __init__(
        self,
        left_width: int,
        right_width: int,
        *,
        dimension: int = 128,
        temperature: float = 0.07,
        detach_left: bool = False,
        detach_right: bool = False,
    ) -> None:
        super().__init__()
        check_temperature(temperature, usual="0.07 to 0.1")
        self.temperature, self.detach_left, self.detach_right = temperature, detach_left, detach_right
        self.left, self.right = Sphere(left_width, dimension), Sphere(right_width, dimension)

    def forward(self, batch: Batch, left: Output, right: Output) -> Term:
        rows = left.valid & right.valid
        u, v = self.left(rows, left, detach=self.detach_left), self.right(rows, right, detach=self.detach_right)
        return over(rows, infonce(u, v, rows, temperature=self.temperature))

    @torch.no_grad()
    def ceiling(self, batch: Batch, left: Output, right: Output) -> Term:
        """The most that each row can show, in nats: log N, of the N rows that count in this batch of all processes."""
        rows = left.valid & right.valid
        return over(rows, gathered(rows).sum().clamp(min=1).log().expand(len(rows)))
