"""The main job: teacher, plain student and distilled student, with the same seeds, steps and validation."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack, cast

from understudy.corpus import Corpus, Given, Split, named, opened_split
from understudy.methods import CATALOGUE
from understudy.players.brought import PREFIX as MODULE
from understudy.players.cast import drawn, rehearse
from understudy.players.player import Player
from understudy.process.alone import alone
from understudy.process.hardware import on
from understudy.process.launched import several
from understudy.process.partial import sweep_inside
from understudy.process.progress import say
from understudy.process.tracking import tracked
from understudy.study.answer_table import Answers
from understudy.study.claim import begin, hashed, settings_of, state_of
from understudy.study.job import Engines, Job, engines_of, estimate_of
from understudy.study.live import live
from understudy.study.outside import answers_of, is_outside, reads_of
from understudy.study.run import GIVEN, Run, load
from understudy.study.settings import Asked, Choice, Machine, More, Settings, parted, seed_list
from understudy.study.stage import Stages
from understudy.study.together import lead
from understudy.study.trial import everybody_with_first


def distill(
    corpus: Given,
    *,
    student: Player | Sequence[str] | str,
    teacher: Player | Sequence[str] | str | object = (),
    split: Split | str = "",
    target: str = "",
    method: str = "kd",
    options: Mapping[str, Any] | None = None,
    ensemble: Choice = "no",
    seeds: int | Sequence[int] = 5,
    out: Path | str = "runs/distill",
    report: bool = True,
    **more: Unpack[More],
) -> Run:
    """Train the three systems, score the test split once, and write results and report into `out`; the same call resumes.

    corpus: a Corpus or its folder; or data, as `us.corpus` takes it, with the name of its `target`: then modalities are guessed,
    and a split `default` is drawn where the data has none. student, teacher: a `us.Player`, or the modalities that it reads
    (teacher: all when empty), of which some may be there in train rows alone; the teacher takes the student's encoders, sizes
    and plan where it has none of its own. split: a name or a Split, which is then saved; needed when the corpus has several.
    method, options: a name of `understudy.methods` and its own options. ensemble: distil from the mean of all seeds' teachers;
    "if better" asks the validation rows. seeds: how many, or which. report: also measure subsets and costs and draw the page;
    a table over many runs does without. more: settings of the players by keyword, such as `encoders` and `teacher_plan`, and
    what else `Keywords` names; and how all this is carried out, such as `jobs` and `device`: see `Machine`. ValueError and
    KeyError say what cannot be done, before anything is written or trained; a warning, what changes nothing.

    In processes that torchrun (or on GPUs `accelerate launch`) started together each training is spread over all of them, which
    share out every batch; the first process does the rest, and the others come back when it has.

    >>> import understudy as us
    >>> rows = [{"note": f"{'warm' if i % 2 else 'cold'} day {i} of it", "x": i % 2 + i % 7 / 9, "y": i % 2} for i in range(80)]
    >>> run = us.distill(rows, student="note", target="y", seeds=1, plan={"epochs": 2}, report=False, out="runs/note")
    >>> run.verdict
    'one training run'
    >>> us.load("runs/note").results["systems"]["teacher"]["modalities"]
    ['note', 'table']
    """

    def work() -> Run:
        opened, chosen = opened_split(corpus, split, target=target)
        chosen = opened.save_split(chosen) if isinstance(split, Split) else chosen
        own = not isinstance(teacher, Player | tuple) and is_outside(teacher, opened)
        brought = more.pop("teacher_answers", "") or (teacher if own else "")
        reads = Player(reads_of(brought)) if brought is teacher else teacher
        said = {"student": student, "teacher": reads, "method": method, "options": options, "ensemble": ensemble, "seeds": seeds}
        asked, machine = asked_of(opened, chosen, cast(Asked, {**said, **more}))
        with on(machine.get("device", ""), threads=machine.get("threads", 0)), tracked(machine.get("logger", "")):
            opened = asked.judged(opened)
            whole, answers = whole_with(brought, opened, asked)
            engines = engines_of(machine)
            refuse_elsewhere(whole, engines)
            watched = watching(opened, whole, Path(out), engines) if machine.get("live") else nullcontext()
            with watched:
                return carried_out(opened, whole, Path(out), answers, engines, report=report)

    return lead(work, otherwise=lambda: load(out)) if several() else work()


def asked_of(corpus: Corpus, split: Split, asked: Asked) -> tuple[Settings, Machine]:
    """The keywords of `distill` as settings that are not checked yet, and how the run is carried out."""
    own = ("student", "teacher", "method", "options", "ensemble", "seeds", "report", "target")
    settings = Settings(
        corpus=corpus.place,
        student=player(asked["student"]),
        teacher=player(asked.get("teacher", ())),
        split=split.name,
        method=asked.get("method", "kd"),
        options=asked.get("options") or {},
        ensemble=asked.get("ensemble", "no"),
        seeds=seed_list(asked.get("seeds", 5)),
    )
    keywords, machine = parted(cast(More, {name: value for name, value in asked.items() if name not in own}))
    return settings.told(**keywords), machine


def player(said: Any) -> Player:
    """A player as it is, or one that reads these modalities."""
    return said if isinstance(said, Player) else Player(named(said))


def refuse_elsewhere(settings: Settings, engines: Engines) -> None:
    """ValueError where other processes would need a module that only this one was given."""
    named = {*settings.student.encoders.values(), *settings.teacher.encoders.values()}
    if (engines.jobs > 1 or engines.name == "ray") and any(name.startswith(MODULE) for name in named):
        raise ValueError("an encoder is a torch module, which other processes do not have: say jobs=1 and engine='local'")


def watching(corpus: Corpus, settings: Settings, out: Path, engines: Engines) -> AbstractContextManager[str]:
    """The page of a run while it trains."""
    return live(out, metric=corpus.task.primary, trainings=estimate_of(settings, corpus, at_once=engines.jobs).left)


def whole_with(brought: Any, corpus: Corpus, asked: Settings) -> tuple[Settings, Answers | None]:
    """The settings whole, and what a teacher that somebody brought says, who is asked when all else has been checked."""
    if isinstance(brought, str) and not brought:
        return asked.checked(corpus), None
    whole = replace(asked, teacher_answers=type(brought).__name__).checked(corpus)
    embeds = CATALOGUE[whole.method].embeds(**whole.options)
    asks = isinstance(brought, str | Path) or not embeds  # only a file says embeddings
    answers = answers_of(brought, corpus, whole.rows(corpus), whole.teacher.modalities) if asks else None
    if answers is None or (embeds and answers.embedding is None):
        raise ValueError(
            f"a teacher that is not trained here given without embeddings, which {whole.method} compares; give a file of answers "
            "with columns embedding_0 embedding_1 ..., or choose kd, say"
        )
    return replace(whole, teacher_answers=answers.label), answers


def carried_out(corpus: Corpus, settings: Settings, out: Path, answers: Answers | None, engines: Engines, *, report: bool) -> Run:
    """The run that was asked for: what is left of it to do is done, by this process alone; a finished one is left as it is.

    answers: of a teacher that is not trained here.
    """
    split = settings.rows(corpus)
    document = settings_of("distill", settings, corpus, split)
    state = state_of(out, document, corpus)
    if state == "same" and finished(out, report=report):
        sweep_inside(out)
        return Run(out, document)
    document |= {"corpus_hashed": hashed(corpus)}
    if settings.valid:
        many, share = len(split.labelled) + len(split.valid), f"{100 * settings.valid:.3g} %"
        say(f"{len(split.valid)} of {many} labelled train rows are held out to choose by ({share}; valid 0 forbids it)")
    cast = {}
    if state == "new":
        players = (everybody_with_first(settings, corpus) if settings.undecided else settings).players(corpus)
        cast = {name: drawn(name, players, corpus, split, space=settings.space) for name in players}
        pooled = settings.ensemble == "yes" or settings.answers == "crossfit"
        pooled |= answers is not None and answers.embedding is None
        rehearse(settings.method, settings.options, cast, ensemble=pooled)
    with alone(out) as lock:
        run = begin(out, document, corpus)
        if answers is not None:
            answers.save(out / GIVEN)
        for each in cast.values() if not settings.undecided else ():
            each.save(out)
        stages = Stages(run, corpus, split, settings)
        with engines.engine(stages, lock) as engine:
            return Job(stages, engine).play(report=report)


def finished(folder: Path, *, report: bool) -> bool:
    """Whether nothing of a run in this folder is left to do."""
    return all((folder / name).is_file() for name in (["results.json", "report.html"] if report else ["results.json"]))
