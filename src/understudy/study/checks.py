"""Checks: what a run cannot be asked, said before anything is written or trained."""

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from understudy.batches.batch import NOTHING
from understudy.corpus import Corpus, Split
from understudy.methods import CATALOGUE
from understudy.models.model import check_names
from understudy.players import AUTO, check_encoders, check_fusion, own_encoder, published, seen_kinds
from understudy.players.cast import asks_for, auxiliary_modalities
from understudy.players.fusions import DEEP
from understudy.players.player import Player, Sizes
from understudy.prepare.cells import TEXTS
from understudy.study.answers import FOLDS, Fit
from understudy.study.run import JUDGED, load
from understudy.tasks import Classification, Regression, Retrieval

if TYPE_CHECKING:
    from understudy.study.settings import Settings

Reads = Mapping[str, Sequence[str]]
"""Player -> the modalities that it reads."""
KNOWN = 200
"""Labelled train rows from which on teachers that never saw them are asked, too, if these are most of all."""
LEAST = 2
"""Test rows that a comparison needs."""
LEARNT = ("split", "sizes", "max_tokens", "space", "precision", *JUDGED)
"""Settings that every training of a run depends on."""
TAKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "teachers_of": (
        "teachers",
        (
            *LEARNT,
            "teacher",
            "teacher_encoders",
            "teacher_head",
            "teacher_fusion",
            "teacher_sizes",
            "teacher_plan",
            "teacher_max_tokens",
        ),
    ),
    "plain_of": ("plain students", (*LEARNT, "student", "encoders", "fusion", "plan", "search")),
}
"""What can be taken from another run, and the settings that must then be the same."""


def check_asked(asked: "Settings", corpus: Corpus, split: Split) -> None:
    """KeyError and ValueError for a method, players or an ensemble that there are not, or that do not go with the split."""
    known = {each for each in CATALOGUE if each != "supervised"}
    if asked.method not in known:
        raise KeyError(
            f"no method {asked.method!r}; choose from {', '.join(sorted(known))} (the plain control is always trained)"
        )
    check_weights(asked, corpus, split)
    check_modalities(corpus, split, asked.reads, teaches=asks_for(asked.method, "teacher"))
    check_retrieval(asked, corpus)
    if asked.ensemble == "if better" and not len(split.valid):
        raise ValueError(f'ensemble "if better" asks the validation rows, and split {split.name!r} has none; say "yes" or "no"')
    if asked.student.head:
        raise ValueError("the student has a head of class prompts, which are for a teacher: say teacher_head, or leave it out")
    check_max_tokens(corpus, {**asked.student.max_tokens, **asked.teacher.max_tokens})
    check_encoders(corpus, asked.student.encoders)
    named = {**asked.student.encoders, **asked.teacher.encoders}
    check_encoders(corpus, named)
    if AUTO in [*asked.student.encoders.values(), *named.values()] and not len(split.valid):
        raise ValueError(f"encoder {AUTO!r} asks the validation rows, and split {split.name!r} has none; name the encoder")
    if asked.search < 0 or asked.search == 1:
        raise ValueError(f"search is {asked.search}; give how many settings to try, 2 or more, or 0 for none")
    if asked.search and not len(split.valid):
        raise ValueError(f"search {asked.search} asks the validation rows, and split {split.name!r} has none; give it some, or 0")
    for name, player in (("student", asked.student), ("teacher", asked.teacher)):
        check_fusion(name, player.fusion, corpus, player.modalities, prompts=bool(player.head))


def check_weights(asked: "Settings", corpus: Corpus, split: Split) -> None:
    """ValueError where rows count differently and the method or the teacher cannot heed it, or no labelled train row counts."""
    if corpus.weights is None:
        return
    if not CATALOGUE[asked.method].weighs:
        can = ", ".join(sorted(name for name, each in CATALOGUE.items() if each.weighs and name != "supervised"))
        raise ValueError(
            f"the corpus weighs its rows, and {asked.method} compares rows with one another, not each by itself: use {can}"
        )
    if asked.teacher_model != "network":
        raise ValueError(f"the corpus weighs its rows, which teacher_model {asked.teacher_model!r} does not heed; use network")
    if not corpus.weights[split.labelled].any():
        raise ValueError(f"every labelled train row of split {split.name!r} has weight 0; at least one has to count")


