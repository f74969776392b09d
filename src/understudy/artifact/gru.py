"""A GRU as the one ONNX operator. Torch's exporter unrolls it into a loop, and only for the first export of a process."""

import torch
from torch import Tensor, nn


class OnnxGRU(nn.Module):
    """Stands in for an `nn.GRU` in evaluation mode that starts from zeros; runs only inside an export."""

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        self.hidden, self.layers, self.batch_first = gru.hidden_size, gru.num_layers, gru.batch_first
        self.ends = ("", "_reverse") if gru.bidirectional else ("",)
        for layer in range(gru.num_layers):
            for name, weight in layer_weights(gru, layer, self.ends).items():
                self.register_buffer(f"{name}{layer}", weight)

    def forward(self, values: Tensor) -> tuple[Tensor, None]:
        """The hidden states, as `nn.GRU` gives them; the last state is not offered, since padding would be in it."""
        steps = values.transpose(0, 1) if self.batch_first else values
        for layer in range(self.layers):
            steps = self.run_layer(steps, layer)
        return steps.transpose(0, 1) if self.batch_first else steps, None

    def run_layer(self, steps: Tensor, layer: int) -> Tensor:
        """`[T B D]` -> `[T B directions x hidden]`."""
        length, rows, _ = steps.shape
        directions = len(self.ends)
        weights = [self.get_buffer(f"{name}{layer}") for name in ("input", "recurrent", "bias")]
        states = torch.onnx.ops.symbolic(
            "GRU",
            (steps, *weights),
            {
                "hidden_size": self.hidden,
                "linear_before_reset": 1,
                "direction": "bidirectional" if directions == 2 else "forward",
            },
            dtype=steps.dtype,
            shape=(length, directions, rows, self.hidden),
            version=14,
        )
        return states.transpose(1, 2).reshape(length, rows, directions * self.hidden)


def layer_weights(gru: nn.GRU, layer: int, ends: tuple[str, ...]) -> dict[str, Tensor]:
    """ONNX's weights of one layer, directions first; its gates are update, reset, new where torch's are reset, update, new."""

    def stacked(name: str) -> Tensor:
        blocks = [getattr(gru, f"{name}_l{layer}{end}").detach().chunk(3) for end in ends]
        return torch.stack([torch.cat([update, reset, new]) for reset, update, new in blocks])

    bias = torch.cat([stacked("bias_ih"), stacked("bias_hh")], dim=1) if gru.bias else torch.zeros(len(ends), 6 * gru.hidden_size)
    return {"input": stacked("weight_ih"), "recurrent": stacked("weight_hh"), "bias": bias}


def with_onnx_grus(module: nn.Module) -> nn.Module:
    """`module` itself, with every GRU inside it replaced; give a copy."""
    for name, child in module.named_children():
        if isinstance(child, nn.GRU):
            setattr(module, name, OnnxGRU(child))
        else:
            with_onnx_grus(child)
    return module
