"""The load test's own catalog, so that limits are known. Pure but for reading the file."""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).parent.parent / "catalog.yaml"

DOCUMENT: dict[str, Any] = yaml.safe_load(PATH.read_text())

METERED = frozenset(
    name for name, feature in DOCUMENT["features"].items() if feature["type"] == "metered"
)
"""Features that have a counter."""


def limit(plan_id: str, feature_id: str) -> int:
    """The only limit that a plan itself gives."""
    found: int = DOCUMENT["plans"][plan_id]["entitlements"][feature_id]["limit"]
    return found


def with_limit(plan_id: str, feature_id: str, limit: int) -> str:
    """The catalog with another limit, as JSON."""
    document = copy.deepcopy(DOCUMENT)
    document["plans"][plan_id]["entitlements"][feature_id] = {"limit": limit}
    return json.dumps(document)
