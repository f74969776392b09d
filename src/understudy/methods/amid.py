"""AMID: teacher, student and auxiliary model train together; what the teacher shares with the latter keeps it from becoming weak.

Idea: the mutual information of teacher and student goes up, which alone invites a teacher as weak as the student; that of teacher
and auxiliary model goes up against this; the conditional entropy of the teacher given the student goes down.
Paper: Chen, Xing, Wang, Zhang, "Enhanced Multimodal Representation Learning with Cross-modal KD", CVPR 2023, arXiv 2306.07646.
Differs: the three terms, the three players, contrastive learning of the first two terms and adversarial learning of the third are
the paper's. Ours: estimators, weights, normalisation, where gradients stop; that by default the third is of the teacher's answer
and bounded by a cross-entropy, not played (`cond_entropy="answers_gan"` plays it; the other games are of embeddings); retrieval,
where branches that leave the teacher no other modality have each other as auxiliary. None of the three terms needs a label. Only
one published AMID number (UCF51 73.8, second-hand) was available, and was not reproduced here.
Use when: a modality exists in training only, and teacher and student can train together.
Related: `kd` freezes the teacher, which removes the shortcut; `crd` is the first term alone, `vid` a Gaussian form of the third.
"""

import warnings
from functools import partial
from typing import Any, Literal, get_args

import torch

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.methods.method import Answers, Beside, Group, Method, Terms
from understudy.methods.options import check_weights, check_words, warn_idle
from understudy.methods.taught import width_of
from understudy.models.model import Model, views_of
from understudy.objectives.adversary import Adversary
from understudy.objectives.answer_entropy import AnswerEntropy, AnswerGame, left_open
from understudy.objectives.conditional_entropy import Game, Variant, conditional_entropy
from understudy.objectives.crd import check_momentum
from understudy.objectives.objective import Objective, Term, check_counts, check_temperature, summed
from understudy.prepare.view import Views, merge_views
from understudy.tasks import Regression
from understudy.teachers.teacher import Frozen, Teacher

Estimate = Literal["infonce", "crd_bank"]
Answered = Literal["answers", "answers_gan"]
Entropy = Literal[Answered, Variant, "none"]
Start = Literal["fresh", "trained", "frozen"]
OWN = {"student": "supervised", "teacher": "teacher", "auxiliary": "auxiliary"}
"""Player -> the term of its own loss."""


