"""AMID: teacher, student and auxiliary model train together; what the teacher shares with the latter keeps it from becoming weak.

Idea: the mutual information of teacher and student goes up, which alone invites a teacher as weak as the student; that of teacher
and auxiliary model goes up against this; the conditional entropy of the teacher given the student goes down, by an adversary.
Paper: Chen, Xing, Wang, Zhang, "Enhanced Multimodal Representation Learning with Cross-modal KD", CVPR 2023, arXiv 2306.07646.
Differs: the three terms, the three players, contrastive learning of the first two terms and adversarial learning of the third are
the paper's; estimators, discriminator, normalisation, weights and where gradients stop are ours. So is retrieval: branches that
leave the teacher no other modality have each other as auxiliary. None of the three terms needs a label. Only one published AMID
number (UCF51 73.8, second-hand) was available, and was not reproduced here.
Use when: a modality exists in training only, and teacher and student can train together.
Related: `kd` freezes the teacher, which removes the shortcut; `crd` is the first term alone, `vid` a Gaussian form of the third.
"""

from functools import partial
from typing import Any

import torch

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.methods.amid_options import Entropy, Estimate, Start, check_options
from understudy.methods.method import Answers, Beside, Group, Method, Terms
from understudy.methods.taught import width_of
from understudy.models.model import Model, views_of
from understudy.objectives.conditional_entropy import AdversarialEntropy, GaussianEntropy, conditional_entropy
from understudy.objectives.objective import Term, summed
from understudy.prepare.view import Views, merge_views
from understudy.teachers.teacher import Frozen, Teacher

OWN = {"student": "supervised", "teacher": "teacher", "auxiliary": "auxiliary"}
"""Player -> the term of its own loss."""
CRITICS = ("entropy", "entropy_bound")


class AMID(Method):
    """The players' supervised losses - alpha * I(t;s) - beta * I(t;a) + gamma * H(t|s), each a mean over its own rows.

    mi: how information is estimated. cond_entropy: the game that makes H small, a Gaussian bound, or "none". alpha, beta, gamma:
    at least 0; a term of weight 0 is left out. detach_teacher_in_h: whether the teacher takes no gradient of H; if it does, beta
    should be at least alpha + gamma. teacher_start: untrained, trained on labels first, or frozen after that. auxiliary_frozen:
    trained on labels first, then frozen. mi_moves_auxiliary: whether I(t;a) also trains the auxiliary. generator_steps: updates,
    one of which moves the discriminator. tau, dimension: temperature and width of contrastive projections; momentum: of banks.
    An option that changes nothing beside the others warns. ValueError for players or options that cannot be.
    """

    def __init__(
        self,
        student: Model,
        teacher: Teacher | Model,
        auxiliary: Model,
        *,
        mi: Estimate = "infonce",
        cond_entropy: Entropy = "alice",
        alpha: float = 1.0,
        beta: float = 1.5,
        gamma: float = 0.5,
        detach_teacher_in_h: bool = True,
        teacher_start: Start = "fresh",
        auxiliary_frozen: bool = False,
        mi_moves_auxiliary: bool = False,
        generator_steps: int = 1,
        tau: float = 0.07,
        momentum: float = 0.5,
        dimension: int = 128,
    ) -> None:
        super().__init__()
        if not student.task == teacher.task == auxiliary.task:
            raise ValueError(f"{student.task}, {teacher.task} and {auxiliary.task} given; build all players with one fitted task")
        self.student, self.teacher, self.auxiliary = student, teacher, Frozen(auxiliary) if auxiliary_frozen else auxiliary
        self.mi, self.cond_entropy, self.alpha, self.beta, self.gamma = mi, cond_entropy, alpha, beta, gamma
        self.detach_teacher_in_h, self.teacher_start, self.auxiliary_frozen = detach_teacher_in_h, teacher_start, auxiliary_frozen
        self.mi_moves_auxiliary, self.generator_steps = mi_moves_auxiliary, generator_steps
        self.tau, self.momentum, self.dimension = tau, momentum, dimension
        check_options(self)
        s, a = student.width, auxiliary.width
        t = teacher.width if isinstance(teacher, Model) else width_of(teacher)
        banked = partial(objectives.CRD, momentum=momentum, contrast="instances")
        estimate = partial(objectives.InfoNCE if mi == "infonce" else banked, dimension=dimension, temperature=tau)
        self.supervised = objectives.Supervised(student.task)
        self.entropy_bound = GaussianEntropy(s, t)
        # Both are drawn in any case, so that no start depends on which other terms there are.
        ts, ta = estimate(s, t), estimate(a, t, detach_left=not mi_moves_auxiliary)
        self.ts, self.ta = ts if alpha else None, ta if beta else None
        game = None if cond_entropy == "none" or not gamma else cond_entropy
        self.entropy = conditional_entropy(game, s, t, detach_teacher=detach_teacher_in_h) if game else None

    @classmethod
    def embeds(cls, **options: Any) -> bool:
        return True

    @classmethod
    def beside(cls, *, teacher_start: Start, **others: Any) -> Beside:
        return "" if teacher_start == "frozen" else teacher_start

    @classmethod
    def fixed_auxiliary(cls, *, auxiliary_frozen: bool, **others: Any) -> bool:
        return auxiliary_frozen

    def views(self) -> Views:
        players = (self.student, self.teacher, self.auxiliary)
        return merge_views(*(views_of(each) if isinstance(each, Model) else each.views for each in players))

    def parts(self) -> tuple[str, ...]:
        return ("critic", "main")

    def groups(self) -> list[Group]:
        groups = [group for group in super().groups() if group.player not in CRITICS]
        groups.append(Group("entropy_bound", list(self.entropy_bound.parameters()), part="critic"))
        if self.entropy is not None:
            told = {name: p for name, p in self.entropy.named_parameters() if name.startswith("discriminator.")}
            groups.append(Group("generator", [p for name, p in self.entropy.named_parameters() if name not in told]))
            groups += [Group("discriminator", list(told.values()), part="critic")] if told else []
        return groups

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        if part == "critic":
            with torch.no_grad():
                student, ((_, teacher),) = self.say("student", batch), self.say("teacher", batch)
            return self.watch(student, teacher)
        said = {name: self.say(name, batch) for name in OWN}
        ((_, teacher),) = said["teacher"]
        terms = {OWN[name]: summed(self.supervised, said[name]) for name in OWN if isinstance(getattr(self, name), Model)}
        for name, shared, player, weight in (("ts", self.ts, "student", self.alpha), ("ta", self.ta, "auxiliary", self.beta)):
            if shared is not None:
                terms[name] = summed(shared, said[player], teacher).times(weight)
                terms[f"{name}.ceiling"] = summed(shared.ceiling, said[player], teacher)
        if self.entropy is not None:
            terms["entropy"] = summed(self.entropy, said["student"], teacher).times(self.gamma)
        return terms

    def watch(self, student: Answers, teacher: Output) -> Terms:
        """What the critics learn of answers that take no gradient."""
        terms = {"entropy_bound": summed(self.entropy_bound.critic, student, teacher)}
        if isinstance(self.entropy, AdversarialEntropy):
            if self.update % self.generator_steps:
                terms["discriminator"] = Term(*teacher.need("embedding").new_zeros(2))
            else:
                terms["discriminator"] = summed(self.entropy.critic, student, teacher)
        return terms
