"""Described: what a service takes and says as an OpenAPI document, made from the contracts of what it serves. No torch."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from understudy.artifact.contract import Contract
from understudy.prepare.cells import Modality
from understudy.prepare.source import source_columns
from understudy.serve.question import LARGEST_BODY, LINES, REQUEST
from understudy.serve.rows import LONGEST_TEXT
from understudy.serve.shelf import Served, told

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WORDS: Schema = {"type": "string", "maxLength": LONGEST_TEXT}
NUMBER: Schema = {"type": "number"}
NUMBERS: Schema = {"type": "array", "items": {"type": ["number", "null"]}}
PART: Schema = {"type": "object", "properties": {"part": TEXT}, "required": ["part"], "additionalProperties": False}
REFUSALS = {
    "400": "the form cannot be read",
    "401": "a token is asked for",
    "403": "a page of another site asks",
    "404": "no such model is served",
    "408": "the rest of the request did not come in time",
    "413": f"larger than {LARGEST_BODY // 2**20} MB",
    "415": "neither JSON nor a form",
    "421": "asked by a name that is not this service's",
    "422": "what is asked cannot be answered; `detail` says why",
    "429": "as many requests are answered as may be at once; come again after Retry-After",
    "500": "the graph cannot be run",
    "503": "no answer within the seconds that a request may take",
}


def described(served: Sequence[Served]) -> dict[str, Any]:
    """OpenAPI 3.1. Each model has the schema of a row, and a made-up row with its answer as an example."""
    asked = {"oneOf": [{"$ref": f"#/components/schemas/{key_of(each)}-question"} for each in served]}
    questions = {each.name: {"value": question(each)} for each in served}
    answers = {each.name: {"value": answer(each)} for each in served}
    json_body = {"schema": asked, "examples": questions}
    form = {"type": "object", "properties": {REQUEST: asked}, "required": [REQUEST], "additionalProperties": {"format": "binary"}}
    form_body = {"schema": form, "encoding": {REQUEST: {"contentType": "application/json"}}}
    lines = {"schema": {**TEXT, "description": "a JSON object a line: one a row, and last what the whole says beside them"}}
    said = {"schema": {"$ref": "#/components/schemas/answer"}, "examples": answers}
    predict = {
        "summary": "Predict rows",
        "description": "A row holds all columns of a modality or none; null is a missing value. In a form, part "
        f'`{REQUEST}` holds the question, and a cell names a file of it: {{"part": NAME}}. '
        f"With Accept: {LINES} the answer is a stream, of up to 100,000 rows.",
        "operationId": "predict",
        "requestBody": {"required": True, "content": {"application/json": json_body, "multipart/form-data": form_body}},
        "responses": {
            "200": {"description": "Answers in the order of the rows", "content": {"application/json": said, LINES: lines}}
        }
        | refusals("401", "403", "404", "408", "413", "415", "421", "422", "429", "500", "503"),
    }
    models = [told(each) | {"refused": None} for each in served]
    name = {"name": "name", "in": "path", "required": True, "schema": {**TEXT, "examples": [each.name for each in served]}}
    paths = {
        "/v1/predict": {"post": predict},
        "/v1/models": {"get": plain("models", "What is served", {"models": models})},
        "/v1/models/{name}": {
            "get": plain("model", "One model: contract, card and a sample", None, "404") | {"parameters": [name]}
        },
        "/health": {"get": plain("health", "The process is alive", {"status": "ok"})},
        "/ready": {"get": plain("ready", "A request would be taken", {"status": "ready"}, "429")},
        "/metrics": {"get": written("metrics", "Counters, in the text format of Prometheus", "text/plain")},
    }
    schemas = {f"{key_of(each)}-question": question_schema(each) for each in served}
    schemas |= {f"{key_of(each)}-row": row_schema(each.artifact.contract) for each in served}
    return {
        "openapi": "3.1.0",
        "info": {"title": ", ".join(each.name for each in served), "version": version("understudy")},
        "paths": paths,
        "components": {
            "schemas": schemas | {"answer": ANSWER, "refusal": {"type": "object", "properties": {"detail": TEXT}}},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


ANSWER: Schema = {
    "type": "object",
    "properties": {
        "model": TEXT,
        "revision": TEXT,
        "predictions": {"type": "array", "items": {"type": "object", "properties": {"prediction": {}}}},
        "answered": {"type": "integer"},
        "modalities": {"type": "array", "items": TEXT},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["model", "revision", "predictions", "answered", "modalities"],
}


def key_of(served: Served) -> str:
    """A name that a reference may hold."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in served.name)


