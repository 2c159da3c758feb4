"""`/docs` and `/openapi.json`: what the API is, for people and for programs.

The page is one text without scripts, fonts or pictures: its policy lets a browser load nothing.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

import msgspec

from quotad.errors import QuotadError
from quotad.http.openapi import REFS, Schema, document
from quotad.http.operation import Headers, Operation
from quotad.http.problems import OWN_REASONS, status_of_class

OPENAPI, DOCS = b"/openapi.json", b"/docs"

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
overflow-wrap:anywhere}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}h3{margin:2rem 0 .3rem}
code{font-family:ui-monospace,monospace;font-size:.92em;background:#f3f3f3;padding:.1em .3em}
table{border-collapse:collapse;margin:.5rem 0}td,th{text-align:left;vertical-align:top;
padding:.25rem .8rem .25rem 0;border-bottom:1px solid #eee;overflow-wrap:normal}
summary{cursor:pointer}
@media(max-width:44rem){tr,td,th{display:block}tr{padding:.5rem 0;border-bottom:1px solid #eee}
td,th{padding:0;border:0;overflow-wrap:anywhere}}
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}code{background:#2a2a2a}
tr,td,th{border-color:#333}a{color:#8ab4f8}}
"""

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

PAGE_HEADERS: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'".encode(),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


@cache
def openapi_json(operations: Sequence[Operation]) -> bytes:
    """Return the OpenAPI document."""
    return msgspec.json.encode(document(operations))


@cache
def docs_page(operations: Sequence[Operation]) -> bytes:
    """Return the page."""
    api = document(operations)
    schemas: dict[str, Schema] = api["components"]["schemas"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>quotad API</title>",
        '<meta name=viewport content="width=device-width">',
        f"<style>{_STYLE}</style><h1>quotad API</h1>",
        '<p>JSON over HTTP. <a href="/openapi.json">OpenAPI 3.1 document</a>.</p>',
        "<h2>Operations</h2>",
    ]
    for operation in operations:
        parts += _operation(operation, schemas)
    parts.append("<h2>Types</h2>")
    for name, schema in schemas.items():
        if "properties" in schema:
            about = escape(schema.get("description", ""))
            parts.append(f'<h3 id="{name}">{name}</h3><p>{about}</p>')
            parts.append(_fields(schema, schema.get("required", ())))
        elif "enum" in schema:
            parts.append(f'<h3 id="{name}">{name}</h3><p>{_type(schema)}</p>')
    parts.append("<h2>Errors</h2><table><tr><th>reason<th>status<th>when")
    parts += [
        f'<tr id="{reason}"><td><code>{reason}</code><td>{status}<td>{escape(when)}'
        for reason, status, when in _reasons()
    ]
    parts.append("</table></html>")
    return "".join(parts).encode()


def _operation(operation: Operation, schemas: dict[str, Schema]) -> list[str]:
    wanted, given = schemas[operation.wanted.__name__], operation.given.__name__
    fields = _fields(wanted, wanted.get("required", ()))
    return [
        f'<h3 id="op-{operation.name}">{operation.name}</h3><p><code>{operation.method}'
        f" {escape(operation.path)}</code></p><p>{escape(operation.about)}</p>",
        f"<details><summary>request</summary>{fields}</details>",
        f'<p>Answer: <a href="#{given}">{given}</a>. Right: {operation.right.value}.</p>',
    ]


def _fields(schema: Schema, required: Sequence[str]) -> str:
    rows = [
        f"<tr><td><code>{name}</code>{'' if name in required else ' (optional)'}"
        f"<td>{_type(field)}<td>{escape(str(field.get('description', '')))}"
        for name, field in schema["properties"].items()
    ]
    return f"<table>{''.join(rows)}</table>" if rows else "<p>No fields.</p>"


def _type(field: Any) -> str:
    """Return a type in words, with links to others."""
    if "$ref" in field:
        name = field["$ref"].removeprefix(REFS.format(name=""))
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"<code>{escape(str(word))}</code>" for word in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    word = field.get("format") or field.get("type", "any")
    return escape(str(word))


def _reasons() -> list[tuple[str, int, str]]:
    """Return every reason word of errors, its HTTP status, and when."""
    found = dict(OWN_REASONS)
    waiting: list[type[QuotadError]] = [QuotadError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        about = (error.__doc__ or "").split("\n\n")[0]
        found.setdefault(error.reason, (status_of_class(error), " ".join(about.split())))
    return sorted((reason, status, when) for reason, (status, when) in found.items())
