"""Tracking: curves of every training for TensorBoard, Weights & Biases or MLflow, through Accelerate's trackers.

Which one is an environment variable, so that processes that start here know it, too. What they need of an account, an address or
`WANDB_MODE=offline` is theirs to be told, as anywhere else.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from accelerate import Accelerator

Logger = Literal["", "tensorboard", "wandb", "mlflow"]
VARIABLE = "UNDERSTUDY_LOGGER"
ADDRESS = "MLFLOW_TRACKING_URI"
PROJECT, FOLDER = "understudy", "tracked"
"""Of Weights & Biases and MLflow; and where in a run's folder what is tracked lies."""


@contextmanager
def tracked(logger: str) -> Iterator[None]:
    """Inside, trainings are tracked by it; ValueError for one that there is not, ImportError where it is not installed."""
    if logger not in get_args(Logger):
        raise ValueError(f"logger is {logger!r}; choose tensorboard, wandb or mlflow")
    if logger and find_spec(logger) is None:
        raise ImportError(f"logger is {logger!r}, which is not installed: pip install {logger}")
    before = os.environ.get(VARIABLE)
    if logger:
        os.environ[VARIABLE] = logger
    try:
        yield
    finally:
        if logger:
            os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def wanted(run: Path) -> dict[str, Any]:
    """What an Accelerator of a training in this run's folder is told; {} where nothing is tracked."""
    logger = os.environ.get(VARIABLE)
    if not logger:
        return {}
    folder = run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return {"log_with": logger, "project_dir": folder}


def begin(accelerator: "Accelerator", title: str) -> None:
    """Start its trackers, if it has any: a run of this title, in a folder of that name for TensorBoard."""
    if not accelerator.log_with:
        return
    folder = str(accelerator.logging_dir or ".")
    names = [str(getattr(each, "value", each)) for each in accelerator.log_with]
    told = {"wandb": {"name": title, "dir": folder}, "mlflow": {"run_name": title, "logging_dir": folder}}
    with mlflow_in(folder) if "mlflow" in names else nullcontext():
        accelerator.init_trackers(title if "tensorboard" in names else PROJECT, init_kwargs=told)


@contextmanager
def mlflow_in(folder: str) -> Iterator[None]:
    """Inside, MLflow begins to write into `folder`, not where the process stands; where it is told an address, to that."""
    if os.environ.get(ADDRESS):
        yield
        return
    # It then sets the variable itself, by which the next run would be taken for one with an address.
    import_module("mlflow").set_tracking_uri(f"sqlite:///{Path(folder).resolve()}/mlflow.db")
    try:
        yield
    finally:
        os.environ.pop(ADDRESS, None)
