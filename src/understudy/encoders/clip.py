"""XClip and PlainClip: video through a published CLIP of transformers, or through one of the same make and any size."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from understudy.encoders.processor import published_preparation
from understudy.encoders.published import published_config, published_weights, without_origin
from understudy.encoders.transformer import Transformer
from understudy.encoders.video import Tower, VideoEncoder, check_view, over_time
from understudy.prepare.stored import StoredFrames
from understudy.prepare.video import Frames

Freeze = Literal["tower", "clip", "nothing"]
"""What never trains: all that looks at frames; what CLIP brought along, but not what X-CLIP adds to it; or nothing."""
NEW = ("message_", "mit.", "prompts_", "transformer.")
"""Parts of names of what is added to CLIP; they take the plan's own rate, which in X-CLIP's recipe is ten times CLIP's."""
NO_TEXT = {
    "vocab_size": 8,
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "max_position_embeddings": 8,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 1,
}
"""A text tower that is built only to be left out."""


class ClipEncoder(VideoEncoder):
    """A CLIP's vision tower, and what joins its frames.

    config: a transformers configuration as JSON; `self.config` gives it back, so that a saved model is rebuilt from it and its
    own weights alone. freeze: what never trains.
    """

    model_type: str

    def __init__(self, view: Frames | StoredFrames, *, config: Mapping[str, Any], freeze: Freeze = "tower") -> None:
        super().__init__()
        if freeze not in get_args(Freeze):
            raise ValueError(f"freeze={freeze!r}; choose from {', '.join(get_args(Freeze))}")
        known = known_config(config, self.model_type)
        self.config = without_origin(known)
        self.view, self.width, self.freeze = view, known.projection_dim, freeze
        self.check(known, view)
        if not isinstance(view, Frames):
            known.vision_config.num_hidden_layers = 0
        from transformers import AutoModel

        whole = AutoModel.from_config(known, attn_implementation="sdpa", dtype="float32")
        self.tower = self.looking(whole, view) if isinstance(view, Frames) else None
        self.joining(whole, view)
        for parameter in self._still():
            parameter.requires_grad_(False)

    @classmethod
    def pretrained(cls, name: str | Path, view: Frames | StoredFrames, *, freeze: Freeze = "tower") -> "ClipEncoder":
        """From a transformers folder or hub id, in float32; `published_frames` gives its view.

        Raises FileNotFoundError where there is no model with weights in safetensors, ValueError where it is of another kind or
        its weights are broken.
        """
        encoder = cls(view, config=published_config(str(name)), freeze=freeze)
        encoder.fine_tuned = True
        published = published_weights(str(name))
        own = encoder.state_dict()
        encoder.load_state_dict({key: published.get(key.removeprefix("tower."), value) for key, value in own.items()})
        return encoder

    @abstractmethod
    def check(self, known: Any, view: Frames | StoredFrames) -> None:
        """ValueError where the view does not fit the configuration."""

    @abstractmethod
    def looking(self, whole: Any, view: Frames) -> Tower:
        """The tower, of the parts of a whole CLIP."""

    @abstractmethod
    def joining(self, whole: Any, view: Frames | StoredFrames) -> None:
        """Sets what joins the frames."""

    def published(self) -> Iterator[nn.Parameter]:
        return (p for name, p in self.named_parameters() if self.fine_tuned and not any(word in name for word in NEW))

    def frozen(self) -> Sequence[nn.Module]:
        return [self.tower] if self.tower is not None and self.freeze == "tower" else []

    def _still(self) -> Iterator[nn.Parameter]:
        """What never trains."""
        if self.tower is not None and self.freeze != "nothing":
            for name, parameter in self.tower.named_parameters():
                if self.freeze == "tower" or not any(word in name for word in NEW):
                    yield parameter


