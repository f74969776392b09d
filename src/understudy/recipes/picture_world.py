"""picture_world: the vision-language protocol on made pictures, whose best possible scores stand beside.

A student that reads words and regions learns from a CLIP's two towers, which were trained on other made pictures with captions.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from understudy.corpus import Corpus
from understudy.corpus.low_shot import Size, low_shot
from understudy.process.progress import say
from understudy.process.whole import write_json
from understudy.recipes.picture_teachers import Schooling, picture_teachers
from understudy.recipes.vision_language import for_steps, vision_language
from understudy.recipes.vision_systems import SYSTEMS, Way
from understudy.study.distill import distill
from understudy.study.run import Run
from understudy.study.transfer import transfer
from understudy.training.plan import Plan
from understudy.worlds.picture_world import make_album
from understudy.worlds.picture_world.world import Name

STUDENT = {"text": "small", "regions": "regions"}
SIZES = {"width": 64, "dropout": 0.1, "depth": 1}
PLANS: dict[Name, Plan] = {
    "entailment": Plan(epochs=1, batch_size=64, rate=3e-3, weight_decay=0.05),
    "question": Plan(epochs=1, batch_size=64, rate=3e-3, weight_decay=0.05),
    "choice": Plan(epochs=1, batch_size=32, rate=3e-3, weight_decay=0.05),
}
"""Of the students; their epochs follow from STEPS."""
STEPS = 300
WEIGHTS = (1.0, 3.0, 10.0)
OPTIONS = {"distance": "infonce"}
"""Of every system. Plans, steps, weights to try and distance were chosen by a look at albums of seed 0, their test rows too."""
DEMO_SCENE = 2
"""Another album, therefore; `benchmarks.vl_world` draws those of seed 1."""
DEMO = Schooling(pairs=8_000, epochs=8)


def picture_world(
    folder: Path | str = "runs/picture_world",
    *,
    name: Name = "entailment",
    rows: Mapping[str, int] | None = None,
    scene: int = 0,
    schooling: Schooling | None = None,
    systems: Mapping[str, Way] | None = None,
    sizes: Sequence[Size] = (0.01, 0.1, 1.0),
    only: Sequence[Size] | None = None,
    draws: int = 3,
    seeds: int | Sequence[int] = 3,
    weights: Sequence[float] = WEIGHTS,
    steps: int = STEPS,
    teacher_steps: int = STEPS,
) -> dict[str, Any]:
    """Draw an album, train teachers, play the protocol, write FOLDER/NAME/table.json with the ceilings; the same call resumes.

    folder: gets teachers/, which all tasks share, and a folder a task. rows, scene: as `rows` and `seed` of `make_album`. The
    others are those of `vision_language`; {} while not all sizes are played.
    """
    corpus, clip, _ = prepared(Path(folder), name, rows=rows, scene=scene, schooling=schooling)
    document = vision_language(
        corpus,
        student=STUDENT,
        teacher={"text": clip, "image": clip},
        split="given",
        tests={"shifted": "shifted"},
        sizes=sizes,
        only=only,
        draws=draws,
        seeds=seeds,
        systems=SYSTEMS if systems is None else systems,
        weights=weights,
        options=OPTIONS,
        plan=PLANS[name],
        steps=steps,
        teacher_steps=teacher_steps,
        out=Path(folder) / name / "runs",
        model=SIZES,
    )
    if document:
        document |= {"task": name, "ceilings": json.loads(corpus.schema.about["ceilings"])}
        write_json(Path(folder) / name / "table.json", document)
    return document


def prepared(
    folder: Path, name: Name, *, rows: Mapping[str, int] | None = None, scene: int = 0, schooling: Schooling | None = None
) -> tuple[Corpus, str, str]:
    """The corpus of a task, and the folders of the CLIP and of the text encoder; made unless they are there."""
    say(f"album: {folder / name / 'corpus'}")
    corpus = make_album(folder / name / "corpus", name, rows=rows, seed=scene)
    say(f"teachers: {folder / 'teachers'}")
    clip, text = picture_teachers(folder / "teachers", schooling)
    return corpus, clip, text


def pictures(
    folder: Path | str = "demo/pictures",
    *,
    rows: Mapping[str, int] | None = None,
    size: Size = 0.1,
    schooling: Schooling = DEMO,
    seeds: int | Sequence[int] = 3,
    steps: int = STEPS,
    weight: float = 1.0,
) -> Run:
    """One comparison instead of a table: `mad` against plain training on a subset, with a report; and on the shifted rows.

    RUN/ceilings.json holds both beside the ceilings. The same call resumes.
    """
    folder = Path(folder)
    corpus, clip, _ = prepared(folder, "entailment", rows=rows, scene=DEMO_SCENE, schooling=schooling)
    (subset,) = low_shot(corpus, corpus.split("given"), sizes=[size])
    subset = corpus.save_split(subset)
    run = distill(
        corpus,
        student=list(STUDENT),
        teacher=["text", "image"],
        split=subset.name,
        method="mad",
        options=OPTIONS | {"weight": weight},
        encoders=STUDENT,
        teacher_encoders={"text": clip, "image": clip},
        fusion="single_stream",
        teacher_fusion="experts",
        sizes=SIZES,
        plan=for_steps(PLANS["entailment"], steps, len(subset.train)),
        teacher_plan=for_steps(Plan(epochs=1, batch_size=64, rate=5e-3, weight_decay=0.01), steps, len(subset.train)),
        seeds=seeds,
        out=folder / "run",
    )
    found = {"given": run.results, "shifted": transfer(run, "shifted")}
    scores = {test: {s: each["metrics"]["accuracy"]["mean"] for s, each in r["systems"].items()} for test, r in found.items()}
    said = {test: each["comparison"] for test, each in found.items()}
    ceilings = json.loads(corpus.schema.about["ceilings"])
    write_json(run.folder / "ceilings.json", {"ceilings": ceilings, "scores": scores, "comparisons": said})
    return run


def pictures_text(document: Mapping[str, Any]) -> str:
    """`ceilings.json` for a terminal."""
    names = [*document["ceilings"], *document["scores"]["given"]]
    lines = [f"{'accuracy':10s}" + "".join(f"{name:>11s}" for name in names)]
    for test, scores in document["scores"].items():
        numbers = [each[test] for each in document["ceilings"].values()] + list(scores.values())
        lines.append(f"{test:10s}" + "".join(f"{number:11.3f}" for number in numbers))
    told = [
        f"{test}: distilled - plain {c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}], {c['verdict']}"
        for test, c in document["comparisons"].items()
    ]
    return "\n".join([*lines, "text, picture, both: the best that these allow, of rules learnt on rows like `given`", *told])
