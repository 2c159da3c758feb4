"""Dashboard and alert rules in deploy/: of metrics that there are, and all of them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from quotad.config import Config
from quotad.server.exposition import Exposition
from quotad.server.workers import Workers
from tests.processes import ROOT

RULES = ROOT / "deploy" / "prometheus" / "quotad.rules.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "quotad.json"

SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
    "info": ("_info",),
}
NEVER_SHOWN = {"quotad_customers_cached"}
"""Metrics that are for looking something up by hand."""


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def queries() -> dict[str, list[str]]:
    """What each panel and alert asks for."""
    dashboard = json.loads(DASHBOARD.read_text())
    panels = {
        panel["title"]: [target["expr"] for target in panel.get("targets", ())]
        for panel in dashboard["panels"]
    }
    variables = [one["query"] for one in dashboard["templating"]["list"]]
    return panels | {"variables": variables} | {each["alert"]: [each["expr"]] for each in alerts()}


def names(text: str) -> set[str]:
    return set(re.findall(r"\bquotad_\w+", text))


def test_every_metric_that_is_asked_for_is_one_of_a_server_and_the_other_way_round() -> None:
    families = list(Exposition(Workers(Config())).families())
    known = {f"{each.name}{suffix}" for each in families for suffix in SUFFIXES[each.kind]}
    asked = {title: set().union(*map(names, found)) for title, found in queries().items()}

    assert {} == {title: found - known for title, found in asked.items() if found - known}
    every = set().union(*asked.values())
    shown = {
        each.name
        for each in families
        if any(f"{each.name}{s}" in every for s in SUFFIXES[each.kind])
    }
    assert NEVER_SHOWN == {each.name for each in families} - shown


def test_every_alert_says_what_to_look_at() -> None:
    for alert in alerts():
        assert alert["annotations"].keys() == {"summary", "runbook"}
        assert alert["labels"]["severity"] in ("critical", "warning")
        for page, anchor in re.findall(r"docs/(\w+\.md)#([\w-]+)", alert["annotations"]["runbook"]):
            headings = re.findall(r"^#+ (.*)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


def test_panels_have_a_place_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, at["y"]) for x in range(at["x"], at["x"] + at["w"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def promtool(*arguments: str) -> None:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("NO PROMTOOL: rules and queries are not checked (Debian: prometheus)")
    done = subprocess.run(
        [found, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_prometheus_reads_the_rules() -> None:
    promtool("check", "rules", str(RULES))


def test_prometheus_reads_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{i}", "expr": expr.replace("$__rate_interval", "5m")}
        for i, expr in enumerate(
            expr for title, found in queries().items() if title != "variables" for expr in found
        )
    ]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    promtool("check", "rules", str(path))