def check_max_tokens(corpus: Corpus, named: Mapping[str, int]) -> None:
    """KeyError for a modality that the corpus lacks, ValueError for one without tokens or a number that cannot be."""
    for modality, most in named.items():
        if modality not in corpus.modalities:
            raise KeyError(f"max_tokens is named for {modality!r}, but the corpus has {', '.join(corpus.modalities)}")
        if corpus.modalities[modality].kind not in TEXTS:
            raise ValueError(f"max_tokens is named for {modality!r}, a {corpus.modalities[modality].kind}; it is for texts")
        if not isinstance(most, int) or isinstance(most, bool) or most < 2:
            raise ValueError(f"max_tokens {modality}={most!r}; give a number of tokens, 2 or more, special ones included")


def check_retrieval(asked: "Settings", corpus: Corpus) -> None:
    """ValueError for a student that has nothing to search in, a space where nothing is searched, or one without a mean."""
    task, reads = corpus.task, asked.student.modalities
    if not isinstance(task, Retrieval):
        if asked.space:
            raise ValueError(f"space {asked.space!r} given, but the task is a {task.kind}; it is for retrieval")
        return
    if len(reads) < 2:
        raise ValueError(f"retrieval searches from one modality into another, but the student has only {reads[0]!r}; name two")
    chosen = replace(task, branches=tuple(reads), space=asked.space or task.space)
    if asked.ensemble != "no" and chosen.space == "hidden":
        raise ValueError(
            f"ensemble {asked.ensemble!r} in the hidden space, where teachers have no mean; choose a space of classes"
        )


def check_method(whole: "Settings", corpus: Corpus) -> None:
    """ValueError where task, ensemble or players do not go with the method and its options."""
    name, options, ensemble = whole.method, whole.options, whole.ensemble
    method = CATALOGUE[name]
    method.check(corpus.task, whole.teacher.head, **options)
    if ensemble != "no" and method.beside(**options):
        raise ValueError(f"ensemble {ensemble!r} given, but {name} trains the teacher beside the student; say ensemble 'no'")
    if ensemble != "no" and method.embeds(**options):
        raise ValueError(
            f"ensemble {ensemble!r} given, but {name} reads the teacher's embedding, which an ensemble has not; say 'no'"
        )
    if method.beside(**options) and whole.teacher.fusion == "late":
        raise ValueError(f"teacher's fusion 'late' trains before the student, but {name} trains it beside; choose 'concat'")
    auxiliary_modalities(name, corpus.task, whole.student.modalities, whole.teacher.modalities)
    kinds = {player: {m: corpus.modalities[m].kind for m in modalities} for player, modalities in whole.reads.items()}
    published = {modality: encoder for modality, encoder in whole.teacher.encoders.items() if not own_encoder(encoder)}
    method.check_players(kinds["student"], kinds["teacher"], whole.teacher.fusion, published, **options)


def check_taken(whole: "Settings", corpus: Corpus) -> None:
    """ValueError where a run that is to be taken from trained otherwise, or FileNotFoundError where there is none."""
    for what, (players, names) in TAKEN.items():
        mine = whole.to_json()
        if not mine[what]:
            continue
        other = load(mine[what])
        lacking = sorted(set(whole.seeds) - set(other.seeds))
        if other.settings["corpus_fingerprint"] != corpus.fingerprint or lacking:
            raise ValueError(
                f"the {players} of {other.folder} are of another corpus, or lack seeds {lacking}; train them here instead"
            )
        if other.settings["split_hash"] != whole.rows(corpus).hash:
            raise ValueError(
                f"the {players} of {other.folder} were trained on other rows of a split of this name; train them here instead"
            )
        before = type(whole).from_json(other.settings["arguments"]).whole(corpus)
        theirs = before.to_json()
        for name in names:
            if theirs.get(name) != mine.get(name):
                raise ValueError(f"the {players} of {other.folder} were trained with another {name}; train them here instead")
        if what == "teachers_of" and (lead := lead_of(whole)) != lead_of(before):
            raise ValueError(
                f"the teachers of {other.folder} were trained otherwise ({lead_of(before)}, not {lead}); train them here"
            )


def usual_answers(whole: "Settings", corpus: Corpus, split: Split) -> Fit:
    """What students listen to where nobody says: validation rows choose, where most of what a teacher answers is what it learnt.

    Chosen on train rows of the sets of `python -m benchmarks.worth --inside`. Simple models have nothing but what they say out of
    fold. Whoever says whose answers, or wants more of a teacher than these, has its own.
    """
    if whole.teacher_model != "network" and not whole.teacher_answers:
        return "crossfit"
    further = whole.teachers_of or whole.teacher_answers or whole.ensemble != "no" or reads_more(whole)
    few = len(split.labelled) < max(KNOWN, len(split.train) / 2)
    return "insample" if few or further or not isinstance(corpus.task, Classification | Regression) else "auto"


