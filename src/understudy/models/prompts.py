"""PromptHead: a teacher answers by holding its video vector against class prompts that the video itself enhanced.

The mechanism is X-CLIP's video-specific prompting (microsoft/VideoX, directory X-CLIP); that VideoAdviser (arXiv 2309.15494)
enhances its prompts this way, and every form of the regression head here, are our reading.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from understudy.batches.batch import Tokens
from understudy.encoders.encoder import Encoded
from understudy.encoders.pooling import attended
from understudy.models.head import Features, Head
from understudy.tasks import Regression, Task

Answer = Literal["classes", "mlp", "prompt"]
LARGEST_SCALE = 100.0
"""Of the logits, as in CLIP."""
MOST_CLASSES = 10_000
"""Of prompts: above it, a count is a slip."""


class PromptHead(Head):
    """z = exp(logit_scale) cos(v, p~), with p~ = p + alpha * generator(p, tokens), and the answer from z, v and p~.

    Features: `classes`, the logits z [B C]; for a number also `expected` [B], the anchors' mean under softmax(z), standardised
    as the logits are. A task of classes is answered by z itself, a number by `regression`:
    "classes" Linear(z); "mlp" of [v ; mean of p~]; "prompt" MLP of v * sum_c softmax(z)_c p~_c.

    tokens_of, width: the modality whose vector and tokens are read, and their width. classes: C. class_features: what a text
    tower makes of the class prompts, kept as a buffer, so that a saved model needs no text tower; learnt vectors when None.
    anchors: the number that each class stands for, in the target's unit, ascending; evenly over its range when None;
    "margin" (two classes) expects z_1 - z_0 itself, which has no unit. places: the number by which a label finds its class,
    where that is not the anchor. fused: width of the fused embedding where other modalities
    stand beside; it is added to v through a linear layer that starts at 0. alpha, layers, heads: of the prompt generator.
    """

    prompts: Tensor
    """p, as the text tower gave it."""
    anchors: Tensor
    """u [C], where the task is a number and its anchors are no margin."""

    def __init__(
        self,
        task: Task,
        *,
        tokens_of: str,
        width: int,
        classes: int = 7,
        class_features: Float[Tensor, "C _"] | None = None,
        anchors: Sequence[float] | Literal["margin"] | None = None,
        places: Sequence[float] | None = None,
        fused: int | None = None,
        regression: Answer = "prompt",
        alpha: float = 0.1,
        layers: int = 2,
        heads: int = 8,
        logit_scale: float = 2.6592,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_classes(task, classes, class_features)
        check_settings(
            task, classes, anchors, regression=regression, alpha=alpha, layers=layers, heads=heads, logit_scale=logit_scale
        )
        self.task, self.tokens_of, self.classes, self.regression = task, tokens_of, classes, regression
        self.enter: nn.Module = nn.Identity()
        if class_features is None:
            self.prompts = nn.Parameter(torch.randn(classes, width) * width**-0.5)
        else:
            self.register_buffer("prompts", class_features.detach().clone().float())
            if class_features.shape[1] != width:
                self.enter = nn.Linear(class_features.shape[1], width, bias=False)
        self.generator = PromptGenerator(width, alpha=alpha, layers=layers, heads=heads)
        self.logit_scale = nn.Parameter(torch.tensor(logit_scale))
        self.others: nn.Linear | None = None
        if fused is not None:
            self.others = nn.Linear(fused, width)
            nn.init.zeros_(self.others.weight)
            nn.init.zeros_(self.others.bias)
            # The cosine has no gradient worth having at v = 0, where a row without this modality would start.
            self.unseen = nn.Parameter(torch.randn(width) * width**-0.5)
        if isinstance(task, Regression):
            self.margin = anchors == "margin"
            if anchors != "margin":
                self.register_buffer("anchors", anchor_values(task, classes, anchors))
            # A margin between two classes has no anchors; its classes are the signs.
            own = [-1.0, 1.0] if self.margin else self.anchors.tolist()
            self.places = own if places is None else anchor_values(task, classes, places).tolist()
            inputs = {"classes": classes, "mlp": 2 * width, "prompt": width}[regression]
            self.answer = nn.Linear(inputs, 1) if regression == "classes" else small_mlp(inputs, width, dropout)

    def forward(
        self, embedding: Float[Tensor, "B D"], encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]
    ) -> tuple[Float[Tensor, "B C"], Features]:
        vector, prompts = self.vector(embedding, encoded, present), self.enhanced(len(embedding), encoded)
        scale = self.logit_scale.exp().clamp(max=LARGEST_SCALE)
        likeness = functional.normalize(vector, dim=-1)[:, None] * functional.normalize(prompts, dim=-1)
        classes = scale * likeness.sum(dim=-1)
        features: Features = {"classes": classes}
        if not isinstance(self.task, Regression):
            return classes, features
        features["expected"] = self.expected(classes)
        return self.answer(self.evidence(vector, prompts, classes)), features

    def vector(
        self, embedding: Float[Tensor, "B D"], encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]
    ) -> Float[Tensor, "B _"]:
        """v: the modality's own vector, and what the other modalities add to it."""
        said = encoded[self.tokens_of].pooled if self.tokens_of in encoded else None
        if self.others is None:
            return embedding if said is None else said
        unseen = self.unseen.where(~present[self.tokens_of][:, None], 0.0)
        return self.others(embedding) + (unseen if said is None else said + unseen)

    def enhanced(self, rows: int, encoded: Mapping[str, Encoded]) -> Float[Tensor, "B C D"]:
        """p~; p alone for a row without a token."""
        prompts = self.enter(self.prompts).expand(rows, -1, -1)
        if self.tokens_of not in encoded:
            return prompts
        tokens = encoded[self.tokens_of].tokens
        if tokens is None:
            raise ValueError(f"the encoder of {self.tokens_of} gives no tokens, which class prompts need; take another one")
        return prompts + self.generator(prompts, tokens)

    def expected(self, classes: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
        """e, standardised with the task's mean and scale; of a margin, the margin."""
        if self.margin:
            return classes[:, 1] - classes[:, 0]
        assert isinstance(self.task, Regression)
        return (classes.softmax(dim=-1) @ self.anchors - self.task.mean) / self.task.scale

    def evidence(self, vector: Tensor, prompts: Tensor, classes: Tensor) -> Tensor:
        """What the regression reads."""
        if self.regression == "classes":
            return classes
        if self.regression == "mlp":
            return torch.cat([vector, prompts.mean(dim=1)], dim=-1)
        return vector * (classes.softmax(dim=-1)[:, :, None] * prompts).sum(dim=1)


class PromptGenerator(nn.Module):
    """What tokens add to class prompts: `layers` of cross-attention and a perceptron, times a learnt alpha a channel.

    Its parts bear the names of transformers' `XCLIPPromptGenerator`, so that published weights fit.
    """

    def __init__(self, width: int, *, alpha: float, layers: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"the class prompts are {width} wide and heads={heads}; give heads that divide the width")
        self.layernorm = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(PromptLayer(width, heads) for _ in range(layers))
        self.alpha = nn.Parameter(torch.full((width,), alpha))

    def forward(self, prompts: Float[Tensor, "B C D"], tokens: Tokens) -> Float[Tensor, "B C D"]:
        visual, mask = self.layernorm(tokens.values), tokens.mask
        for layer in self.decoder:
            prompts = layer(prompts, visual, attended(mask))
        return (self.alpha * prompts).where(mask.any(dim=1)[:, None, None], 0.0)


class PromptLayer(nn.Module):
    """x + CrossAttention(LN(x), tokens), then x + MLP(LN(x))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.cross_attn = CrossAttention(width, heads)
        self.norm1, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), QuickGELU(), nn.Dropout(0.0), nn.Linear(4 * width, width))

    def forward(self, prompts: Tensor, visual: Tensor, mask: Bool[Tensor, "B N"]) -> Tensor:
        prompts = prompts + self.cross_attn(self.norm1(prompts), visual, mask)
        return prompts + self.mlp(self.norm3(prompts))


class CrossAttention(nn.Module):
    """Several heads; queries, keys and values without bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.proj = nn.Linear(width, width)

    def forward(self, prompts: Tensor, visual: Tensor, mask: Bool[Tensor, "B N"]) -> Tensor:
        projected = self.q_proj(prompts), self.k_proj(visual), self.v_proj(visual)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in projected)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        return self.proj(mixed.transpose(1, 2).flatten(start_dim=2))


