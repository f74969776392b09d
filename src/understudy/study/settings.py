"""Settings: what a run is asked, with every default, every check, and the way to JSON and back in one place.

A new setting of a run is a field of `Settings`, one of both players a field of `Player`; a keyword of `distill` is a key of
`Keywords` too, and a flag a field of `commands.distilled.Typed`. What earlier versions did not write is left out of run.json at
its default, so that their runs are known again.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, Required, TypedDict, Unpack, cast

from understudy.corpus import Corpus, Split, only_split
from understudy.corpus.draw import with_validation
from understudy.methods import CATALOGUE
from understudy.players.blueprint import AUTO, chosen_encoders
from understudy.players.cast import auxiliary_modalities
from understudy.players.defaults import default_encoders, default_plan, default_sizes
from understudy.players.options import whole_options
from understudy.players.player import Player, Sizes, changed_plan, typed_plan
from understudy.players.prompting import check_head
from understudy.players.published import seen_kinds
from understudy.prepare.cells import Kind
from understudy.process.crew import EngineName
from understudy.process.hardware import Jobs, Precision, check_precision
from understudy.process.tracking import Logger
from understudy.study import checks
from understudy.study.answers import Fit, TeacherModel
from understudy.tasks import ClassWeights, Retrieval, Space, judged
from understudy.training.plan import Plan

Choice = Literal["no", "yes", "if better"]
PLAYERS = ("student", "teacher")
ASSISTANT_WIDTH = 2
"""How often as wide as its student an assistant is."""
WRITTEN = (
    *("method", "options", "encoders", "teacher_encoders", "teacher_head", "fusion", "teacher_fusion", "sizes", "space"),
    *("teachers_of", "plain_of", "corpus", "split", "student", "teacher", "plan", "teacher_plan", "ensemble", "seeds"),
)
"""The names that every run.json has, in its order."""
EARLIER: dict[str, Any] = {"answers": "insample", "valid": 0.0}
"""Settings that earlier versions had not, as they ran without them, where that is not today's default."""


class Keywords(TypedDict, total=False):
    """What `distill` also takes by keyword: a field of the student's Player by its name, of the teacher's as `teacher_NAME`, ...

    ... and the rest of `Settings`. teachers_of, plain_of: finished runs whose teachers and plain students are taken (same corpus,
    split, seeds, and settings of what is taken). space: of a retrieval task, where its branches, the student's modalities, meet;
    the corpus's own when "". answers: to the rows that the teacher learnt from: "insample", or "crossfit", of five teachers that
    each never saw a fifth of them; "auto" asks the validation rows (without any: "crossfit"), which may say that labels alone
    are better; it is the default where most train rows have a label, at least 200 of them. teacher_model: "network", or a simple
    model of scikit-learn, which answers "crossfit"; "auto" takes the best on labelled train rows out of fold. teacher_answers: a
    file of answers by id, of a teacher that is not trained here (`study.answer_table`). precision: of products in training.
    valid: share of the labelled train rows that is held out to choose by, where the split has no validation rows; 0 forbids it.
    metric: by which students are chosen and judged, one of the task's that are means over rows; its first when "". class_weights:
    "balanced" where each class counts alike in the loss, however rare. label_smoothing: share of a label that all classes get.
    search: how many settings of the plan and of how strongly the method teaches are tried on the validation rows, for plain and
    for distilled students; 0 takes what is asked.
    """

    encoders: Mapping[str, Any] | None
    teacher_encoders: Mapping[str, Any] | None
    fusion: str
    teacher_fusion: str
    head: Mapping[str, Any] | None
    teacher_head: Mapping[str, Any] | None
    max_tokens: Mapping[str, int] | None
    teacher_max_tokens: Mapping[str, int] | None
    sizes: Sizes | Mapping[str, Any] | None
    teacher_sizes: Sizes | Mapping[str, Any] | None
    plan: Plan | Mapping[str, Any] | None
    teacher_plan: Plan | Mapping[str, Any] | None
    teachers_of: os.PathLike[str] | str
    plain_of: os.PathLike[str] | str
    space: Space | Literal[""]
    answers: Fit | Literal[""]
    teacher_model: TeacherModel
    teacher_answers: os.PathLike[str] | str
    precision: Precision
    valid: float | int
    metric: str
    class_weights: ClassWeights
    label_smoothing: float
    search: int


class Machine(TypedDict, total=False):
    """How the trainings of a run are carried out; it changes no result.

    jobs: how many at once, each in a process of one thread; "auto" is one a core, "devices", the default, one an accelerator.
    engine: "local", processes of this machine, or "ray", tasks on a Ray cluster that shares the run's folder. device: "cpu",
    "cuda", "cuda:1" or "mps"; an accelerator where there is one when "". threads: of the CPU for each training; all of them when
    0, or 1 where several run at once. logger: "tensorboard", "wandb" or "mlflow", into the run's folder `tracked`. live: a page
    on this machine shows the curves while they grow, and can stop the run.
    """

    jobs: Jobs
    engine: EngineName
    device: str
    threads: int
    logger: Logger
    live: bool


