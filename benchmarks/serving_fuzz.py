"""Fuzz of the server: what schemathesis draws from its OpenAPI document, and our own damage of good requests; no server error.

python -m benchmarks.serving_fuzz --requests 24000
"""

import argparse
import copy
import http.client
import json
import random
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import schemathesis
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from benchmarks.fuzz_mutations import VALUES
from benchmarks.record import goal_table, table, write_result
from benchmarks.serving import Server, served
from understudy.artifact.export import export
from understudy.corpus import Schema, Split, write_corpus
from understudy.encoders import ImageConv, SequenceGRU, TableMLP, TextTransformer, VectorMLP
from understudy.models.model import Model
from understudy.prepare import Text, view_for
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification

SEED = 0
GOALS = {"requests": (">=", 20_000), "server_errors": ("<=", 0), "growth_mb": ("<=", 20), "silent_refusals": ("<=", 0)}
MODALITIES = {
    "numbers": Modality("vector", width=2, source=("a", "b")),
    "facts": Modality("table", columns={"age": "number", "town": "category"}, source=("age", "town")),
    "steps": Modality("sequence", width=2, source=("steps",)),
    "said": Modality("text", source=("said",)),
    "picture": Modality("image", source=("picture",)),
}
ENCODERS = {"vector": VectorMLP, "table": TableMLP, "sequence": SequenceGRU, "text": TextTransformer, "image": ImageConv}
TYPES = (
    "application/json",
    "application/JSON; charset=x",
    "text/plain",
    "",
    "multipart/form-data",
    "multipart/form-data; boundary=b",
)


def artifact_of(folder: Path) -> Path:
    """A small untrained student of five kinds."""
    rng, rows = np.random.default_rng(SEED), 40
    towns = rng.choice(["Ulm", "Rom"], rows).astype(object)
    values = {
        "numbers": rng.normal(size=(rows, 2)).astype(np.float32),
        "facts": {"age": rng.normal(40, 9, rows), "town": towns},
        "steps": [rng.normal(size=(3, 2)).astype(np.float32)] * rows,
        "said": ["some words of some length"] * rows,
        "picture": [rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)] * rows,
    }
    cells = {m: Cells(modality.kind, values[m], np.ones(rows, dtype=bool)) for m, modality in MODALITIES.items()}
    task = Classification(classes=("no", "yes"))
    ids, targets = [f"{row}" for row in range(rows)], rng.integers(0, 2, rows)
    corpus = write_corpus(folder / "corpus", Schema(task, MODALITIES), ids=ids, targets=targets, cells=cells)
    views = {m: (Text.bpe(vocabulary=300) if m == "said" else view_for(each)).fit(cells[m]) for m, each in MODALITIES.items()}
    torch.manual_seed(SEED)
    encoders = {m: ENCODERS[MODALITIES[m].kind](view, width=8) for m, view in views.items()}
    model = Model(task, encoders, width=8, name="five")
    places = np.arange(rows)
    split = Split("s", train=places[10:], test=places[:10], labelled=places[10:])
    return export(model, folder / "five", corpus=corpus, split=split, about={"name": "five"})


class Client:
    """One connection, made anew where it ended; what was answered is counted."""

    def __init__(self, port: int) -> None:
        self.port, self.statuses, self.silent = port, Counter[str](), 0
        self._open = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        """A request; an end without an answer counts as "none"."""
        try:
            self._open.request(method, path, body, headers)
            answer = self._open.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self._open.close()
            self.statuses["none"] += 1
            return
        self.count(answer.status, b"HEAD" if method == "HEAD" else content)

    def count(self, status: int, content: bytes) -> None:
        """Every refusal says why, where it may."""
        self.statuses[str(status)] += 1
        self.silent += status >= 400 and not content.strip()


def mutations(document: dict[str, Any], random: random.Random) -> Iterator[tuple[str, str, bytes | None, dict[str, str]]]:
    """Requests like the good one of the document, each with something wrong, without end."""
    (example,) = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"].values()
    good = example["value"]
    while True:
        asked = copy.deepcopy(good)
        asked["rows"] = [copy.deepcopy(good["rows"][0]) for _ in range(random.choice((1, 1, 2, 5)))]
        for _ in range(random.choice((0, 1, 1, 2, 4))):
            damage(asked, random)
        body = json.dumps(asked).encode(errors="surrogatepass")
        kind = random.choice(TYPES) if random.random() < 0.2 else TYPES[0]
        headers = {"Content-Type": kind} if kind else {}
        if random.random() < 0.1:
            headers["Accept"] = "application/x-ndjson"
        if random.random() < 0.3:
            body = cut(body, random)
        if random.random() < 0.15:
            body, headers["Content-Type"] = form_of(body, random), "multipart/form-data; boundary=b"
        path = (
            "/v1/predict" if random.random() < 0.95 else random.choice(("/", "/v1/models/", "/v1/models/%00", "/?model=x", "/x"))
        )
        yield random.choice(("POST",) * 30 + ("GET", "PUT", "DELETE", "HEAD", "OPTIONS")), path, body, headers


