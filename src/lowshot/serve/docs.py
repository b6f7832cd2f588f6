"""The OpenAPI document as a page: plain HTML that fetches nothing, where the usual viewers load scripts from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lowshot.gallery.page import escaped

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --mark: #2f6fde; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
h2 b { color: var(--mark); margin-right: .5rem; }
p { margin: .3rem 0 .6rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .4rem 0; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--soft); border-radius: 6px; padding: .7rem; overflow-x: auto; font-size: .8rem; }
summary { cursor: pointer; }
"""
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def page(document: Mapping[str, Any]) -> str:
    """All routes of a document: what each takes and gives."""
    routes = [
        _route(document, method, path, about)
        for path, methods in document["paths"].items()
        for method, about in methods.items()
    ]
    title = escaped(document["info"]["title"])
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: the API</title><style>{_STYLE}</style>
<h1>{title}: the API</h1>
<p>{escaped(document["info"]["description"])} For programs: <a href="/openapi.json">openapi.json</a>.
Where the service has keys: <code>Authorization: Bearer KEY</code>.</p>
{"".join(routes)}
</html>
"""


def _route(document: Mapping[str, Any], method: str, path: str, about: Mapping[str, Any]) -> str:
    bodies = about.get("requestBody", {}).get("content", {})
    taken = [_schema(document, f"takes {kind}", content) for kind, content in bodies.items()]
    given = [
        _schema(document, f"{status}, {kind}", content)
        for status, response in about["responses"].items()
        if status.isdecimal()
        for kind, content in response.get("content", {}).items()
    ]
    return f"""<section><h2><b>{escaped(method.upper())}</b>{escaped(path)}</h2>
<p>{escaped(about.get("description", ""))}</p>{_parameters(about.get("parameters", []))}{"".join(taken + given)}</section>
"""


def _parameters(parameters: list[Mapping[str, Any]]) -> str:
    rows = [
        f"<dt><code>{escaped(each['name'])}</code></dt><dd>{escaped(each.get('description', ''))}</dd>"
        for each in parameters
    ]
    return f"<dl>{''.join(rows)}</dl>" if rows else ""


def _schema(document: Mapping[str, Any], name: str, content: Mapping[str, Any]) -> str:
    schema = content.get("schema", {})
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    shown = json.dumps(schema, indent=1, ensure_ascii=False)
    return f"<details><summary>{escaped(name)}</summary><pre>{_lines(shown)}</pre></details>" if schema else ""


def _lines(text: str) -> str:
    return "\n".join(map(escaped, text.split("\n")))
