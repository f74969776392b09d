"""Commands around the artifact: export, predict, serve."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import OmitArgPrefixes

from understudy.commands.answer import Answer, step
from understudy.process.crew import EngineName
from understudy.process.whole import read_json, whole_folder

if TYPE_CHECKING:
    from understudy.artifact.contract import Weights
    from understudy.artifact.predict_file import Summary
    from understudy.study.run import Run


@dataclass(frozen=True, kw_only=True)
class Which:
    """What of a run ships, and how its weights lie.

    Args:
        system: what ships; auto takes what the run's verdict says.
        seed: which training; -1 takes the best on validation, or the first where nothing was validated.
        corpus: where the run's corpus lies now, if it has moved.
        int8: weights as 8-bit integers, a quarter of the size; dynamic scales what enters them at each run, row by row,
            static once and for all, as validation rows say.
        fp16: weights as half floats at rest, half the size.
        loss: share of the test metric that int8 or fp16 may cost; more is refused.
    """

    system: Literal["distilled", "plain", "teacher", "auto"] = "distilled"
    seed: int = -1
    corpus: str = ""
    int8: Literal["", "dynamic", "static"] = ""
    fp16: bool = False
    loss: float = 0.01

    def asked(self) -> dict[str, Any]:
        """As the library takes it; the corpus apart, which opens the run."""
        if self.int8 and self.fp16:
            raise ValueError("--int8 and --fp16 are two sizes of the same weights; leave one or the other out")
        integers: Weights = "int8-static" if self.int8 == "static" else "int8"
        weights: Weights = integers if self.int8 else "fp16" if self.fp16 else "float"
        return {"seed": None if self.seed < 0 else self.seed, "system": self.system, "weights": weights, "loss": self.loss}


def export(
    run: Path, /, which: Annotated[Which, OmitArgPrefixes] = Which(), *, out: Path, threads: int = 0, browser: str = ""
) -> Answer:
    """Ship a trained model, by default the distilled student: an ONNX graph and its contract, proven equal on every test row.

    Args:
        run: folder of a finished run.
        which: what of it, and how.
        out: folder of the new artifact.
        threads: of the CPU, which makes and proves the graph; all cores when 0.
        browser: a folder `node_modules` with onnxruntime-web and @huggingface/tokenizers; OUT is then a page that answers by
            itself, from any web server of files, with the artifact in it.
    """
    from understudy.process.hardware import on
    from understudy.study.run import load

    asked = which.asked()
    with on(threads=threads):
        opened = load(run, corpus=which.corpus)
        folder = page_of(opened, out, browser, asked) if browser else opened.export(out, **asked)
    parity = read_json(folder / "parity.json")
    size = sum(path.stat().st_size for path in folder.iterdir())
    equal = f"equal to the trained model on {parity['rows']} test rows (largest difference {parity['max_difference']:.2g})"
    document = {"artifact": str(folder), "bytes": size, "parity": parity} | ({"page": str(out)} if browser else {})
    text = f"{folder}: {size / 2**20:.1f} MiB, {equal}"
    if which.system == "auto":
        text += f"\n{chosen(opened)}"
    if browser:
        return Answer(document, f"{text}\n{out}: its page, to be seen through a web server: python -m http.server -d {out}")
    return Answer(document, text, step("predict", out, "TABLE", "--out", "predictions.csv"))


def chosen(run: "Run") -> str:
    """Which system `auto` took, and what the report would rather keep, where something is no worse."""
    from understudy.report.recorded import read_run
    from understudy.report.words import rather

    return f"auto took the {run.to_ship} student. {rather(read_run(run.folder))}".strip()


def page_of(run: "Run", out: Path, modules: str, asked: dict[str, Any]) -> Path:
    """A page with an artifact in it; the artifact's folder."""
    from understudy.serve.browser import ARTIFACT, fill_page, libraries

    libraries(modules)
    with whole_folder(out) as draft:
        run.export(draft / ARTIFACT, **asked)
        fill_page(draft, modules)
    return out / ARTIFACT


def push(run: Path, /, which: Annotated[Which, OmitArgPrefixes] = Which(), *, to: str) -> Answer:
    """Hand a trained model over: artifact, weights for PyTorch and a card, as a folder or a repository of the Hugging Face Hub.

    Args:
        run: folder of a finished run.
        which: what of it, and how.
        to: a new folder, or hf://OWNER/NAME.
    """
    from understudy.study.hub import push as hand_over
    from understudy.study.run import load

    where = hand_over(load(run, corpus=which.corpus), to, **which.asked())
    return Answer({"repository": where}, f"handed over: {where}", step("pull", to, "--out", "taken-over"))


def pull(source: str, /, *, out: Path) -> Answer:
    """Take a model over that `push` handed over; what was changed on the way is refused.

    Args:
        source: a folder, or hf://OWNER/NAME.
        out: the new folder.
    """
    from understudy.study.hub import ARTIFACT
    from understudy.study.hub import pull as take_over

    folder = take_over(source, out)
    return Answer(
        {"repository": str(folder)},
        f"taken over: {folder}",
        step("predict", folder / ARTIFACT, "TABLE", "--out", "predictions.csv"),
    )