class More(Keywords, Machine, total=False):
    """What else `distill` takes by keyword."""


class Asked(More, total=False):
    """Every keyword of `distill` that many runs share: of `folds`, too."""

    target: str
    student: Required[Player | Sequence[str] | str]
    teacher: Player | Sequence[str] | str
    method: str
    options: Mapping[str, Any] | None
    ensemble: Choice
    seeds: int | Sequence[int]
    report: bool


@dataclass(frozen=True)
class Settings:
    """What a run is asked. See `distill` for what each means; `checked` fills in what nobody named."""

    corpus: str
    student: Player
    teacher: Player = field(default_factory=Player)
    split: str = ""
    method: str = "kd"
    options: Mapping[str, Any] = field(default_factory=dict)
    ensemble: Choice = "no"
    teachers_of: str = ""
    plain_of: str = ""
    space: Space | Literal[""] = ""
    answers: Fit | Literal[""] = ""
    teacher_model: TeacherModel = "network"
    teacher_answers: str = ""
    precision: Precision = "fp32"
    valid: float | int = 0.15
    metric: str = ""
    class_weights: ClassWeights = "no"
    label_smoothing: float = 0.0
    search: int = 0
    seeds: Sequence[int] = (0, 1, 2, 3, 4)

    def told(self, **more: Unpack[Keywords]) -> "Settings":
        """These and what keywords say; ValueError for a player's setting that is said twice."""
        changes: dict[str, Any] = {
            name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in more.items()
        }
        for name in PLAYERS:
            player, said = getattr(self, name), {}
            for each in fields(Player):
                key = key_of(name, each.name)
                if key in changes and key != name:
                    said[each.name] = changes.pop(key) or getattr(Player(), each.name)
            if twice := [each for each in said if getattr(player, each) != getattr(Player(), each)]:
                raise ValueError(f"{', '.join(twice)} of the {name} is said in its Player and by keyword; say it once")
            changes[name] = replace(player, **said)
        return replace(self, **changes)

    def judged(self, corpus: Corpus) -> Corpus:
        """The corpus with the metric and the loss that are asked for; ValueError for what its task has not."""
        return corpus.asked(judged(corpus.task, **{name: getattr(self, name) for name in checks.JUDGED}))

    def checked(self, corpus: Corpus) -> "Settings":
        """The settings whole: defaults filled in, every value checked against the corpus, before anything is written or trained.

        ValueError and KeyError say what cannot be done; a warning, what changes nothing.
        """
        reads = tuple(self.teacher.modalities) or tuple(corpus.modalities)
        asked = replace(self, split=self.split or only_split(corpus), teacher=replace(self.teacher, modalities=reads))
        split = asked.rows(corpus)
        checks.check_asked(asked, corpus, split)
        check_precision(asked.precision)
        whole = asked.whole(corpus)
        checks.check_method(whole, corpus)
        checks.check_answers(whole, corpus, split)
        checks.warn_unheeded(asked, whole, corpus)
        checks.check_taken(whole, corpus)
        return whole

    def whole(self, corpus: Corpus) -> "Settings":
        """Every option, size, encoder and plan by name. Of encoders, those that nobody reads are left out."""
        student, teacher, split = self.student, self.teacher, self.rows(corpus)
        named = {"student": student.encoders, "teacher": {**student.encoders, **teacher.encoders}}
        tokens = {"student": student.max_tokens, "teacher": {**student.max_tokens, **teacher.max_tokens}}
        kinds: set[Kind] = {corpus.modalities[m].kind for modalities in self.reads.values() for m in modalities}
        sizes = default_sizes(split, kinds).changed(student.sizes)
        plan, changes, options = student.plan, None, whole_options(self.method, self.options)
        pooled = {student.fusion, teacher.fusion} <= {"concat", "late"} and not teacher.head
        usual = default_encoders(split, kinds, tokens=not pooled or bool(CATALOGUE[self.method].tokens(**options)))
        if not isinstance(plan, Plan):
            everything = [*named["teacher"].values(), student.fusion, teacher.fusion]
            plan = default_plan(split, named=everything, kinds=kinds, changes=plan or {})
        both: dict[str, Player] = {}
        for name, player, changes in (("student", student, None), ("teacher", teacher, teacher.plan)):
            both[name] = replace(
                player,
                encoders=chosen_encoders(corpus, player.modalities, named[name], fusion=player.fusion, usual=usual),
                head=check_head(corpus.task, player.head, seen_kinds(corpus, player.modalities)),
                sizes=sizes if player is student else sizes.changed(player.sizes),
                plan=changed_plan(plan, changes),
                max_tokens={each: tokens[name][each] for each in player.modalities if each in tokens[name]},
            )
        space = self.space or corpus.task.space if isinstance(corpus.task, Retrieval) else self.space
        valid = self.valid if len(split.valid) > len(corpus.split(self.split).valid) else 0.0
        found = replace(self, **both, options=options, space=space, valid=valid)
        return replace(found, answers=found.answers or checks.usual_answers(found, corpus, split))

    def rows(self, corpus: Corpus) -> Split:
        """The rows of each part, those included that are held out to choose by; ValueError for a share that is none."""
        if not 0 <= self.valid < 1:
            raise ValueError(f"valid is {self.valid!r}; give a share of the train rows, from 0 (none) to below 1")
        return with_validation(corpus, corpus.split(self.split), float(self.valid))

    @property
    def reads(self) -> dict[str, Sequence[str]]:
        """Player -> the modalities that it reads."""
        return {name: getattr(self, name).modalities for name in PLAYERS}

    @property
    def undecided(self) -> dict[str, list[str]]:
        """Player -> the modalities whose encoder the validation rows choose; players without any are left out."""
        found = {name: [m for m, encoder in getattr(self, name).encoders.items() if encoder == AUTO] for name in PLAYERS}
        return {name: modalities for name, modalities in found.items() if modalities}

    def players(self, corpus: Corpus) -> dict[str, Player]:
        """All who take part, by their blueprint's name.

        The auxiliary reads by what the teacher would read by, the assistant as the student does.
        """
        found = {"student": self.student, "teacher": self.teacher}
        if extra := auxiliary_modalities(self.method, corpus.task, self.student.modalities, self.teacher.modalities):
            encoders = {**self.student.encoders, **self.teacher.encoders}
            tokens = {**self.student.max_tokens, **self.teacher.max_tokens}
            found["auxiliary"] = replace(
                self.teacher, modalities=extra, encoders=encoders, fusion="concat", head={}, max_tokens=tokens
            )
        if CATALOGUE[self.method].assisted(**self.options):
            wider = {"width": ASSISTANT_WIDTH * self.student.sized.width}
            found["assistant"] = replace(self.student, sizes=self.student.sized.changed(wider))
        return found

    def to_json(self) -> dict[str, Any]:
        """The `arguments` of run.json; `from_json` is the way back."""
        found, usual = flat(self), flat(Settings(corpus="", student=Player(), **EARLIER))
        usual["teacher_sizes"] = found["sizes"]
        later = (name for name in found if name not in WRITTEN and found[name] != usual[name])
        return {name: plain(found[name]) for name in (*WRITTEN, *later)}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Settings":
        """What `to_json` of this version or an earlier one wrote; ValueError for a setting that there is no more."""
        given = dict(document)
        both: dict[str, Any] = {name: Player(**taken(given, name)) for name in PLAYERS}
        if unknown := sorted(set(given) - {each.name for each in fields(Settings)}):
            raise ValueError(f"it was asked with {', '.join(unknown)}, which this version of understudy does not know")
        return Settings(**{**EARLIER, **given, **both})