class QuickGELU(nn.Module):
    """CLIP's: x sigmoid(1.702 x)."""

    def forward(self, values: Tensor) -> Tensor:
        return values * torch.sigmoid(1.702 * values)


def small_mlp(inputs: int, width: int, dropout: float) -> nn.Sequential:
    """One hidden layer on normalised inputs: a product of two vectors has no scale of its own."""
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, 1))


def check_classes(task: Task, classes: int, class_features: Tensor | None) -> None:
    """ValueError for prompts that do not match the classes, or that say nothing."""
    if not 2 <= classes <= MOST_CLASSES:
        raise ValueError(f"classes={classes}: class prompts need at least two, and are at most {MOST_CLASSES:,}")
    if not isinstance(task, Regression) and task.outputs != classes:
        raise ValueError(f"{classes} class prompts for a task of {task.outputs} classes; give one a class, in their order")
    if class_features is None:
        return
    if class_features.ndim != 2 or not class_features.numel():
        raise ValueError(f"class_features of shape {list(class_features.shape)}; expected one vector a class, [{classes}, width]")
    if len(class_features) != classes:
        raise ValueError(f"{len(class_features)} class prompts for {classes} classes; give one a class, in their order")
    if not (class_features.isfinite().all(dim=1) & class_features.any(dim=1)).all():
        raise ValueError("class_features holds a vector that is all zero or not finite; a class without direction has no cosine")


