"""The main job: teacher, plain student and distilled student, with the same seeds, steps and validation."""

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from understudy.corpus import Corpus, Split
from understudy.methods import CATALOGUE
from understudy.players.blueprint import check_encoders, own_encoder
from understudy.players.fusions import FUSIONS, check_fusion
from understudy.players.options import PLAN, model_sizes, options_of, typed, whole_options
from understudy.players.prompting import check_head
from understudy.players.published import seen_kinds
from understudy.process.alone import alone
from understudy.process.partial import sweep_inside
from understudy.study.answers import FOLDS, Fit, TeacherModel, check_answers
from understudy.study.arguments import completed, warn_unheeded
from understudy.study.claim import begin, hashed, refuse_several, settings_of, state_of
from understudy.study.coverage import check_modalities
from understudy.study.estimate import Estimate
from understudy.study.job import Job, finished
from understudy.study.players import asks_for, auxiliary_modalities, cast, rehearse
from understudy.study.run import Run, load
from understudy.tasks import Retrieval, Space, Task
from understudy.training.plan import Plan

Choice = Literal["no", "yes", "if better"]
TAKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "teachers_of": (
        "teachers",
        ("split", "teacher", "teacher_encoders", "teacher_head", "teacher_fusion", "sizes", "teacher_plan", "space"),
    ),
    "plain_of": ("plain students", ("split", "student", "encoders", "fusion", "sizes", "plan", "space")),
}
"""What can be taken from another run, and the settings that must then be the same."""


def distill(
    corpus: Corpus | Path | str,
    *,
    student: Sequence[str],
    teacher: Sequence[str] = (),
    split: str = "",
    method: str = "kd",
    options: Mapping[str, Any] | None = None,
    encoders: Mapping[str, str] | None = None,
    teacher_encoders: Mapping[str, str] | None = None,
    teacher_head: Mapping[str, Any] | None = None,
    fusion: str = "concat",
    teacher_fusion: str = "concat",
    sizes: Mapping[str, Any] | None = None,
    plan: Plan | Mapping[str, Any] | None = None,
    teacher_plan: Plan | None = None,
    ensemble: Choice = "no",
    teachers_of: Path | str = "",
    plain_of: Path | str = "",
    answers: Fit = "insample",
    teacher_model: TeacherModel = "network",
    space: Space | Literal[""] = "",
    seeds: int | Sequence[int] = 5,
    out: Path | str = "runs/distill",
    report: bool = True,
) -> Run:
    """Train the three systems, score the test split once, and write results and report into `out`; the same call resumes.

    student, teacher: modalities (teacher: all when empty), of which some may be there in train rows alone. split: needed when the
    corpus has several. method, options: a name of `understudy.methods` and its own options. encoders, teacher_encoders: modality
    -> encoder (for text also a transformers folder or hub id); the teacher takes the student's where it has none. teacher_head:
    settings of the class prompts that a teacher answers through, such as `classes` and `prompts`; a linear head when empty.
    fusion, teacher_fusion: how modalities join, of the students and of the teacher: "concat", "single_stream" (one transformer
    over all tokens), for a teacher also "experts" (a head of each modality's own), or a transformers folder or hub id of a
    VisualBERT, ViLT or LXMERT. sizes: `width`, `dropout`, `modality_dropout` of every model, `depth` of single streams, `freeze`
    of published video encoders. plan: the student's, or what to change in the default one; teacher_plan: the same when None.
    ensemble: distil from the mean of all seeds' teachers; "if better" asks the validation rows. teachers_of, plain_of: finished
    runs whose teachers and plain students are taken (same corpus, split, seeds, and settings of what is taken). answers: to the
    rows that the teacher learnt from: "insample", or "crossfit", of five teachers that each never saw a fifth of them; "auto"
    asks the validation rows. teacher_model: "network", or a simple model of scikit-learn (answers "crossfit"); "auto" takes the
    best on labelled train rows out of fold. space: of a retrieval task, where its branches, the student's modalities, meet; the
    corpus's own when "". report: also measure subsets and costs and draw the page; a table over many runs does without.
    ValueError and KeyError say what cannot be done, before anything is written or trained; a warning, what changes nothing.
    """
    refuse_several()
    corpus = corpus if isinstance(corpus, Corpus) else Corpus(corpus)
    rows = corpus.split(split or only_split(corpus))
    reads = {"student": tuple(student), "teacher": tuple(teacher) or tuple(corpus.modalities)}
    check_name(method)
    check_modalities(corpus, rows, reads, teaches=asks_for(method, "teacher"))
    check_retrieval(corpus.task, reads["student"], space, ensemble)
    check_choice(ensemble, rows)
    own, theirs = dict(encoders or {}), dict(encoders or {}) | dict(teacher_encoders or {})
    check_networks(corpus, reads, (own, theirs), (fusion, teacher_fusion), prompts=bool(teacher_head))
    check_answers(answers, teacher_model, corpus.task, rows, CATALOGUE[method], method_options(method, options or {}))
    plan = whole_plan(plan or {}, rows, [*theirs.values(), fusion, teacher_fusion])
    chosen, head = check_method(method, options or {}, teacher_head or {}, corpus, reads, theirs, teacher_fusion, ensemble)
    arguments: dict[str, Any] = {"corpus": str(corpus.folder.resolve()), "split": rows.name}
    arguments |= {player: list(modalities) for player, modalities in reads.items()}
    arguments |= {"method": method, "options": chosen, "encoders": own, "teacher_encoders": theirs, "teacher_head": head}
    arguments |= {"fusion": fusion, "teacher_fusion": teacher_fusion, "sizes": model_sizes(sizes or {})}
    arguments |= {"plan": asdict(plan), "teacher_plan": asdict(teacher_plan or plan), "ensemble": ensemble}
    arguments |= {"teachers_of": str(teachers_of), "plain_of": str(plain_of), "answers": answers}
    arguments |= {"teacher_model": teacher_model, "space": space, "seeds": seed_list(seeds)}
    return carried_out(corpus, rows, settled(arguments, corpus), Path(out), report=report)


