"""What a transformers folder or hub id holds: a configuration, weights in safetensors, and how pictures were prepared for it.

Code that it may bring along is never executed.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from torch import Tensor

from understudy.prepare.picture import Resample

Colours = tuple[float, float, float]
"""Red, green, blue."""
BILINEAR = 2
"""Pillow's number of it, which preprocessor files hold."""


def published_config(name: str) -> dict[str, Any]:
    """The configuration of a transformers folder or hub id, as JSON; FileNotFoundError where there is none."""
    from transformers import AutoConfig

    if not may_be_published(name):
        raise FileNotFoundError(
            f"no published encoder {name}: no such folder, and a hub id has an owner, as in google-bert/bert-base-uncased"
        )
    try:
        return without_origin(AutoConfig.from_pretrained(name, trust_remote_code=False))
    except (OSError, ValueError) as error:
        raise FileNotFoundError(f"no published encoder {name}: {error}") from None


def may_be_published(name: str) -> bool:
    """Whether a name is worth asking the hub, which takes half a minute to say no: not a bare word that is nowhere here."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if "/" in name or Path(name).exists():
        return True
    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False


def published_weights(name: str) -> dict[str, Tensor]:
    """The weights of a transformers folder or hub id without its pooler; from safetensors only, since a pickle is code.

    Raises FileNotFoundError where there are none, ValueError where they are broken or do not fit the configuration.
    """
    from transformers import AutoModel

    try:
        loaded, report = AutoModel.from_pretrained(
            name, use_safetensors=True, trust_remote_code=False, dtype="float32", output_loading_info=True
        )
    except OSError as error:
        raise FileNotFoundError(f"no published encoder {name}: {error}") from None
    except (RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{name}: its weights are broken or do not fit its configuration ({reason}); fetch them again") from None
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise ValueError(f"{name}: its weights lack {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""))
    return {key: weight for key, weight in loaded.state_dict().items() if not key.startswith("pooler.")}


def without_origin(config: Any) -> dict[str, Any]:
    """A transformers configuration as JSON, without the place it came from."""
    return {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}


class Preprocessor(NamedTuple):
    """How pictures were prepared: mean and deviation of each colour in [0, 1], and every setting of the file."""

    mean: Colours
    std: Colours
    resample: Resample
    settings: dict[str, Any]


def preprocessor(name: str, *, mean: Colours, std: Colours) -> Preprocessor:
    """What the preprocessor file of a folder or hub id says; mean and std where it, or the file, says nothing.

    ValueError for a file that cannot be read.
    """
    from transformers.utils.hub import cached_file

    told = cached_file(name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False)
    try:
        settings = json.loads(Path(told).read_text(encoding="utf-8")) if told else {}
        mean, std = (triple(settings.get(*each)) for each in (("image_mean", mean), ("image_std", std)))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{told}: {error}; expected a JSON object, image_mean and image_std each three numbers") from None
    return Preprocessor(mean, std, "bilinear" if settings.get("resample") == BILINEAR else "bicubic", settings)


def triple(colours: Any) -> Colours:
    """Red, green, blue."""
    red, green, blue = colours
    return float(red), float(green), float(blue)
