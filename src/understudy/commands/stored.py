"""The command that asks a frozen model about every row, once: a teacher for answers, or a published encoder for features."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import OmitArgPrefixes

from understudy.commands.answer import Answer, pairs, refuse_unheeded
from understudy.commands.data import after_check
from understudy.process.crew import Crew, EngineName
from understudy.process.share import ALL, Share


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The flags of `store`, by the name of each.

    Args:
        out: folder of the store; with --features, of the new corpus.
        seed: which teacher; -1 takes the one that ships.
        codec: how answers are kept; the error that this costs is measured and recorded.
        features: MODALITY=ENCODER, a video or a text and the transformers folder or hub id that reads it.
        views: with --features, how many draws of frames are kept of each clip.
        on_error: with --features, whether a clip that cannot be read fails or is skipped.
        corpus: where the run's corpus lies now, if it has moved.
        device: where models answer: cpu, cuda, cuda:N or mps; a GPU where there is one when empty.
        threads: of the CPU for one operation, in each job; all cores, shared among the jobs, when 0.
        shard: only these rows, such as 1/4, on a machine that shares the folder of OUT with others; without it all are joined.
        jobs: workers that ask side by side, each with a GPU of its own where there are GPUs.
        engine: local, processes of this machine, or ray, workers of a Ray cluster that shares these folders.
    """

    out: Path
    seed: int = -1
    codec: Literal["float32", "float16", "int8"] = "float32"
    features: str = ""
    views: int = 1
    on_error: Literal["fail", "skip"] = "fail"
    corpus: str = ""
    device: str = ""
    threads: int = 0
    shard: str = ""
    jobs: int = 1
    engine: EngineName = "local"

    @property
    def share(self) -> Share:
        """Which rows."""
        return Share.parse(self.shard)

    @property
    def crew(self) -> Crew:
        """Who asks. ValueError where several workers would share the one GPU that is named."""
        crew = Crew(self.jobs, self.engine, self.threads)
        if not crew.single and ":" in self.device:
            raise ValueError(
                f"--device {self.device} beside --jobs {self.jobs} --engine {self.engine}: workers take the GPUs in turn; name "
                "cpu or cuda, or leave it out"
            )
        return crew

    @property
    def joins(self) -> str:
        """What a machine that did its share is told."""
        return f"; once all shards are done, the same command without --shard joins them in {self.out}" if self.shard else ""


def store(of: str, /, asked: Annotated[Typed, OmitArgPrefixes]) -> Answer:
    """Keep a teacher's answers to its corpus, or a frozen encoder's features of a modality; the same command goes on.

    Args:
        of: folder of a finished run; with --features, of a corpus, or its URL.
        asked: what is asked of it.
    """
    from understudy.process.hardware import on

    unheeded, where = ("views", "on_error"), "without --features"
    if asked.features:
        unheeded, where = ("seed", "codec", "corpus"), "beside --features, which are kept as they are, of no run"
    refuse_unheeded(Typed, asdict(asked), unheeded, where)
    with on(asked.device, threads=asked.threads):
        return features_of(of, asked) if asked.features else answers_of(Path(of), asked)


def features_of(corpus: str, asked: Typed) -> Answer:
    """Of a frozen encoder."""
    from understudy.study.features import store_feature_share, store_features

    ((modality, encoder),) = pairs("--features", [asked.features]).items()
    given: dict[str, Any] = {"modality": modality, "encoder": encoder, "views": asked.views, "on_error": asked.on_error}
    if asked.share != ALL:
        part = store_feature_share(corpus, asked.out, asked.share, crew=asked.crew, **given)
        return Answer({"store": str(part.folder), "rows": len(part)}, f"features of {len(part)} rows{asked.joins}")
    kept = store_features(corpus, asked.out, crew=asked.crew, **given)
    document = {"corpus": str(asked.out), "rows": len(kept), "stored": int(kept.present(modality).sum())}
    return Answer(document, f"features of {document['stored']} of {len(kept)} rows in {asked.out}", after_check(kept, kept.place))


def answers_of(run: Path, asked: Typed) -> Answer:
    """Of a run's teacher."""
    from understudy.study.evaluation import store_answers
    from understudy.study.run import load

    chosen = None if asked.seed < 0 else asked.seed
    opened = load(run, corpus=asked.corpus)
    made = store_answers(opened, asked.out, seed=chosen, codec=asked.codec, share=asked.share, crew=asked.crew)
    error = ", ".join(f"{name} off by at most {found['max']:.2g}" for name, found in made.header.error.items())
    document = {"store": str(made.folder), "rows": len(made), "codec": asked.codec, "error": made.header.error}
    document |= {"fingerprint": made.fingerprint}
    return Answer(document, f"{len(made)} answers in {made.folder} ({asked.codec}; {error}){asked.joins}")
