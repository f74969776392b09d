"""Checkpoints and weights on disk: safetensors and JSON, each whole or not at all, and with its SHA-256."""

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import Tensor, nn

from understudy.process.partial import discard
from understudy.process.whole import Unwritable, read_json, refuse_changed, summed_file, whole_folder

FOLDER = "checkpoint"


def save(out: Path, name: str, *, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write checkpoint `name` under `out`, and only when it stands remove the older ones. Names sort by age.

    state: anything JSON holds; floats come back bit for bit. Raises OSError (disk full); the older one is then still there.
    """
    folder = out / FOLDER
    if (folder / name).exists():
        return
    with whole_folder(folder / name) as partial:
        write_tensors(partial / "tensors.safetensors", tensors)
        with summed_file(partial / "state.json") as file:
            file.write_text(json.dumps(state), encoding="utf-8")
    for older in folder.iterdir():
        if older.name != name:
            discard(older)


def load(out: Path, *, identity: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """State and tensors of the newest checkpoint under `out`, None if there is none.

    Raises ValueError when its `state["identity"]` is another one, or when it is damaged.
    """
    found = [path for path in (out / FOLDER).glob("*") if not path.name.startswith(".")]
    if not found:
        return None
    newest = max(found)
    try:
        for name in ("state.json", "tensors.safetensors"):
            refuse_changed(newest / name)
        state = read_json(newest / "state.json")
        tensors = load_file(newest / "tensors.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(
            f"checkpoint {newest} cannot be read ({error}); remove {out / FOLDER} to train from the start"
        ) from error
    then, now = state["identity"], json.loads(json.dumps(identity))
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            raise ValueError(
                f"{out} holds a checkpoint of another run: its {name} was {then.get(name)!r}, now it is {now.get(name)!r}. "
                f"Start the same run again, give another folder, or remove {out / FOLDER}"
            )
    return state, tensors


def remove(out: Path) -> None:
    """Remove the checkpoints of a finished run; nothing happens when there are none. Call it after `save_weights`."""
    discard(out / FOLDER)


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of a model; shared tensors are written once. Raises OSError (disk full) and leaves nothing then."""
    with safely(path) as partial:
        save_model(model, str(partial))


def load_weights(model: nn.Module, path: Path) -> None:
    """Read what `save_weights` wrote into a model of the same shape. FileNotFoundError; ValueError where any byte is another."""
    if not path.exists():
        raise FileNotFoundError(f"no weights at {path}")
    refuse_changed(path)
    try:
        load_model(model, path)
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"{path} does not hold the weights of this model: {error}") from error


def random_state() -> dict[str, Any]:
    """Where every global random generator stands, as JSON: PyTorch's (with every CUDA device's), NumPy's and Python's."""
    kind, keys, *rest = np.random.get_state()
    version, internal, gauss = random.getstate()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
        "cuda": [state.numpy().tobytes().hex() for state in devices],
        "numpy": [kind, np.asarray(keys).tolist(), *rest],
        "python": [version, list(internal), gauss],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Put every global random generator back where `random_state` found it."""
    torch.set_rng_state(torch.tensor(list(bytes.fromhex(state["torch"])), dtype=torch.uint8))
    for device, known in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(torch.tensor(list(bytes.fromhex(known)), dtype=torch.uint8), device)
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.asarray(keys, dtype=np.uint32), *rest))
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Tensors as safetensors, on disk when this returns. Tied ones are written twice, and so read back into both names."""
    apart: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone(memory_format=torch.contiguous_format) if storage in seen else tensor.contiguous()
        seen.add(storage)
    with safely(path) as partial:
        save_file(apart, partial)


@contextmanager
def safely(path: Path) -> Iterator[Path]:
    """`summed_file` for what safetensors writes, whose errors (a full disk) become OSError."""
    try:
        with summed_file(path) as partial:
            yield partial
    except SafetensorError as error:
        raise Unwritable(f"{path} cannot be written: {error}") from error
