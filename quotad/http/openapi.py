"""The OpenAPI 3.1 document, made of the operations and the types of their requests and answers."""

import ast
import inspect
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Any

import msgspec

from quotad import __version__
from quotad.http.operation import Operation
from quotad.http.problems import Problem

REFS = "#/components/schemas/{name}"

_BODIES = {"POST", "PUT", "PATCH"}

Schema = dict[str, Any]


def document(operations: Sequence[Operation]) -> Schema:
    """Return the document."""
    types = [Problem, *(each for one in operations for each in (one.wanted, one.given))]
    _, schemas = msgspec.json.schema_components(types, ref_template=REFS)
    requests = schemas["Batch"]["properties"]["requests"]
    requests["items"] = {"$ref": REFS.format(name="Consume")}
    for struct in _structs(types):
        _describe(schemas[struct.__name__], struct)
    paths: dict[str, Schema] = {}
    for operation in operations:
        described = _operation(operation, schemas)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "quotad",
            "version": __version__,
            "description": "May this customer use so much of this feature now? Counted in the same"
            " atomic act.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(operation: Operation, schemas: dict[str, Schema]) -> Schema:
    wanted = schemas[operation.wanted.__name__]
    properties: Schema = wanted["properties"]
    in_path = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.about,
        "tags": [operation.right.value],
        "parameters": [_parameter(name, "path", properties[name], True) for name in in_path],
    }
    others = [name for name in properties if name not in in_path]
    required = [name for name in wanted.get("required", ()) if name not in in_path]
    if operation.method in _BODIES:
        described["requestBody"] = {
            "required": bool(required),
            "content": {"application/json": {"schema": _body(operation, wanted, others, required)}},
        }
    else:
        described["parameters"] += [
            _parameter(name, "query", properties[name], name in required) for name in others
        ]
    if "idempotency_key" in others:
        described["parameters"].append(
            _parameter("Idempotency-Key", "header", {"type": "string"}, False)
        )
    answer = {"$ref": REFS.format(name=operation.given.__name__)}
    refusal = {"$ref": REFS.format(name=Problem.__name__)}
    described["responses"] = {
        "200": {"description": "The answer.", "content": {_content(operation): {"schema": answer}}},
        "default": {
            "description": "An error (RFC 9457).",
            "content": {"application/problem+json": {"schema": refusal}},
        },
    }
    return described


def _content(operation: Operation) -> str:
    return "text/event-stream" if operation.streams else "application/json"


def _body(operation: Operation, wanted: Schema, names: list[str], required: list[str]) -> Schema:
    """Return the schema of a body: the request's, without what is in the path."""
    if len(names) == len(wanted["properties"]):
        return {"$ref": REFS.format(name=operation.wanted.__name__)}
    return {
        "type": "object",
        "properties": {name: wanted["properties"][name] for name in names},
        "required": required,
        "additionalProperties": False,
    }


def _parameter(name: str, place: str, schema: Schema, required: bool) -> Schema:
    if "anyOf" in schema:  # or null, which a text cannot be
        schema = {"description": schema.get("description", ""), **schema["anyOf"][0]}
    shown = {key: value for key, value in schema.items() if key != "description"}
    described = {"name": name, "in": place, "required": required, "schema": shown}
    if schema.get("description"):
        described["description"] = schema["description"]
    return described


def _structs(types: Sequence[Any]) -> Iterator[type]:
    """Return all structs that these types are made of."""
    seen: set[type] = set()
    waiting: list[Any] = list(types)
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            if each not in seen:
                seen.add(each)
                yield each
                waiting += [field.type for field in msgspec.structs.fields(each)]
        else:
            waiting += getattr(each, "__args__", ())


def _describe(schema: Schema, struct: type) -> None:
    """Add the docstrings of a struct's fields."""
    for base in reversed(struct.__mro__):
        if base is msgspec.Struct or not issubclass(base, msgspec.Struct):
            continue
        for name, text in _field_docstrings(base).items():
            field = schema["properties"].get(name)
            if field is not None:
                field["description"] = text


def _field_docstrings(struct: type) -> dict[str, str]:
    """Return what stands below each field in the source."""
    tree = _classes(sys.modules[struct.__module__])[struct.__name__]
    return {
        field.target.id: " ".join(str(below.value.value).split())
        for field, below in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }


@cache
def _classes(module: ModuleType) -> dict[str, ast.ClassDef]:
    body = ast.parse(inspect.getsource(module)).body
    return {each.name: each for each in body if isinstance(each, ast.ClassDef)}