def predict(
    artifact: Path,
    table: Path,
    /,
    *,
    out: Path,
    id: str = "",
    modalities: tuple[str, ...] = (),
    delimiter: str = "",
    on_error: Literal["fail", "skip"] = "fail",
    coverage: float = 0.0,
    min_confidence: float = 0.0,
    cascade: str = "",
    budget: float = 0.2,
    threads: int = 0,
    shard: str = "",
    jobs: int = 1,
    engine: EngineName = "local",
) -> Answer:
    """Predict every row of a table, without PyTorch. Killed, and asked for again, it goes on where it was.

    Args:
        artifact: folder that `understudy export` wrote.
        table: .csv, .tsv, .parquet, .arrow, .jsonl or .npz with the columns that the student reads, or a folder of such files.
        out: .csv, .parquet, .arrow or .jsonl to write.
        id: column that names the rows; they are numbered when empty.
        modalities: read only these; all that the table has when none is named.
        delimiter: what parts a CSV file's columns, e.g. `;`; a comma when empty.
        on_error: what a cell that cannot be read does: fail the whole, or stand as absent and be named in OUT.errors.csv.
        coverage: share of rows, such as 0.9, whose truth lies in an interval (low, high) or a set of classes that is added.
        min_confidence: probability of the likeliest class below which there is no prediction.
        cascade: another artifact of the same task, such as the teacher's, which answers the least sure rows.
        budget: share of rows that the cascade may answer.
        threads: of the CPU, which the graph runs on, for each job; all cores, shared among the jobs, when 0.
        shard: only these parts, such as 1/4, on a machine that shares the folder of OUT with others; without it they are joined.
        jobs: workers that predict side by side.
        engine: local, processes of this machine, or ray, workers of a Ray cluster that shares these folders.
    """
    from understudy.artifact.cascade import Cascade
    from understudy.artifact.confidence import Wish
    from understudy.artifact.predict import Artifact
    from understudy.artifact.predict_file import predict_file
    from understudy.process.crew import Crew
    from understudy.process.share import Share

    student = Artifact(artifact, threads=threads)
    asked = Cascade(student, Artifact(cascade, threads=threads), budget) if cascade else student
    wish, crew = Wish(coverage, min_confidence), Crew(jobs, engine, threads)
    said: dict[str, Any] = {"id": id or None, "modalities": modalities or None, "delimiter": delimiter, "on_error": on_error}
    found = predict_file(asked, table, out, wish=wish, share=Share.parse(shard), crew=crew, quiet=False, **said)
    if shard:
        done = {"parts": str(found.out), "shard": shard, "modalities": list(found.modalities)}
        return Answer(done, f"shard {shard} is done; once all are, the same command without --shard joins them in {out}")
    return predicted(found, cascade)


def predicted(found: "Summary", cascade: str) -> Answer:
    """What is said of a file of predictions. cascade: whose artifact answered some, if any did."""
    from understudy.artifact.predict_file import errors_of

    out = found.out
    document = {"out": str(out), "rows": found.rows, "answered": found.answered, "modalities": list(found.modalities)}
    document |= {"coverage": found.coverage, "errors": len(found.faults)}
    document |= {"abstained": found.abstained, "handed_over": found.handed_over}
    unseen = "" if found.answered == found.rows else f"; {found.rows - found.answered} rows have nothing that the student reads"
    bad = f"; {len(found.faults)} cells cannot be read, see {errors_of(out)}" if found.faults else ""
    unsure = f"; {found.abstained} rows are not sure enough" if found.abstained else ""
    handed = f"; {found.handed_over} of them by {cascade}" if cascade else ""
    return Answer(document, f"{found.answered - found.abstained} predictions in {out}{handed}{unsure}{unseen}{bad}")


def serve(
    artifacts: tuple[str, ...],
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    requests: int = 64,
    seconds: float = 30.0,
    batch_ms: float = 2.0,
    on_error: Literal["fail", "skip"] = "fail",
    token_file: str = "",
    hosts: tuple[str, ...] = (),
    log_requests: bool = False,
) -> Answer:
    """Answer over HTTP, with a page to try it; stops with Ctrl-C. An artifact that is replaced on disk is read anew.

    Args:
        artifacts: folders that `understudy export` wrote, or NAME=FOLDER for another name than their own.
        host: address to listen on.
        port: to listen on.
        workers: processes that answer, each with all artifacts in memory.
        requests: how many a worker computes or lets wait; more are told to come again (429).
        seconds: that one request may take; a later answer is given up (503).
        batch_ms: milliseconds that requests of few rows may wait for others, to be answered in one run; 0 answers each alone.
        on_error: what a cell that cannot be read does: fail its request, or stand as absent and be named beside the answers.
        token_file: first line: what requests must carry; only its owner may read it. Or the variable UNDERSTUDY_TOKEN.
        hosts: names that it answers by; on the loopback its own, elsewhere any where none is given.
        log_requests: a JSON line on stderr for each request, without what was sent or answered.
    """
    from understudy.serve.app import Manner
    from understudy.serve.running import serve as run_it
    from understudy.serve.token import token_from

    token = token_from(token_file)
    manner = Manner(requests, seconds, batch_ms, on_error, hosts, token, log_requests)
    run_it(artifacts, host=host, port=port, workers=workers, manner=manner)
    return Answer({"artifacts": list(artifacts)}, "stopped")
