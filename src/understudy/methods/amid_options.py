"""Options of AMID: which can be, and which have no effect beside the others."""

import inspect
import warnings
from typing import TYPE_CHECKING, Literal, get_args

from understudy.methods.taught import check_weights
from understudy.models.model import Model
from understudy.objectives.conditional_entropy import Game, Variant
from understudy.objectives.crd import check_momentum
from understudy.objectives.objective import check_counts

if TYPE_CHECKING:
    from understudy.methods.amid import AMID

Estimate = Literal["infonce", "crd_bank"]
Entropy = Literal[Variant, "none"]
Start = Literal["fresh", "trained", "frozen"]
WORDS = {"mi": Estimate, "cond_entropy": Entropy, "teacher_start": Start}


def check_options(amid: "AMID") -> None:
    """ValueError for an option that cannot be; a warning for one without effect, and for weights that can make a teacher weak."""
    for name, words in WORDS.items():
        if getattr(amid, name) not in get_args(words):
            raise ValueError(f"{name} {getattr(amid, name)!r} given; choose from {', '.join(get_args(words))}")
    check_weights(alpha=amid.alpha, beta=amid.beta, gamma=amid.gamma)
    check_counts(generator_steps=amid.generator_steps)
    check_momentum(amid.momentum)
    trains = isinstance(amid.teacher, Model)
    if trains != (amid.teacher_start != "frozen"):
        given = f"teacher_start {amid.teacher_start!r} with {type(amid.teacher).__name__}"
        raise ValueError(f"{given} given; a Model trains, a Teacher is frozen")
    warn_without_effect(amid, trains=trains)
    reached = trains and amid.gamma and amid.cond_entropy != "none" and not amid.detach_teacher_in_h
    if reached and amid.beta < amid.alpha + amid.gamma:
        warnings.warn(
            f"beta {amid.beta} is less than alpha {amid.alpha} + gamma {amid.gamma} and the gradient of H reaches the teacher, "
            "which may make it weak; raise beta or keep detach_teacher_in_h"
        )


def warn_without_effect(amid: "AMID", *, trains: bool) -> None:
    """A warning for each option that is not its default and changes nothing beside the others. trains: the teacher."""
    from understudy.methods.amid import AMID

    contrast, entropy = bool(amid.alpha or amid.beta), amid.cond_entropy != "none"
    game = bool(amid.gamma) and amid.cond_entropy in get_args(Game)
    told = inspect.signature(AMID).parameters
    for name, effective, reason in (
        ("mi", contrast, "alpha and beta are 0"),
        ("tau", contrast, "alpha and beta are 0"),
        ("dimension", contrast, "alpha and beta are 0"),
        ("momentum", contrast and amid.mi == "crd_bank", "there are no banks, which mi='crd_bank' has"),
        ("mi_moves_auxiliary", amid.beta and not amid.auxiliary_frozen, "beta is 0 or the auxiliary model frozen"),
        ("cond_entropy", amid.gamma or not entropy, "gamma is 0"),
        ("gamma", entropy or not amid.gamma, "cond_entropy is 'none'"),
        ("generator_steps", game, "there is no discriminator: gamma is 0, or cond_entropy is no game"),
        ("detach_teacher_in_h", amid.gamma and entropy and trains, "H is left out or the teacher frozen"),
    ):
        if getattr(amid, name) != told[name].default and not effective:
            warnings.warn(f"{name} {getattr(amid, name)!r} has no effect: {reason}")