class XClip(ClipEncoder):
    """X-CLIP: frames that send each other messages in every block, then a transformer over the frames (MIT).

    Ni et al., "Expanding Language-Image Pretrained Models for General Video Recognition" (ECCV 2022, arXiv 2208.02816).
    """

    model_type = "xclip"

    def check(self, known: Any, view: Frames | StoredFrames) -> None:
        check_view(view, frames=known.vision_config.num_frames, size=known.vision_config.image_size)

    def looking(self, whole: Any, view: Frames) -> Tower:
        return XClipTower(whole)

    def joining(self, whole: Any, view: Frames | StoredFrames) -> None:
        self.mit = whole.mit

    def integrate(self, frames: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        return self.mit(frames).pooler_output


class PlainClip(ClipEncoder):
    """Any CLIP, one frame after another, then a small transformer of our own over the frames."""

    model_type = "clip"

    def check(self, known: Any, view: Frames | StoredFrames) -> None:
        check_view(view, frames=view.frames, size=known.vision_config.image_size)

    def looking(self, whole: Any, view: Frames) -> Tower:
        return PlainTower(whole, view.frames)

    def joining(self, whole: Any, view: Frames | StoredFrames) -> None:
        self.transformer = Transformer(width=self.width, steps=view.frames, depth=1, heads=4, dropout=0.1)

    def integrate(self, frames: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        return over_time(frames, self.transformer)


class XClipTower(Tower):
    """The frame's class token, projected; the patches, normalised and projected by X-CLIP's own layer."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        vision = whole.config.vision_config
        self.width, self.frames, self.patches = whole.config.projection_dim, vision.num_frames, patches_of(vision)
        self.vision_model, self.visual_projection = whole.vision_model, whole.visual_projection
        self.prompts_visual_layernorm = whole.prompts_visual_layernorm
        self.prompts_visual_projection = whole.prompts_visual_projection

    def forward(self, values: Float[Tensor, "B T _ H W"]) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B P D"]]:
        seen = self.vision_model(pixel_values=values.flatten(0, 1))
        frames = self.visual_projection(seen.pooler_output).unflatten(0, (-1, self.frames))
        patches = self.prompts_visual_layernorm(seen.last_hidden_state[:, 1:]) @ self.prompts_visual_projection
        return frames, patches.unflatten(0, (-1, self.frames)).mean(dim=1)


class PlainTower(Tower):
    """The frame's class token, projected; the patches projected the same way, since CLIP has no layer for them."""

    def __init__(self, whole: Any, frames: int) -> None:
        super().__init__()
        self.width, self.frames, self.patches = whole.config.projection_dim, frames, patches_of(whole.config.vision_config)
        self.vision_model, self.visual_projection = whole.vision_model, whole.visual_projection

    def forward(self, values: Float[Tensor, "B T _ H W"]) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B P D"]]:
        seen = self.vision_model(pixel_values=values.flatten(0, 1))
        frames = self.visual_projection(seen.pooler_output).unflatten(0, (-1, self.frames))
        points = seen.last_hidden_state[:, 1:].unflatten(0, (-1, self.frames)).mean(dim=1)
        return frames, self.visual_projection(self.vision_model.post_layernorm(points))


def patches_of(vision: Any) -> int:
    """P of a vision configuration."""
    return (vision.image_size // vision.patch_size) ** 2


def known_config(config: Mapping[str, Any], model_type: str) -> Any:
    """The configuration as transformers has it, a text tower made nearly nothing; ValueError for another kind of model."""
    from transformers import AutoConfig

    if config.get("model_type") != model_type:
        raise ValueError(f"a {config.get('model_type')} is given; expected a transformers configuration of type {model_type}")
    settings: dict[str, Any] = dict(config) | ({"text_config": NO_TEXT} if "vision_config" in config else {})
    return AutoConfig.for_model(**settings)


def published_frames(name: str, *, frames: int = 8) -> Frames:
    """The view that a published X-CLIP or CLIP was trained with: size, colours, and frames where it has a number of its own.

    ValueError as of `published_preparation`.
    """
    vision = published_config(name).get("vision_config") or {}
    told = published_preparation(name, size=vision["image_size"], clip=True)
    short = None if told.short == told.size else told.short
    return Frames(frames=vision.get("num_frames", frames), **told._replace(short=short)._asdict())


def small_config(view: Frames | StoredFrames, *, model_type: str, width: int) -> dict[str, Any]:
    """Two layers on 4 x 4 patches: for made worlds and for tests, to be trained from nothing."""
    heads = 4
    if width < 1 or width % heads:
        raise ValueError(f"width={width}, heads={heads}: expected a width that the heads divide")
    size = view.size if isinstance(view, Frames) else 64
    layer = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": heads}
    mit = {
        "mit_hidden_size": width,
        "mit_intermediate_size": 2 * width,
        "mit_num_attention_heads": heads,
        "num_frames": view.frames,
    }
    picture = {"image_size": size, "patch_size": -(-size // 4)}
    vision = layer | picture | (mit | {"num_frames": view.frames} if model_type == "xclip" else {})
    return {"model_type": model_type, "projection_dim": width, "vision_config": vision}


def small_xclip(view: Frames, *, width: int = 128, dropout: float = 0.1) -> XClip:
    """An XClip from nothing, all of it trained. dropout: X-CLIP has none."""
    return XClip(view, config=small_config(view, model_type="xclip", width=width), freeze="nothing")


def small_clip(view: Frames, *, width: int = 128, dropout: float = 0.1) -> PlainClip:
    """A PlainClip from nothing, all of it trained. dropout: CLIP has none."""
    return PlainClip(view, config=small_config(view, model_type="clip", width=width), freeze="nothing")
