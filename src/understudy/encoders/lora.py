"""LoRA: of a published encoder's linear layers small matrices train beside the weights, which stay; merged when it ships.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (ICLR 2022, arXiv 2106.09685), by the library peft.
"""

from typing import Any

from torch import nn

from understudy.encoders.encoder import Encoder


def with_lora(encoder: Encoder, rank: int) -> Encoder:
    """The encoder, of which matrices of this rank train alone, beside every linear layer, at the plan's own rate.

    ImportError where peft is not installed, ValueError for an encoder without a linear layer.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ImportError(f"lora={rank} needs the package peft, which is not installed: pip install 'understudy[lora]'") from None

    layers = [name for name, module in encoder.named_modules() if type(module) is nn.Linear]
    if not layers:
        raise ValueError(f"lora={rank}: this {type(encoder).__name__} has no linear layer to train beside; leave lora out")
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=layers), encoder)
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad_("lora_" in name)
    encoder.fine_tuned = False
    return encoder


def merge(encoder: Encoder) -> None:
    """What was learnt beside the weights is added to them, and the layers are plain ones again; any other encoder stays."""
    for name, module in list(encoder.named_modules()):
        layer: Any = module
        if hasattr(layer, "get_base_layer") and hasattr(layer, "merge"):
            layer.merge()
            parent, _, own = name.rpartition(".")
            setattr(encoder.get_submodule(parent), own, layer.get_base_layer())
