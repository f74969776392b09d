"""Hub: what a run ships as a model repository, with its artifact, PyTorch weights and a card; handed over, and taken back.

README.md    the card, with the front matter of the Hugging Face Hub
artifact/    as `export` writes it: `understudy predict REPO/artifact TABLE`
torch/       blueprint and model.safetensors: `load_model(REPO)`
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from understudy.artifact.contract import Weights, read_contract, verify
from understudy.models.model import Model
from understudy.players.blueprint import Blueprint
from understudy.process.whole import read_json, whole_folder
from understudy.study.run import WEIGHTS, Run, Shipped
from understudy.training.checkpoint import load_weights, save_weights

REMOTE = "hf://"
"""Before OWNER/NAME: a repository of the Hugging Face Hub. Anything else is a folder."""
ARTIFACT, TORCH, CARD = "artifact", "torch", "README.md"


def push(
    run: Run,
    to: str | Path,
    *,
    system: Shipped = "distilled",
    seed: int | None = None,
    weights: Weights = "float",
    loss: float = 0.01,
) -> str:
    """Hand a model of a run over, as a new folder or as a repository of the Hub (hf://OWNER/NAME, private when it is made).

    system, seed, weights, loss: as in `Run.export`. Returns where it lies now. ValueError where the folder exists.
    """
    if not str(to).startswith(REMOTE):
        with whole_folder(Path(to)) as draft:
            pack(run, draft, system=system, seed=seed, weights=weights, loss=loss)
        return str(to)
    from huggingface_hub import HfApi

    api, name = HfApi(), str(to).removeprefix(REMOTE)
    with tempfile.TemporaryDirectory(prefix="understudy-hub-") as folder:
        pack(run, Path(folder), system=system, seed=seed, weights=weights, loss=loss)
        api.create_repo(name, private=True, exist_ok=True)
        return str(api.upload_folder(repo_id=name, folder_path=folder))


def pack(run: Run, folder: Path, *, system: Shipped, seed: int | None, weights: Weights, loss: float) -> None:
    """The repository's files, into a folder that is there."""
    chosen = run.to_ship if system == "auto" else system
    seed = run.ships if seed is None else seed
    artifact = run.export(folder / ARTIFACT, seed=seed, system=chosen, weights=weights, loss=loss)
    player = "teacher" if chosen == "teacher" else "student"
    (folder / TORCH).mkdir()
    Blueprint.load(run.folder, player).save(folder / TORCH)
    save_weights(run.model(chosen, seed=seed).cpu(), folder / TORCH / WEIGHTS)
    card = (artifact / "card.md").read_text(encoding="utf-8")
    about = run.corpus().schema.about
    parts = [front_matter(run, chosen, about), card.rstrip(), chain(run, player, about), costs(run), subsets(run), FILES]
    (folder / CARD).write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def pull(source: str | Path, out: Path) -> Path:
    """Take a repository over: a folder that `push` wrote, or hf://OWNER/NAME. The new folder.

    Its artifact is held against its seal. ValueError or FileNotFoundError where it is none, or was changed.
    """
    with whole_folder(out) as draft:
        if str(source).startswith(REMOTE):
            from huggingface_hub import snapshot_download

            found = Path(snapshot_download(str(source).removeprefix(REMOTE)))
        else:
            found = Path(source)
        if not (found / ARTIFACT).is_dir():
            raise FileNotFoundError(f"{source} holds no {ARTIFACT} folder: `understudy push` writes one")
        for path in sorted(found.rglob("*")):
            inside = path.relative_to(found)
            if path.is_dir() or inside.parts[0] not in (ARTIFACT, TORCH, CARD):
                continue
            (draft / inside).parent.mkdir(parents=True, exist_ok=True)
            # The Hub's cache is links to contents.
            (draft / inside).write_bytes(path.read_bytes())
        verify(draft / ARTIFACT)
        read_contract(draft / ARTIFACT)
    return out


def load_model(repository: str | Path) -> Model:
    """The PyTorch model of a repository on disk, in evaluation mode; nothing of it is unpickled or run.

    FileNotFoundError where it has none, ValueError where the weights are others.
    """
    folder = Path(repository) / TORCH
    names = [path.stem for path in folder.glob("*.json") if path.stem in ("student", "teacher")]
    if not names:
        raise FileNotFoundError(f"no blueprint in {folder}: `understudy push` writes one")
    model = Blueprint.load(folder, names[0]).build(0, weights=False)
    load_weights(model, folder / WEIGHTS)
    return model.eval()


def front_matter(run: Run, system: str, about: Mapping[str, str]) -> str:
    """What the Hub reads of a card, as JSON, which YAML holds."""
    results = run.results
    metric = results["metric"]["name"]
    found = results["systems"][system]["metrics"][metric]["mean"]
    measured = {
        "task": {"type": results["task"]["kind"] if isinstance(results["task"], Mapping) else results["task"]},
        "dataset": {"type": "other", "name": about.get("name", run.corpus().folder.name)},
        "metrics": [{"type": metric, "value": found}],
    }
    entries: dict[str, Any] = {
        "license": "other",
        "license_name": "see-licence-chain",
        "library_name": "understudy",
        "tags": ["understudy", "knowledge-distillation", "multimodal", "onnx"],
        "model-index": [{"name": system, "results": [measured]}],
    }
    lines = [f"{name}: {json.dumps(value)}" for name, value in entries.items()]
    return "\n".join(["---", *lines, "---"])


def chain(run: Run, player: str, about: Mapping[str, str]) -> str:
    """Whose licences bind the model: of the data, of what it grew from, and of whoever taught it."""
    asked = run.settings["arguments"]
    licence = about.get("licence") or about.get("license") or "not stated"
    own, teachers = asked.get("encoders", {}), asked.get("teacher_encoders", {})
    lines = [f"data: {licence}"]
    lines += [f"encoder of {m}: {name}" for m, name in (teachers if player == "teacher" else own).items()]
    lines += [f"teacher's encoder of {m}: {name}" for m, name in teachers.items() if player == "student"]
    said = "Each of these may bind the model; those of understudy itself are trained from nothing."
    return "## Licence chain\n\n" + "\n".join(f"- {line}" for line in lines) + f"\n\n{said}"


def costs(run: Run) -> str:
    """Parameters and time of each system, where they were measured."""
    if not (run.folder / "cost.json").is_file():
        return ""
    rows = ["| system | parameters | ms a row (median) |", "|---|---|---|"]
    for system, each in read_json(run.folder / "cost.json").items():
        timed = (each.get("latency_ms") or {}).get("model") or {}
        took = f"{timed['p50']:.2f}" if timed.get("p50") is not None else ""
        rows.append(f"| {system} | {each['parameters']['total']:,} | {took} |")
    return "## Costs\n\n" + "\n".join(rows)


def subsets(run: Run) -> str:
    """What each system scores of each subset of its modalities, where `evaluate` was asked."""
    if not (run.folder / "subsets.json").is_file():
        return ""
    metric = run.results["metric"]["name"]
    rows = [f"| system | present | {metric} |", "|---|---|---|"]
    for system, found in read_json(run.folder / "subsets.json").items():
        for each in found.values():
            values = [value for value in each["metrics"].get(metric, ()) if value is not None]
            if values:
                rows.append(f"| {system} | {', '.join(each['modalities'])} | {np.mean(values):.4g} |")
    return "## Subsets\n\n" + "\n".join(rows)


FILES = """## Files

- `artifact/`: `understudy predict artifact TABLE --out predictions.csv`, or `understudy serve artifact`; no PyTorch
- `torch/`: `from understudy.study.hub import load_model; model = load_model(".")`"""