def question(served: Served) -> dict[str, Any]:
    """The sample as it is sent."""
    return {"rows": served.sample.rows, "model": served.name}


def answer(served: Served) -> dict[str, Any]:
    """What is answered to it."""
    return {"model": served.name, "revision": served.revision} | served.answer


def question_schema(served: Served) -> Schema:
    """Of a request for this model."""
    share = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
    properties = {
        "rows": {"type": "array", "minItems": 1, "items": {"$ref": f"#/components/schemas/{key_of(served)}-row"}},
        "model": {"const": served.name},
        "modalities": {"type": ["array", "null"], "items": {"enum": list(served.artifact.modalities)}},
        "coverage": share | {"description": "adds an interval or a set that holds the truth of this share of rows"},
        "min_confidence": share | {"description": "below it there is no prediction"},
    }
    return {"type": "object", "properties": properties, "required": ["rows"], "additionalProperties": False}


def row_schema(contract: Contract) -> Schema:
    """Of one row: each source column."""
    properties: dict[str, Schema] = {}
    for name, modality in contract.modalities.items():
        columns = source_columns(name, modality)
        for column in columns:
            schema = {"anyOf": [*cell_schemas(modality, column, len(columns)), {"type": "null"}]}
            properties[column] = schema | {"description": f"of {name}, {modality.kind}"}
    return {"type": "object", "properties": properties}


def cell_schemas(modality: Modality, column: str, columns: int) -> list[Schema]:
    """What a cell of a column may be, besides null."""
    match modality.kind:
        case "vector":
            return [NUMBER] if columns > 1 else [NUMBERS | {"minItems": modality.width, "maxItems": modality.width}]
        case "table":
            return [NUMBER] if modality.columns.get(column) == "number" else [WORDS, NUMBER]
        case "text":
            return [WORDS]
        case "choices":
            many = {"type": "array", "items": WORDS, "minItems": modality.width, "maxItems": modality.width}
            return [WORDS] if columns > 1 else [many]
        case "sequence" | "regions":
            width = modality.width + 4 * (modality.kind == "regions")
            return [{"type": "array", "items": NUMBERS | {"minItems": width, "maxItems": width}}]
    return [TEXT | {"contentEncoding": "base64", "contentMediaType": f"{modality.kind}/*"}, PART]


def plain(operation: str, summary: str, example: Any, *statuses: str) -> dict[str, Any]:
    """A question without a body that is answered in JSON."""
    content = {"schema": {"type": "object"}} | ({} if example is None else {"example": example})
    ok = {"200": {"description": summary, "content": {"application/json": content}}}
    return {"summary": summary, "operationId": operation, "responses": ok | refusals("401", "421", *statuses)}


def written(operation: str, summary: str, kind: str) -> dict[str, Any]:
    """The same, answered in another type."""
    ok = {"200": {"description": summary, "content": {kind: {"schema": TEXT}}}}
    return {"summary": summary, "operationId": operation, "responses": ok | refusals("401", "421")}


def refusals(*statuses: str) -> dict[str, Any]:
    """What else may be answered, in a sentence."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/refusal"}}}
    return {status: {"description": REFUSALS[status], "content": content} for status in statuses}
