"""Commands before a run: doctor, plan."""

from dataclasses import asdict
from typing import Annotated

from tyro.conf import OmitArgPrefixes

from understudy.commands.answer import Answer, step
from understudy.commands.distilled import Typed


def doctor(corpus: str | None = None, /) -> Answer:
    """Is this machine ready? Versions, devices, free disk and missing extras; exit 2 where something that is needed lacks.

    Args:
        corpus: folder of a corpus, whose modalities say which extras they need.
    """
    from understudy.study.doctor import doctor as look

    found = look("" if corpus is None else corpus)
    following = f"pip install 'understudy[{','.join(found.lacking)}]'" if found.lacking else ""
    return Answer(asdict(found) | {"well": found.well}, str(found), following, ok=found.well)


def plan(corpus: str, /, run: Annotated[Typed, OmitArgPrefixes]) -> Answer:
    """What `distill` with these arguments would train, and how many minutes at most; a few batches are timed, nothing is written.

    Args:
        corpus: folder of the corpus, or its URL (s3://, gs://, hf://, https://).
        run: what is asked of it.
    """
    from understudy.study.ahead import ahead

    found = ahead(corpus, split=run.split, **run.asked())
    lines = [asdict(line) | {"minutes": line.minutes} for line in found.lines]
    document = {"split": found.split, "rows": found.rows, "systems": lines, "minutes": found.minutes, "early": found.early}
    return Answer(
        document, str(found), step("distill", corpus, "--student", *run.student, "--split", found.split, "--out", run.out)
    )