def parted(more: More) -> tuple[Keywords, Machine]:
    """What is asked, and how it is carried out."""
    names = Machine.__annotations__
    asked = {name: value for name, value in more.items() if name not in names}
    return cast(Keywords, asked), cast(Machine, {name: value for name, value in more.items() if name in names})


def key_of(player: str, name: str) -> str:
    """How a field of a player is called among all settings."""
    if name == "modalities":
        return player
    return name if player == "student" else f"{player}_{name}"


def flat(settings: Settings) -> dict[str, Any]:
    """Every setting by its name, those of players beside the others."""
    found = {each.name: getattr(settings, each.name) for each in fields(Settings)}
    for name in PLAYERS:
        player = found.pop(name)
        found |= {key_of(name, each.name): getattr(player, each.name) for each in fields(Player)}
    return found


def taken(given: dict[str, Any], player: str) -> dict[str, Any]:
    """A player's settings, taken out of all. Sizes and plans are types again."""
    keys = {each.name: key_of(player, each.name) for each in fields(Player)}
    found = {name: given.pop(key) for name, key in keys.items() if key in given}
    if found.get("sizes") is not None:
        found["sizes"] = Sizes().changed(found["sizes"])
    if found.get("plan") is not None:
        found["plan"] = Plan(**typed_plan(found["plan"]))
    return found


def plain(value: Any) -> Any:
    """As JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value


def seed_list(seeds: int | Sequence[int]) -> list[int]:
    """0, 1 ... for a number of seeds; ValueError unless there is at least one, each once and not negative."""
    found = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not found or len(set(found)) != len(found) or min(found) < 0:
        raise ValueError(f"seeds is {seeds!r}; give how many (1 or more), or different numbers from 0 on")
    return found
