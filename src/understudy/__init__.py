"""Train with every sense, ship with one: distil a multimodal teacher into a student that needs only some modalities."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from understudy.artifact.export import export as export
    from understudy.artifact.predict import Artifact as Artifact
    from understudy.artifact.predict_file import predict_file as predict_file
    from understudy.corpus import Corpus as Corpus
    from understudy.corpus import leave_one_group_out as leave_one_group_out
    from understudy.corpus import make_folds as make_folds
    from understudy.corpus import make_split as make_split
    from understudy.corpus import write_corpus as write_corpus
    from understudy.corpus.check import check as check
    from understudy.corpus.importers.mfeat import import_mfeat as import_mfeat
    from understudy.corpus.importers.table import import_table as import_table
    from understudy.evaluate.advice import advise as advise
    from understudy.evaluate.compare import compare_runs as compare_runs
    from understudy.models.model import Model as Model
    from understudy.players.player import Player as Player
    from understudy.prepare.source import read_table as read_table
    from understudy.recipes.estimator import Understudy as Understudy
    from understudy.report import write_report as write_report
    from understudy.study.distill import distill as distill
    from understudy.study.evaluation import evaluate_subsets as evaluate_subsets
    from understudy.study.evaluation import store_answers as store_answers
    from understudy.study.features import store_features as store_features
    from understudy.study.joined_teachers import TorchTeacher as TorchTeacher
    from understudy.study.joined_teachers import Weighted as Weighted
    from understudy.study.run import Run as Run
    from understudy.study.run import load as load
    from understudy.training.plan import Plan as Plan

# Looked up on first use: `import understudy` must import neither torch nor numpy.
PUBLIC = {
    "Artifact": "understudy.artifact.predict",
    "Corpus": "understudy.corpus",
    "Model": "understudy.models.model",
    "Plan": "understudy.training.plan",
    "Player": "understudy.players.player",
    "Run": "understudy.study.run",
    "TorchTeacher": "understudy.study.joined_teachers",
    "Understudy": "understudy.recipes.estimator",
    "Weighted": "understudy.study.joined_teachers",
    "advise": "understudy.evaluate.advice",
    "check": "understudy.corpus.check",
    "compare_runs": "understudy.evaluate.compare",
    "distill": "understudy.study.distill",
    "evaluate_subsets": "understudy.study.evaluation",
    "export": "understudy.artifact.export",
    "import_mfeat": "understudy.corpus.importers.mfeat",
    "import_table": "understudy.corpus.importers.table",
    "leave_one_group_out": "understudy.corpus",
    "load": "understudy.study.run",
    "make_folds": "understudy.corpus",
    "make_split": "understudy.corpus",
    "predict_file": "understudy.artifact.predict_file",
    "read_table": "understudy.prepare.source",
    "store_answers": "understudy.study.evaluation",
    "store_features": "understudy.study.features",
    "write_corpus": "understudy.corpus",
    "write_report": "understudy.report",
}
__all__ = sorted([*PUBLIC, "corpus"])  # pyright: ignore


__version__: str


def __getattr__(name: str) -> Any:
    if name == "corpus":  # the room itself, which can be called
        return import_module("understudy.corpus")
    if name == "__version__":
        return import_module("importlib.metadata").version("understudy")
    if name not in PUBLIC:
        raise AttributeError(f"understudy has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(PUBLIC[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
