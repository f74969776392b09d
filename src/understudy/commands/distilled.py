"""Distilled: what is typed after `understudy distill CORPUS`, as the keywords of `study.distill.distill`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from understudy.commands.answer import pairs, values

if TYPE_CHECKING:
    from understudy.study.settings import Asked


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The flags of `distill`, by the name of each.

    Args:
        student: modalities that will be there in use.
        teacher: modalities of the teacher; all when none is named.
        split: needed when the corpus has several; a pattern such as `fold-*` runs each of them and makes one table.
        method: kd, amid, videoadviser or another that `understudy list` describes.
        options: NAME=VALUE of the method, e.g. `temperature=4`.
        encoder: MODALITY=ENCODER, e.g. `text=small`, `text=FOLDER` of a transformers model (or its hub id), `image=onnx:FILE`.
        teacher_encoder: the same for the teacher, where it differs.
        teacher_head: NAME=VALUE of class prompts that the teacher answers through, e.g. `classes=7`.
        fusion: how the student's modalities join: concat, single_stream, slots, or the FOLDER (or hub id) of a VisualBERT, ViLT
            or LXMERT.
        teacher_fusion: the same for the teacher, or experts, late: a head a modality, its encoder frozen, or trained alone.
        max_tokens: MODALITY=N, how many tokens of a text are read at most; 128 (512 words of a bag), or what its encoder can.
        teacher_max_tokens: the same for the teacher, where it differs.
        plan: NAME=VALUE of training, e.g. `epochs=20 rate=0.001 batch_size=64 patience=5`.
        teacher_plan: the same for the teacher, where it differs.
        sizes: width=N, dropout=P, modality_dropout=P, depth=N of a single stream or slots, slots=N,
            freeze=PART of a video encoder, lora=RANK of published encoders.
        teacher_sizes: the same for the teacher, where they differ.
        ensemble: distil from the mean of all seeds' teachers.
        teachers_of: a finished run whose teachers are taken.
        plain_of: a finished run whose plain students are taken.
        answers: what students listen to on rows with a label: insample, of the teacher that learnt from them, or crossfit, of
            teachers that never saw them; auto asks the validation rows, by default where most train rows have a label.
        teacher_model: a network, or a model of scikit-learn; auto takes the best out of fold.
        teacher_answers: a file of answers by id (.csv, .parquet, .jsonl, .npz), of a teacher that is not trained here: a column
            id and one a class (probability_CLASS or logit_CLASS), or prediction; rows without an answer are not taught.
        space: of a retrieval task, where the student's modalities meet.
        precision: of products in training; fp16 needs a GPU.
        valid: share of the labelled train rows held out to choose by where the split has no validation rows; 0 forbids it.
        metric: by which students are chosen and judged: of classes accuracy, balanced_accuracy or nll, of numbers mae or mse.
        class_weights: balanced, where each class counts alike in the loss, however rare.
        label_smoothing: share of each label that goes to all classes evenly.
        search: how many settings of training (rates, weight decay) and of how strongly the method teaches are tried on the
            validation rows, the plain student as many as the distilled one; about log2 of it as long as one more student each.
        seeds: how many times each system is trained.
        jobs: how many trainings run at once, each in a process of one thread: a number, auto (one a core), or one a GPU.
        engine: local, processes of this machine, or ray, tasks on a Ray cluster that shares the run's folder.
        device: where models train and answer: cpu, cuda, cuda:N or mps; a GPU where there is one when empty.
        threads: of the CPU for each training; all cores when 0, or one where several run at once.
        logger: tensorboard, wandb or mlflow get every training's curves, in the folder `tracked` of the run.
        live: a page on this machine shows the curves while they grow, and can stop the run.
        out: folder of the run; the same command on the same folder goes on where it stopped.
    """

    student: tuple[str, ...]
    teacher: tuple[str, ...] = ()
    split: str = ""
    method: str = "kd"
    options: tuple[str, ...] = ()
    encoder: tuple[str, ...] = ()
    teacher_encoder: tuple[str, ...] = ()
    teacher_head: tuple[str, ...] = ()
    fusion: str = "concat"
    teacher_fusion: str = "concat"
    max_tokens: tuple[str, ...] = ()
    teacher_max_tokens: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    teacher_plan: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    teacher_sizes: tuple[str, ...] = ()
    ensemble: Literal["no", "yes", "if better"] = "no"
    teachers_of: str = ""
    plain_of: str = ""
    answers: Literal["insample", "crossfit", "auto"] | None = None
    teacher_model: Literal["network", "linear", "forest", "boosting", "auto"] = "network"
    teacher_answers: str = ""
    space: Literal["", "probabilities", "log_probabilities", "hidden"] = ""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    valid: float = 0.15
    metric: str = ""
    class_weights: Literal["no", "balanced"] = "no"
    label_smoothing: float = 0.0
    search: int = 0
    seeds: int = 5
    jobs: int | Literal["auto", "devices"] = "devices"
    engine: Literal["local", "ray"] = "local"
    device: str = ""
    threads: int = 0
    logger: Literal["", "tensorboard", "wandb", "mlflow"] = ""
    live: bool = False
    out: Path = Path("runs/distill")

    def asked(self) -> "Asked":
        """As the library takes them."""
        from understudy.study.settings import Asked

        return Asked(
            student=self.student,
            teacher=self.teacher,
            method=self.method,
            options=values("--options", self.options),
            ensemble=self.ensemble,
            precision=self.precision,
            seeds=self.seeds,
            jobs=self.jobs,
            engine=self.engine,
            device=self.device,
            threads=self.threads,
            logger=self.logger,
            live=self.live,
            encoders=pairs("--encoder", self.encoder),
            teacher_encoders=pairs("--teacher-encoder", self.teacher_encoder),
            fusion=self.fusion,
            teacher_fusion=self.teacher_fusion,
            teacher_head=values("--teacher-head", self.teacher_head),
            max_tokens=values("--max-tokens", self.max_tokens),
            teacher_max_tokens=values("--teacher-max-tokens", self.teacher_max_tokens),
            sizes=values("--sizes", self.sizes),
            teacher_sizes=values("--teacher-sizes", self.teacher_sizes),
            plan=values("--plan", self.plan),
            teacher_plan=values("--teacher-plan", self.teacher_plan),
            teachers_of=self.teachers_of,
            plain_of=self.plain_of,
            answers=self.answers or "",
            teacher_model=self.teacher_model,
            teacher_answers=self.teacher_answers,
            space=self.space,
            valid=self.valid,
            metric=self.metric,
            class_weights=self.class_weights,
            label_smoothing=self.label_smoothing,
            search=self.search,
        )