def damage(asked: dict[str, Any], random: random.Random) -> None:
    """One entry of the question, or one cell of a row, is another value, gone, or new."""
    rows = asked.get("rows")
    inside = isinstance(rows, list) and rows and random.random() < 0.8
    place = random.choice(rows) if inside and rows else asked
    if not isinstance(place, dict) or not place:
        return
    name = random.choice([*place, "coverage", "modalities", "min_confidence", "other"])
    how = random.random()
    if how < 0.2:
        place.pop(name, None)
    elif how < 0.3:
        place[name] = [place.get(name)] * random.choice((0, 1, 3))
    elif how < 0.4:
        place[name] = {"part": random.choice(("a", "", "request"))}
    else:
        place[name] = random.choice(VALUES)


def cut(body: bytes, random: random.Random) -> bytes:
    """Bytes changed, doubled or gone."""
    at = random.randrange(len(body) + 1)
    match random.randrange(4):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]
        case 2:
            return body[:at] + body[at : at + 40] * 3 + body[at:]
    return body[:at] + b"[" * random.choice((1, 3000)) + body[at:]


def form_of(body: bytes, random: random.Random) -> bytes:
    """The same as a form with a file."""
    name = random.choice(("request", "request", "rows", "", "a"))
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
    file = b'\r\n--b\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\n' + random.randbytes(
        random.choice((0, 9, 999))
    )
    whole = head + body + file + b"\r\n--b--\r\n"
    return cut(whole, random) if random.random() < 0.5 else whole


def drawn(server: Server, client: Client, wanted: int) -> None:
    """What schemathesis draws of every operation, good and bad, most of predictions."""
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    for operation in operations:
        share = 0.8 if operation.path == "/v1/predict" else 0.2 / (len(operations) - 1)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            most = max(1, int(wanted * share / 2))

            @seed(SEED)
            @settings(
                max_examples=most,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=[*HealthCheck.__members__.values()],
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def run(case: Any) -> None:
                answer = case.call()
                client.count(answer.status_code, answer.content)

            # An operation that takes nothing takes nothing bad, either.
            with suppress(Unsatisfiable):
                run()


def measure(requests: int, folder: Path) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Half of them of each kind, to one server; its memory after the first tenth of ours and at the end."""
    draw = random.Random(SEED)
    with served(artifact_of(folder)) as server:
        ours, theirs = Client(server.port), Client(server.port)
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/openapi.json")
        document = json.load(connection.getresponse())
        connection.close()
        before = 0.0
        for place, (method, path, body, headers) in zip(range(requests // 2), mutations(document, draw), strict=False):
            ours.ask(method, path, body, headers)
            if place == requests // 20:
                before = server.megabytes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            drawn(server, theirs, requests - requests // 2)
        growth = server.megabytes - before
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended: {server.said[-2000:]}")
        if "Traceback" in server.said:
            print(server.said[-4000:])
    statuses = ours.statuses + theirs.statuses
    errors = sum(count for status, count in statuses.items() if status.startswith("5") or status == "none")
    figures = {
        "requests": statuses.total(),
        "drawn_by_schemathesis": theirs.statuses.total(),
        "answered": statuses["200"],
        "server_errors": errors,
        "silent_refusals": ours.silent + theirs.silent,
        "growth_mb": growth,
    }
    return figures, [{"status": status, "requests": count} for status, count in sorted(statuses.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundred requests; writes nothing")
    parser.add_argument("--requests", type=int, default=24_000, help="asked for; schemathesis draws fewer of what takes nothing")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="understudy-serving-fuzz-") as name:
        figures, rows = measure(100 if asked.quick else asked.requests, Path(name))
    if asked.quick:
        assert figures["server_errors"] == figures["silent_refusals"] == 0, rows
        return
    write_result("serving_fuzz", figures=figures, rows=rows, seeds=[SEED], text=page(figures, rows))


def page(figures: dict[str, float], rows: list[dict[str, Any]]) -> str:
    """What was done, each figure beside its goal, and the statuses."""
    statuses = table(["status", "requests"], [[row["status"], row["requests"]] for row in rows])
    return f"""# Fuzz of the server

`understudy serve` of a student of five kinds, in a process of its own. Half of the requests are a good one damaged by rule (other values,
cut and doubled bytes, forms, types, methods, paths), half are what schemathesis draws from the OpenAPI document, good and bad.
A status of 500 or more and a connection that ends without an answer are server errors; a refusal without a sentence is silent.

{goal_table(GOALS, figures)}

{statuses}
"""


if __name__ == "__main__":
    main()
