"""Reference: the OpenAPI document as a page for people, without a script and without another host. No torch."""

import json
from html import escape
from typing import Any

SHOWN = 4000
"""Characters of an example: a medium's content is longer than anybody reads."""


def reference(document: dict[str, Any]) -> str:
    """HTML: each question with its example, each answer with its own, and what else may be answered."""
    parts = [operation(path, method, asked) for path, methods in document["paths"].items() for method, asked in methods.items()]
    title = escape(document["info"]["title"])
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: reference</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/page.css">
<main>
<h1>{title}</h1>
<p>For programs: <a href="openapi.json">openapi.json</a>. To try it: <a href="./">the page</a>.</p>
{"".join(parts)}
</main>
</html>
"""


def operation(path: str, method: str, asked: dict[str, Any]) -> str:
    """One section."""
    body = asked.get("requestBody", {}).get("content", {}).get("application/json", {})
    answers = asked["responses"]
    said = next(iter(answers["200"]["content"].values()))
    others = [f"<dt>{status}</dt><dd>{escape(each['description'])}</dd>" for status, each in answers.items() if status != "200"]
    parts = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>",
        f"<p>{escape(asked['summary'])}. {escape(asked.get('description', ''))}</p>",
        examples("Asked", body),
        examples("Answered", said),
        f"<details><summary>Else</summary><dl>{''.join(others)}</dl></details></section>",
    ]
    return "\n".join(parts)


def examples(title: str, content: dict[str, Any]) -> str:
    """Each example of a body."""
    found = {name: each["value"] for name, each in content.get("examples", {}).items()}
    if "example" in content:
        found = {"": content["example"]}
    blocks = []
    for name, value in found.items():
        text = json.dumps(value, ensure_ascii=False, indent=1)
        cut = text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
        blocks.append(f"<h3>{title}{f' of {escape(name)}' if name else ''}</h3><pre>{escape(cut)}</pre>")
    return "".join(blocks)