def check_answers(whole: "Settings", corpus: Corpus, split: Split) -> None:
    """ValueError for answers that the task, the rows or the method do not allow."""
    answers, model = whole.answers, whole.teacher_model
    if whole.teacher_answers:
        check_outside(whole, corpus)
        return
    if answers == "insample" and model == "network":
        return
    asked = f"answers {answers!r}" if model == "network" else f"teacher_model {model!r}"
    if model != "network" and answers == "insample":
        raise ValueError(f"{asked} with answers 'insample': simple models know their train rows by heart; say 'crossfit'")
    check_kind(asked, corpus)
    if reads_more(whole):
        raise ValueError(
            f"{asked} given, but the method reads more of its teacher than its answers; say 'insample' and 'network'"
        )
    if len(split.labelled) < 2 * FOLDS:
        raise ValueError(f"{asked} needs {2 * FOLDS} labelled train rows, and split {split.name!r} has {len(split.labelled)}")


def check_outside(whole: "Settings", corpus: Corpus) -> None:
    """ValueError where a teacher that somebody brought does not go with the task, the method or other wishes about teachers."""
    said = "a teacher that is not trained here"
    check_kind(said, corpus)
    if beyond_answers(whole):
        raise ValueError(f"{said} given, but {whole.method} reads more of its teacher than its answers; choose kd, say")
    wishes = {"answers": whole.answers != "insample", "teacher_model": whole.teacher_model != "network"}
    wishes |= {"teachers_of": bool(whole.teachers_of), "ensemble": whole.ensemble != "no"}
    if others := [name for name, wished in wishes.items() if wished]:
        raise ValueError(
            f"{said} given beside {', '.join(others)}, which are about teachers that are trained here; leave one out"
        )


def check_kind(asked: str, corpus: Corpus) -> None:
    """ValueError for answers of a task that has none to compute or to bring."""
    if not isinstance(corpus.task, Classification | Regression):
        raise ValueError(f"{asked} given, but the task is a {corpus.task.kind}; it is for numbers and classes")


def reads_more(whole: "Settings") -> bool:
    """Whether the method needs more of its teacher than its answers."""
    return beyond_answers(whole) or CATALOGUE[whole.method].embeds(**whole.options)


def beyond_answers(whole: "Settings") -> bool:
    """Whether it needs what no file of answers says: the teacher itself, its tokens, or what else it is asked."""
    method, options = CATALOGUE[whole.method], whole.options
    wants = method.wants(whole.student.modalities, whole.teacher.modalities, **options)
    return bool(method.beside(**options) or method.tokens(**options) or wants != NOTHING)


def lead_of(settings: "Settings") -> dict[str, Any]:
    """What of a method's options its teachers depend on; {} where they are trained on labels alone."""
    known = inspect.signature(CATALOGUE[settings.method].lead).parameters.values()
    return {each.name: settings.options[each.name] for each in known if each.kind is each.KEYWORD_ONLY}


def warn_unheeded(asked: "Settings", whole: "Settings", corpus: Corpus) -> None:
    """A warning for each size, encoder or ensemble that was asked for and changes nothing. whole: what is asked, completed."""
    sizes, both = asked.student.sized, [whole.student, whole.teacher]
    unheeded = [(f"sizes: {name}", why) for name, why in unheeded_sizes(sizes, both, corpus)]
    if asked.teacher.sizes is not None:
        theirs = unheeded_sizes(whole.teacher.sized, [whole.teacher], corpus)
        unheeded += [(f"teacher_sizes: {name}", why) for name, why in theirs]
    # The teacher takes the student's encoders, too.
    own, theirs = set(asked.student.encoders.items()), set(asked.teacher.encoders.items())
    few, fewer = set(asked.student.max_tokens.items()), set(asked.teacher.max_tokens.items())
    for key, named, names in (
        ("encoders", own, [*whole.reads]),
        ("teacher_encoders", theirs - own, ["teacher"]),
        ("max_tokens", few, [*whole.reads]),
        ("teacher_max_tokens", fewer - few, ["teacher"]),
    ):
        for modality, said in sorted(named):
            if not any(modality in whole.reads[name] for name in names):
                unheeded.append((f"{key}: {modality}={said}", f"{modality} is not read by {' or '.join(names)}"))
    if whole.ensemble != "no" and len(whole.seeds) == 1:
        unheeded.append((f"ensemble {whole.ensemble!r}", "there is one seed, so one teacher"))
    for setting, reason in unheeded:
        warnings.warn(f"{setting} has no effect: {reason}")


