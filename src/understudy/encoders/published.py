"""What a transformers folder or hub id holds: a configuration, and weights in safetensors. `processor` has its pictures.

Code that it may bring along is never executed.
"""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor, nn

FAULTS = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, ImportError, RuntimeError, NotImplementedError)
"""What transformers raises over a file or a model that is not as it should be."""


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


def published_weights(name: str, *, spare: tuple[str, ...] = ("pooler.",)) -> dict[str, Tensor]:
    """The weights of a transformers folder or hub id; from safetensors only, since a pickle is code.

    spare: beginnings of names that may lack, and are left out. FileNotFoundError where there are none, ValueError where
    they are broken or do not fit the configuration.
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
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(spare))
    if missing:
        raise ValueError(f"{name}: its weights lack {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""))
    return {key: weight for key, weight in loaded.state_dict().items() if not key.startswith(spare)}


def architecture(known: Any) -> Any:
    """The model of a transformers configuration, untrained, in float32; ValueError for a configuration of no model."""
    from transformers import AutoModel

    try:
        return AutoModel.from_config(known, attn_implementation="sdpa", dtype="float32")
    except ValueError:  # An architecture that transformers has no fused attention for, or none at all.
        return AutoModel.from_config(known, attn_implementation="eager", dtype="float32")


def still(model: nn.Module) -> None:
    """What stands for masked patches or steps in pretraining takes no part here, and no gradient."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("mask_token" not in name and "masked_spec_embed" not in name)


def without_origin(config: Any) -> dict[str, Any]:
    """A transformers configuration as JSON, without the place it came from."""
    return {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}
