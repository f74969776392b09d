"""Doctor: what this machine has for the job: versions, devices, room on the disk, and which extras are missing."""

import platform
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from understudy.corpus import Given, opened
from understudy.prepare.cells import Kind
from understudy.process.cache import cache_folder
from understudy.process.cores import cores

EXTRAS: dict[str, tuple[str, ...]] = {
    "train": ("torch", "accelerate", "safetensors", "scipy", "sklearn"),
    "text": ("tokenizers", "transformers"),
    "media": ("PIL", "av"),
    "report": ("matplotlib", "jinja2"),
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "serve": ("fastapi", "uvicorn", "onnxruntime"),
    "hdf5": ("h5py",),
    "track": ("tensorboard",),
    "lora": ("peft",),
    "ray": ("ray",),
    "remote": ("fsspec", "aiohttp", "s3fs", "gcsfs", "huggingface_hub"),
}
"""Extra of the package -> modules that it brings."""
ALWAYS = ("train", "report", "export")
BY_KIND = {"text": "text", "choices": "text", "image": "media", "audio": "media", "video": "media"}
"""Kind of modality -> the extra that reads it."""
TOLD = ("understudy", "torch", "transformers", "onnxruntime", "numpy", "pyarrow")
LEAST = 2 * 2**30
"""Bytes that should be free."""


@dataclass(frozen=True)
class Findings:
    """platform: system and Python. versions: by package; "" where it is not installed. devices: that models may train on.

    free: bytes by folder. missing: extra -> the modules that it lacks. needed: extras that this corpus, or any run, takes.
    """

    platform: str
    versions: dict[str, str]
    devices: tuple[str, ...]
    free: dict[str, int]
    missing: dict[str, tuple[str, ...]]
    needed: tuple[str, ...]

    @property
    def lacking(self) -> list[str]:
        """Extras that are needed and not whole."""
        return [extra for extra in self.needed if extra in self.missing]

    @property
    def well(self) -> bool:
        """Whether nothing that is needed lacks, and there is room."""
        return not self.lacking and min(self.free.values()) >= LEAST

    def __str__(self) -> str:
        lines = [f"system     {self.platform}"]
        lines += [
            f"{'versions' if not at else '':10s} {n} {v or 'not installed'}" for at, (n, v) in enumerate(self.versions.items())
        ]
        lines += [f"devices    {', '.join(self.devices) or 'none known: torch is not installed'}"]
        for at, (folder, free) in enumerate(self.free.items()):
            tight = "" if free >= LEAST else f"; less than {LEAST / 2**30:g} GiB: free some, or work elsewhere"
            lines.append(f"{'disk' if not at else '':10s} {free / 2**30:.1f} GiB free in {folder}{tight}")
        for extra, modules in self.missing.items():
            word = "needed" if extra in self.needed else "only if you want it"
            lines.append(f"missing    [{extra}] lacks {', '.join(modules)}: pip install 'understudy[{extra}]' ({word})")
        return "\n".join([*lines, "all is well" if self.well else "something is missing"])


def doctor(corpus: Given = "", *, target: str = "") -> Findings:
    """Look around; with a corpus, as `us.advise` takes it, at what its modalities need. Nothing is trained or written."""
    there = not isinstance(corpus, str) or bool(corpus)
    kinds: list[Kind] = [m.kind for m in opened(corpus, target=target).modalities.values()] if there else []
    missing = {extra: tuple(name for name in modules if find_spec(name) is None) for extra, modules in EXTRAS.items()}
    return Findings(
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        {name: version_of(name) for name in TOLD},
        devices(),
        {str(folder): room_in(folder) for folder in dict.fromkeys([Path.cwd(), cache_folder()])},
        {extra: modules for extra, modules in missing.items() if modules},
        (*ALWAYS, *needed_by(kinds)),
    )


def needed_by(kinds: Iterable[Kind]) -> list[str]:
    """The extras that modalities of these kinds take."""
    return list(dict.fromkeys(BY_KIND[kind] for kind in kinds if kind in BY_KIND))


def version_of(package: str) -> str:
    """Of an installed package, else nothing."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return ""


def devices() -> tuple[str, ...]:
    """The CPU and what torch finds beside it."""
    if find_spec("torch") is None:
        return ()
    import torch

    found = [f"cpu ({cores()} cores)"]
    found += [f"cuda:{at} ({torch.cuda.get_device_name(at)})" for at in range(torch.cuda.device_count())]
    return (*found, *(["mps"] if torch.backends.mps.is_available() else []))


def room_in(folder: Path) -> int:
    """Free bytes where a folder is, or would be."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(there).free