def unheeded_sizes(sizes: Sizes, players: Sequence[Player], corpus: Corpus) -> Iterator[tuple[str, str]]:
    """Each size other than usual that changes nothing in these players, and why."""
    usual = Sizes()
    if sizes.depth != usual.depth and all(player.fusion not in DEEP for player in players):
        yield f"depth={sizes.depth}", f"it is of fusion {' or '.join(DEEP)}, and no player has that"
    if sizes.slots != usual.slots and all(player.fusion != "slots" for player in players):
        yield f"slots={sizes.slots}", "it is of fusion slots, and no player has that"
    if sizes.modality_dropout and all(len(player.modalities) == 1 for player in players):
        yield f"modality_dropout={sizes.modality_dropout}", "every player reads one modality, which is never hidden"
    named = [name for player in players for name in player.encoders.values()]
    if sizes.lora and not any(published(name) for name in named):
        yield f"lora={sizes.lora}", "no player reads by a published encoder"
    if sizes.freeze != usual.freeze:
        kinds = [(player, seen_kinds(corpus, player.modalities)) for player in players]
        named = [player.encoders[m] for player, seen in kinds for m, kind in seen.items() if kind == "video"]
        if all(map(own_encoder, named)):
            yield f"freeze={sizes.freeze}", "no player reads a video by a published encoder"


def check_modalities(corpus: Corpus, split: Split, reads: Reads, *, teaches: bool) -> None:
    """KeyError for a modality that the corpus lacks, ValueError for players that see too little of a part of the split.

    A modality may be there in training alone, as long as its player sees something of the rows that choose and test; that is
    warned of. teaches: whether the method lets the teacher answer, which takes train rows that both see.
    """
    for player, modalities in reads.items():
        if not modalities or len(set(modalities)) != len(modalities):
            raise ValueError(f"the {player} needs at least one modality, each once; choose from {', '.join(corpus.modalities)}")
        check_names(modalities)
        for modality in modalities:
            if modality not in corpus.modalities:
                raise KeyError(f"no modality {modality!r} for the {player}; the corpus has {', '.join(corpus.modalities)}")
            # What a retrieval student reads are its branches, each of which has to be searched in.
            searched = ("test",) if player == "student" and isinstance(corpus.task, Retrieval) else ()
            for part in ("train", *searched):
                if not corpus.present(modality)[getattr(split, part)].any():
                    raise ValueError(f"no {part} row of split {split.name!r} has {modality!r}, which the {player} reads")
    for player, modalities in reads.items():
        for part, rows in (("labelled train", split.labelled), ("validation", with_target(corpus, split.valid))):
            if len(rows) and not seen(corpus, modalities)[rows].any():
                raise ValueError(
                    f"none of {len(rows)} {part} rows of split {split.name!r} has what the {player} reads "
                    f"({', '.join(modalities)}); choose another split, or a modality that they have"
                )
    check_common(corpus, split, reads, teaches=teaches)
    for player, lacking in untested(corpus, split, reads).items():
        chosen = len(split.valid) and not any(corpus.present(modality)[split.valid].any() for modality in lacking)
        warnings.warn(
            f"no test row of split {split.name!r} has {', '.join(lacking)}, which the {player} reads"
            f"{', and no validation row either' if chosen else ''}: it is {'chosen and ' if chosen else ''}scored without it, "
            "and any advantage or share of one that is reported is of that weaker model"
        )


def check_common(corpus: Corpus, split: Split, reads: Reads, *, teaches: bool) -> None:
    """ValueError where too few test rows, or no train row, show something to every player."""
    common = np.all([seen(corpus, modalities) for modalities in reads.values()], axis=0)
    tested = with_target(corpus, split.test)
    wants = " and ".join(f"the {player} ({', '.join(modalities)})" for player, modalities in reads.items())
    if (many := int(common[tested].sum())) < LEAST:
        raise ValueError(
            f"{many} of {len(split.test)} test rows of split {split.name!r} have a target and something for each of {wants}; "
            f"a comparison needs at least {LEAST}: choose a split or modalities that have them"
        )
    if teaches and not common[split.train].any():
        raise ValueError(
            f"no train row of split {split.name!r} has something for each of {wants}, so nothing could be taught; "
            "choose modalities that occur together"
        )


def untested(corpus: Corpus, split: Split, reads: Reads) -> dict[str, list[str]]:
    """Player -> its modalities that no test row has; players without any are left out."""
    found = {player: [m for m in modalities if not corpus.present(m)[split.test].any()] for player, modalities in reads.items()}
    return {player: lacking for player, lacking in found.items() if lacking}


def seen(corpus: Corpus, modalities: Sequence[str]) -> NDArray[np.bool_]:
    """[N], True where a row has any of these."""
    return np.any([corpus.present(modality) for modality in modalities], axis=0)


def with_target(corpus: Corpus, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those of `rows` that can be scored."""
    return rows[corpus.has_target[rows]]