class AMID(Method):
    """The players' supervised losses - alpha * I(t;s) - beta * I(t;a) + gamma * H(t|s), each a mean over its own rows.

    mi: how information is estimated. cond_entropy: what H is of and how it is made small: of the teacher's answer, by a bound
    ("answers") or a game ("answers_gan"); of its embedding, by a game or a Gaussian bound; or "none". temperature: above 0,
    softens answers. alpha, beta, gamma: at least 0; a term of weight 0 is left out. detach_teacher_in_h: whether the teacher
    takes no gradient of H; if it does, beta should be at least alpha + gamma. teacher_start: untrained, trained on labels first,
    or frozen after that. auxiliary_frozen: trained on labels first, then frozen. mi_moves_auxiliary: whether I(t;a) also trains
    the auxiliary. generator_steps: updates, one of which moves the discriminator. tau, dimension: temperature and width of
    contrastive projections; momentum: of banks. An option that changes nothing beside the others warns. ValueError for players
    or options that cannot be.
    """

    strengths = ("alpha", "beta", "gamma")

    def __init__(
        self,
        student: Model,
        teacher: Teacher | Model,
        auxiliary: Model,
        *,
        mi: Estimate = "infonce",
        cond_entropy: Entropy = "answers",
        alpha: float = 0.1,
        beta: float = 0.15,
        gamma: float = 4.0,
        temperature: float = 2.0,
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
        self.cond_entropy: Entropy = cond_entropy
        self.mi, self.alpha, self.beta, self.gamma = mi, alpha, beta, gamma
        self.temperature, self.detach_teacher_in_h, self.teacher_start = temperature, detach_teacher_in_h, teacher_start
        self.auxiliary_frozen, self.mi_moves_auxiliary = auxiliary_frozen, mi_moves_auxiliary
        self.generator_steps, self.tau, self.momentum, self.dimension = generator_steps, tau, momentum, dimension
        check_options(self)
        s, a = student.width, auxiliary.width
        t = teacher.width if isinstance(teacher, Model) else width_of(teacher)
        banked = partial(objectives.CRD, momentum=momentum, contrast="instances")
        estimate = partial(objectives.InfoNCE if mi == "infonce" else banked, dimension=dimension, temperature=tau)
        self.supervised = objectives.Supervised(student.task)
        # Both are drawn in any case, so that no start depends on which other terms there are.
        ts, ta = estimate(s, t), estimate(a, t, detach_left=not mi_moves_auxiliary)
        self.ts, self.ta = ts if alpha else None, ta if beta else None
        self.entropy = self.left_open(s, t) if gamma else None
        self.heard: dict[int, tuple[Batch, Answers, Output]] = {}

    def left_open(self, student_width: int, teacher_width: int) -> Objective | None:
        """The objective of H(t|s)."""
        what = self.cond_entropy
        if what == "none":
            return None
        if what == "answers" or what == "answers_gan":
            kind = AnswerEntropy if what == "answers" else AnswerGame
            return kind(self.student.task, temperature=self.temperature, detach_teacher=self.detach_teacher_in_h)
        return conditional_entropy(what, student_width, teacher_width, detach_teacher=self.detach_teacher_in_h)

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
        return ("main", "critic") if isinstance(self.entropy, Adversary) else ("main",)

    def groups(self) -> list[Group]:
        if not isinstance(self.entropy, Adversary):
            return super().groups()
        groups = [group for group in super().groups() if group.player != "entropy"]
        told = list(self.entropy.discriminator.parameters())
        makes = [p for name, p in self.entropy.named_parameters() if not name.startswith("discriminator.")]
        groups += [Group("generator", makes)] if makes else []
        return [*groups, Group("discriminator", told, part="critic")]

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        if part == "critic":
            return {"discriminator": self.told_apart(batch)}
        said = {name: self.say(name, batch) for name in OWN}
        student, ((_, teacher),) = said["student"], said["teacher"]
        terms = {OWN[name]: summed(self.supervised, said[name]) for name in OWN if isinstance(getattr(self, name), Model)}
        for name, shared, player, weight in (("ts", self.ts, "student", self.alpha), ("ta", self.ta, "auxiliary", self.beta)):
            if shared is not None:
                terms[name] = summed(shared, said[player], teacher).times(weight)
                terms[f"{name}.ceiling"] = summed(shared.ceiling, said[player], teacher)
        terms["entropy.bound"] = summed(partial(left_open, self.student.task), student, teacher)
        if self.entropy is not None:
            terms["entropy"] = summed(self.entropy, student, teacher).times(self.gamma)
        if isinstance(self.entropy, Adversary):
            self.heard[self.step] = batch, [(seen, answer.detached()) for seen, answer in student], teacher.detached()
        return terms

    def told_apart(self, batch: Batch) -> Term:
        """What the discriminator learns of answers that take no gradient: those that the main part heard of this very batch."""
        heard, student, teacher = self.heard.get(self.step, (None, [], None))
        if heard is not batch or teacher is None:
            with torch.no_grad():
                student, ((_, teacher),) = self.say("student", batch), self.say("teacher", batch)
        if self.update % self.generator_steps:
            return Term(*teacher.need("embedding").new_zeros(2))
        assert isinstance(self.entropy, Adversary)
        return summed(self.entropy.critic, student, teacher)

    def after_step(self) -> None:
        super().after_step()
        self.heard.clear()


def check_options(amid: AMID) -> None:
    """ValueError for an option that cannot be; a warning for one without effect, and for weights that can make a teacher weak."""
    check_words(amid, AMID)
    check_weights(alpha=amid.alpha, beta=amid.beta, gamma=amid.gamma)
    check_counts(generator_steps=amid.generator_steps)
    check_temperature(amid.temperature, usual="1 to 4")
    check_momentum(amid.momentum)
    trains = isinstance(amid.teacher, Model)
    if trains != (amid.teacher_start != "frozen"):
        given = f"teacher_start {amid.teacher_start!r} with {type(amid.teacher).__name__}"
        raise ValueError(f"{given} given; a Model trains, a Teacher is frozen")
    contrast, entropy = bool(amid.alpha or amid.beta), amid.cond_entropy != "none"
    answers = bool(amid.gamma) and amid.cond_entropy in get_args(Answered) and not isinstance(amid.student.task, Regression)
    game = bool(amid.gamma) and amid.cond_entropy in ("answers_gan", *get_args(Game))
    warn_idle(
        amid,
        AMID,
        {
            "mi": (contrast, "alpha and beta are 0"),
            "tau": (contrast, "alpha and beta are 0"),
            "dimension": (contrast, "alpha and beta are 0"),
            "momentum": (contrast and amid.mi == "crd_bank", "there are no banks, which mi='crd_bank' has"),
            "mi_moves_auxiliary": (amid.beta and not amid.auxiliary_frozen, "beta is 0 or the auxiliary model frozen"),
            "cond_entropy": (amid.gamma or not entropy, "gamma is 0"),
            "gamma": (entropy or not amid.gamma, "cond_entropy is 'none'"),
            "temperature": (answers, "H is not of answers in classes: see cond_entropy and gamma"),
            "generator_steps": (game, "there is no discriminator: gamma is 0, or cond_entropy is no game"),
            "detach_teacher_in_h": (amid.gamma and entropy and trains, "H is left out or the teacher frozen"),
        },
    )
    reached = trains and amid.gamma and entropy and not amid.detach_teacher_in_h
    if reached and amid.beta < amid.alpha + amid.gamma:
        warnings.warn(
            f"beta {amid.beta} is less than alpha {amid.alpha} + gamma {amid.gamma} and the gradient of H reaches the teacher, "
            "which may make it weak; raise beta or keep detach_teacher_in_h"
        )