def check_settings(
    task: Task,
    classes: int,
    anchors: Sequence[float] | Literal["margin"] | None,
    *,
    regression: str = "prompt",
    alpha: float = 0.1,
    layers: int = 2,
    heads: int = 8,
    logit_scale: float = 2.6592,
) -> None:
    """ValueError for settings of a `PromptHead` that cannot be."""
    if regression not in get_args(Answer):
        raise ValueError(f"regression={regression!r}; choose from {', '.join(get_args(Answer))}")
    if heads < 1 or layers < 0:
        raise ValueError(f"heads={heads} and layers={layers}; give at least 1 head and no negative number of layers")
    # Published scales are ln 100, rounded.
    if not math.isfinite(alpha) or not math.isfinite(logit_scale) or logit_scale > math.log(LARGEST_SCALE) + 1e-3:
        raise ValueError(f"alpha={alpha} and logit_scale={logit_scale}; both must be finite, logit_scale at most ln 100 = 4.605")
    if not isinstance(task, Regression):
        if anchors is not None:
            raise ValueError(f"anchors={anchors!r} for a {task.kind} task; only classes that stand for numbers have them")
    elif anchors != "margin":
        anchor_values(task, classes, anchors)
    elif classes != 2:
        raise ValueError(f'anchors="margin" holds two classes against each other; given {classes}')


def anchor_values(task: Regression, classes: int, anchors: Sequence[float] | None) -> Tensor:
    """u [C] in the target's unit."""
    if anchors is None:
        if not torch.tensor([task.low, task.high]).isfinite().all():
            raise ValueError(
                f"the target has no lowest and highest value; give anchors, the number each of {classes} classes means"
            )
        return torch.linspace(task.low, task.high, classes)
    if len(anchors) != classes:
        raise ValueError(f"{len(anchors)} anchors for {classes} classes; give one a class")
    values = torch.tensor([float(u) for u in anchors])
    if not values.isfinite().all() or not (values.diff() > 0).all():
        raise ValueError(f"anchors {list(anchors)} given; they must be finite and ascend")
    return values