def settled(arguments: Mapping[str, Any], corpus: Corpus) -> dict[str, Any]:
    """The arguments whole; a warning for what changes nothing, ValueError for a run that cannot be taken from."""
    whole = completed(arguments, corpus)
    warn_unheeded(arguments, whole, corpus)
    for name in TAKEN:
        check_taken(name, whole, corpus)
    return whole


def carried_out(corpus: Corpus, split: Split, arguments: Mapping[str, Any], out: Path, *, report: bool) -> Run:
    """The run that was asked for: what is left of it to do is done, by this process alone; a finished one is left as it is."""
    settings = settings_of("distill", arguments, corpus, split)
    state = state_of(out, settings, corpus)
    if state == "same" and finished(out, report=report):
        sweep_inside(out)
        return Run(out, settings)
    settings |= {"corpus_hashed": hashed(corpus)}
    players = cast(corpus, split, arguments) if state == "new" else {}
    if players:
        rehearse(arguments, players)
    with alone(out):
        run = begin(out, settings, corpus)
        for each in players.values():
            each.save(out)
        plan, teacher_plan = Plan(**arguments["plan"]), Plan(**arguments["teacher_plan"])
        estimate = estimate_of(arguments, len(run.seeds))
        return Job(run, corpus, split, plan, teacher_plan, estimate).play(report=report)


def estimate_of(arguments: Mapping[str, Any], seeds: int) -> Estimate:
    """Of the time that the trainings of so many seeds take."""
    fixed = CATALOGUE[arguments["method"]].fixed_auxiliary(**arguments["options"])
    left: dict[str, int] = dict.fromkeys(["teacher", "plain", "distilled", *(["auxiliary"] if fixed else [])], seeds)
    if arguments["answers"] != "insample":
        left |= {f"teacher/fold-{number}": 1 for number in range(FOLDS)}
    if arguments["answers"] == "auto":
        left |= {"tried/crossfit": 1, "tried/insample": 1}
    return Estimate(left)


def seed_list(seeds: int | Sequence[int]) -> list[int]:
    """0, 1 ... for a number of seeds; ValueError unless there is at least one, each once and not negative."""
    found = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not found or len(set(found)) != len(found) or min(found) < 0:
        raise ValueError(f"seeds is {seeds!r}; give how many (1 or more), or different numbers from 0 on")
    return found


def only_split(corpus: Corpus) -> str:
    """The name of the corpus's one split; ValueError when there is none or a choice."""
    if len(corpus.splits) == 1:
        return corpus.splits[0]
    if not corpus.splits:
        raise ValueError(f"{corpus.folder} has no split yet; `understudy split {corpus.folder}` makes one")
    raise ValueError(f"{corpus.folder} has several splits; choose one of {', '.join(corpus.splits)}")


def check_retrieval(task: Task, student: Sequence[str], space: Space | Literal[""], ensemble: Choice) -> None:
    """ValueError for a student that has nothing to search in, a space where nothing is searched, or one without a mean."""
    if not isinstance(task, Retrieval):
        if space:
            raise ValueError(f"space {space!r} given, but the task is a {task.kind}; it is for retrieval")
        return
    if len(student) < 2:
        raise ValueError(f"retrieval searches from one modality into another, but the student has only {student[0]!r}; name two")
    chosen = replace(task, branches=tuple(student), space=space or task.space)
    if ensemble != "no" and chosen.space == "hidden":
        raise ValueError(f"ensemble {ensemble!r} in the hidden space, where teachers have no mean; choose a space of classes")


def check_choice(ensemble: Choice, split: Split) -> None:
    """ValueError for an ensemble that validation rows should choose, in a split without any."""
    if ensemble == "if better" and not len(split.valid):
        raise ValueError(f'ensemble "if better" asks the validation rows, and split {split.name!r} has none; say "yes" or "no"')


