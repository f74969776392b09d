"""Unimodal: the student's embedding against the vector of an encoder that knows one modality alone: naive distillation.

Paper: after Wang et al., "Multimodal Adaptive Distillation", 2022, arXiv 2204.10496, and CLIP-TD, 2022, arXiv 2201.05729: both
distil such encoders during fine-tuning. All formulas are ours: the papers' own were not at hand.
"""

from typing import Literal, get_args

from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output
from understudy.objectives.infonce import infonce
from understudy.objectives.objective import Objective, Term, check_temperature, levelled, only, over, unit

VectorDistance = Literal["l1", "l2", "cosine", "infonce"]


def vector_distance(
    ours: Float[Tensor, "R D"],
    theirs: Float[Tensor, "R D"],
    rows: Bool[Tensor, " R"],
    *,
    distance: VectorDistance,
    temperature: float,
) -> Float[Tensor, " R"]:
    """Between levelled vectors, row by row: 0 where they point the same way.

    l1: mean absolute difference, at most 2. l2: mean squared difference, at most 4, which is twice the cosine distance. infonce:
    minus the bound on their mutual information in nats, at best -log N among the N `rows` of all processes.
    """
    if distance == "infonce":
        return infonce(unit(ours), unit(theirs), rows, temperature=temperature)
    ours, theirs = levelled(ours), levelled(theirs)
    if distance == "cosine":
        return 1 - (ours * theirs).mean(dim=1)
    return (ours - theirs).abs().mean(dim=1) if distance == "l1" else (ours - theirs).square().mean(dim=1)


def vectors_of(teacher: Output, feature: str) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B D"]]:
    """The rows where the teacher says this feature, and its vectors there in float32, 0 elsewhere; they take no gradient."""
    vectors = only(teacher.valid, teacher.need(feature).detach().float())
    return vectors.any(dim=1), vectors


class Unimodal(Objective):
    """distance(P e_s, z): the student's embedding through a linear map P, which is left behind, and a vector of the teacher's.

    feature: the teacher's vector by name; a row where it is 0 lacks what the vector is of. distance, temperature (of "infonce",
    above 0): see `vector_distance`.
    """

    counts = "rows where the student is valid and the teacher says the feature; labels are ignored"

    def __init__(
        self,
        feature: str,
        student_width: int,
        teacher_width: int,
        *,
        distance: VectorDistance = "l1",
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        check_distance(distance, temperature)
        self.distance: VectorDistance = distance
        self.feature, self.temperature = feature, temperature
        self.projection = nn.Linear(student_width, teacher_width)

    def forward(self, batch: Batch, student: Output, teacher: Output, weight: Float[Tensor, " B"] | None = None) -> Term:
        """weight: of each row; 1 when None."""
        here, theirs = vectors_of(teacher, self.feature)
        rows = student.valid & here
        ours = self.projection(only(rows, student.need("embedding").float())).float()
        loss = vector_distance(ours, only(rows, theirs), rows, distance=self.distance, temperature=self.temperature)
        return over(rows, loss if weight is None else loss * weight)


def check_distance(distance: str, temperature: float) -> None:
    """ValueError for an unknown distance, or a temperature that is none."""
    if distance not in get_args(VectorDistance):
        raise ValueError(f"distance {distance!r} given; allowed: {', '.join(get_args(VectorDistance))}")
    check_temperature(temperature, usual="0.07 to 0.1")