def check_networks(
    corpus: Corpus,
    reads: Mapping[str, Sequence[str]],
    encoders: Sequence[Mapping[str, str]],
    fusions: Sequence[str],
    *,
    prompts: bool,
) -> None:
    """KeyError and ValueError for encoders or fusions that there are not, or that do not go with what a player reads.

    encoders, fusions: of the players in the order of `reads`. prompts: whether the teacher answers through class prompts.
    """
    for named in encoders:
        check_encoders(corpus, named)
    for player, fusion in zip(reads, fusions, strict=True):
        check_fusion(player, fusion, corpus, reads[player], prompts=prompts and player == "teacher")


def check_method(
    name: str,
    options: Mapping[str, Any],
    teacher_head: Mapping[str, Any],
    corpus: Corpus,
    reads: Mapping[str, Sequence[str]],
    theirs: Mapping[str, str],
    teacher_fusion: str,
    ensemble: Choice,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The method's options and the teacher's head, checked; ValueError where task, ensemble or players do not go with them.

    theirs: the teacher's encoders, by modality.
    """
    chosen = method_options(name, options)
    head = check_head(corpus.task, teacher_head, seen_kinds(corpus, reads["teacher"]))
    method = CATALOGUE[name]
    method.check(corpus.task, head, **chosen)
    if ensemble != "no" and method.beside(**chosen):
        raise ValueError(f"ensemble {ensemble!r} given, but {name} trains the teacher beside the student; say ensemble 'no'")
    if ensemble != "no" and method.embeds(**chosen):
        raise ValueError(
            f"ensemble {ensemble!r} given, but {name} reads the teacher's embedding, which an ensemble has not; say 'no'"
        )
    auxiliary_modalities(name, corpus.task, reads["student"], reads["teacher"])
    kinds = {player: {m: corpus.modalities[m].kind for m in modalities} for player, modalities in reads.items()}
    published = {modality: encoder for modality, encoder in theirs.items() if not own_encoder(encoder)}
    method.check_players(kinds["student"], kinds["teacher"], teacher_fusion, published, **chosen)
    return chosen, head


def check_taken(what: str, arguments: Mapping[str, Any], corpus: Corpus) -> None:
    """ValueError where the run that is to be taken from trained otherwise, or FileNotFoundError where there is none."""
    if not arguments[what]:
        return
    other, (players, names) = load(arguments[what]), TAKEN[what]
    lacking = sorted(set(arguments["seeds"]) - set(other.seeds))
    if other.settings["corpus_fingerprint"] != corpus.fingerprint or lacking:
        raise ValueError(
            f"the {players} of {other.folder} are of another corpus, or lack seeds {lacking}; train them here instead"
        )
    theirs = completed(other.settings["arguments"], corpus)
    for name in names:
        if theirs[name] != arguments[name]:
            raise ValueError(f"the {players} of {other.folder} were trained with another {name}; train them here instead")
    if other.settings["split_hash"] != corpus.split(arguments["split"]).hash:
        raise ValueError(
            f"the {players} of {other.folder} were trained on other rows of a split of this name; train them here instead"
        )
    if what == "teachers_of" and (lead := lead_of(arguments)) != lead_of(theirs):
        raise ValueError(
            f"the teachers of {other.folder} were trained otherwise ({lead_of(theirs)}, not {lead}); train them here"
        )


def lead_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What of a method's options its teachers depend on; {} where they are trained on labels alone."""
    known = inspect.signature(CATALOGUE[arguments["method"]].lead).parameters.values()
    return {each.name: arguments["options"][each.name] for each in known if each.kind is each.KEYWORD_ONLY}


def check_name(method: str) -> None:
    """KeyError for an unknown method."""
    known = {each for each in CATALOGUE if each != "supervised"}
    if method not in known:
        raise KeyError(f"no method {method!r}; choose from {', '.join(sorted(known))} (the plain control is always trained)")


def method_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All of a method's options, checked; ValueError for an option or a value that it does not take."""
    return whole_options(name, typed(name, options, {option: each.annotation for option, each in options_of(name).items()}))


def whole_plan(plan: Plan | Mapping[str, Any], split: Split, named: Sequence[str]) -> Plan:
    """The plan given, or the default one with the changes given."""
    if isinstance(plan, Plan):
        return plan
    changes = typed("a plan", plan, PLAN)
    ours = [own_encoder(name) or name in FUSIONS for name in named]
    return replace(default_plan(split, pretrained=not all(ours), changes=changes), **changes)


def default_plan(split: Split, *, pretrained: bool, changes: Mapping[str, Any]) -> Plan:
    """About 1,500 updates of new networks, or 5 epochs of pretrained ones; validation stops early where there are such rows.

    changes: what is asked for instead, from which the rest follows: epochs from the rows of an update, patience from epochs.
    """
    batch = changes.get("batch_size", 64 if len(split.train) < 10_000 else 256)
    rows = 1500 * batch * changes.get("accumulate", 1)
    epochs = changes.get("epochs", 5 if pretrained else max(5, min(200, math.ceil(rows / len(split.train)))))
    return Plan(epochs=epochs, batch_size=batch, patience=max(5, epochs // 5) if len(split.valid) else None)
