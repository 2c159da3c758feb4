"""What pages use of the TypeScript client, over HTTP, in Node: small, with the same answers."""

import gzip
import json
import re
import subprocess
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.node import CLIENT, REACT, CallFailed, Node, needs_client, needs_examples
from tests.clients.test_typescript_docs import SETTINGS
from tests.http.serving import HttpRunning, http_running
from tests.processes import DEADLINE_S, ROOT, environment
from tests.proxy import Proxy
from tests.running import eventually

pytestmark = needs_client

SIZE_MAX = 12_000
"""Of what a page loads of both packages, in bytes, compressed, as the page states."""

CATALOG = """
version: 1
default_plan: free
features:
  calls:   {type: metered, unit: call, name: Calls}
  tokens:  {type: metered}
  budget:  {type: metered, decimals: 2}
  answers: {type: metered, credit: {pool: budget, cost: 0.25}}
  seats:   {type: metered, kind: gauge}
  jobs:    {type: metered, kind: concurrency}
  sso:     {type: boolean, name: Single sign-on}
  rows:    {type: config}
  support: {type: config, values: [community, email, phone]}
plans:
  free:
    name: Free
    entitlements:
      calls: {limits: [{limit: 10, per: day}, {limit: 100, per: month, enforce: shadow}]}
      tokens:
        limit: 5
        soft: true
        overage_limit: 3
        overage_price: {amount: "0.4", currency: EUR, each: 2}
      budget: {limit: 1}
      answers: true
      seats: unlimited
      jobs: {limit: 2}
      rows: 1000
      support: [community, email]
  pro:
    extends: free
    groups: [security]
    description: For teams.
    metadata: {highlight: "yes"}
    prices:
      - {amount: "5", currency: EUR, billing: month, feature: seats}
      - {amount: "99.50", currency: EUR, billing: once}
    entitlements:
      calls: {limit: 99, per: 5 hours, rollout: {percent: 10}}
      tokens: false
      seats: {limit: {per_unit: 2}}
      jobs: {limit: 7, from: 2000-01-01, until: 2001-01-01}
      rows: {value: 5000, from: 2001-01-01}
groups:
  security: {entitlements: {sso: true, budget: {limit: 25, per: month}}}
"""


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[HttpRunning]:
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        yield made


@pytest.mark.parametrize("customer", ["acme", "a/b?c=d e#ü%", "..", "~.", "~~..", ". "])
def test_answers_are_those_of_grpc(served: HttpRunning, node: Node, customer: str) -> None:
    grpc = node.client(served.grpc.server.address)
    http = node.client(f"http://{served.address}", "browser")
    for feature_id, quantity in {"calls": 9, "tokens": 7, "answers": 3, "seats": 4}.items():
        grpc("consume", customer, feature_id, quantity)

    every = http("entitlements", customer)

    assert grpc("entitlements", customer) == every
    assert ["calls", "tokens", "budget", "answers", "seats", "jobs", "rows", "support"] == [
        each["featureId"] for each in every["entitlements"]
    ]
    for feature_id in ("calls", "answers", "sso", "nothing"):
        decided = [each("check", customer, feature_id, 2) for each in (grpc, http)]
        for decision in decided:
            del decision["limits"]  # over HTTP also of one
            decision["retryAfterMs"] = decision["retryAfterMs"] is not None
        assert decided[0] == decided[1]


def test_changes_come_also_after_a_connection_was_lost(served: HttpRunning, node: Node) -> None:
    customer = uuid.uuid4().hex
    with Proxy(served.address) as door:
        wanted = {"watch": {"customerId": customer}}
        watch = node.client(f"http://{door.address}", "browser watch", **wanted)

        def kinds() -> list[str]:
            return [each["kind"] for each in watch("seen")]

        eventually(kinds, ["REFETCH"].__eq__)
        served.grpc.provision(customer, "free")
        eventually(kinds, ["REFETCH", "CUSTOMER_CHANGED"].__eq__)
        first = watch("seen")[-1]
        assert (customer, 0, "") == tuple(
            first[name] for name in ("customerId", "catalogVersion", "featureId")
        )
        with door.refusing():
            served.grpc.archive(customer)
        eventually(lambda: watch("lost"), (1).__le__)
        eventually(lambda: watch("seen")[-1]["epoch"], lambda epoch: epoch > first["epoch"])
        watch("end")
        eventually(lambda: watch("seen")[-1], "ended".__eq__)


def test_what_cannot_be_right_is_refused_before_anything_is_sent(node: Node) -> None:
    wrong: dict[str, dict[str, object]] = {
        "address: must be https://HOST": {"address": "quotad.example"},
        "timeoutMs: must be above 0": {"timeoutMs": 0},
        "token, customerKey: must be as": {"token": "qd_1\n", "customerKey": "00"},
        "customerKey: missing": {"token": "qd_1_2"},
    }
    for words, options in wrong.items():
        with pytest.raises(CallFailed, match=f"^RangeError: {words}"):
            node.client(kind="browser", **{"address": "", **options})  # type: ignore[arg-type]


def loaded(path: Path) -> dict[Path, str]:
    """What a module and those that it imports import, by the name of other packages or a file."""
    found: dict[Path, str] = {}
    open_ = [path]
    while open_:
        if (each := open_.pop()) in found:
            continue
        found[each] = text = each.read_text()
        for name in re.findall(r'(?:from|import) "([^"]+)"', text):
            if name == "@quotad/client/browser":
                open_.append(CLIENT / "dist" / "browser.js")
            elif name.startswith("."):
                open_.append((each.parent / name).resolve())
            else:
                assert name in {"react", "react/jsx-runtime"}, f"{each.name} imports {name}"
    return found


@needs_examples
def test_a_page_loads_little_and_nothing_of_node_or_grpc() -> None:
    files = loaded(REACT / "dist" / "index.js")

    assert len(gzip.compress("".join(files.values()).encode())) < SIZE_MAX
    assert f"{SIZE_MAX // 1000} kB" in (ROOT / "docs" / "react.md").read_text()
    names = {each.name for each in files}
    assert {"client.js", "connection.js", "cache.js", "entitlements.js"}.isdisjoint(names)


@needs_examples
def test_components_are_imported_and_rendered_where_there_is_no_window() -> None:
    program = """
      import { renderToString } from "react-dom/server";
      import { createElement as h } from "react";
      import { Gate, QuotadProvider, UsageMeter } from "@quotad/react";
      const limit = { limit: 4, used: 3, remaining: 1, decimals: 0, per: "day",
        resetsAt: "2000-11-30T12:00Z" };
      const calls = { featureId: "calls", featureType: "METERED", allowed: true, limits: [limit] };
      const initial = { customerId: "acme", resourceId: "", deniedReason: null,
        entitlements: [calls] };
      const gate = h(Gate, { featureId: "calls", loading: "wait" }, "open");
      const shown = (props) => renderToString(
        h(QuotadProvider, props, gate, h(UsageMeter, { featureId: "calls", label: "Calls" })));
      console.log(shown({}), shown({ customerId: "other", initial }));
      const html = shown({ customerId: "acme", initial }).replaceAll("<!-- -->", "");
      console.log(html.replace(/(<[^>]*>)+/g, "|").replace(/, 12:00.PM/, ""));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program],
        cwd=REACT,
        env=environment(TZ="UTC"),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "wait wait\nopen|Calls|3 of 4 used, resets |Nov 30, 2000|\n" == done.stdout


@needs_examples
def test_what_is_packed_has_types_and_the_version_of_the_server() -> None:
    package = json.loads((REACT / "package.json").read_text())
    server = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    exported = [each for each in package["exports"].values() if isinstance(each, dict)]
    named = [*(path for each in exported for path in each.values()), "./dist/styles.css"]
    assert [True] * 5 == [(REACT / name).exists() for name in named]
    assert ["dist"] == package["files"]
    assert server["version"] == package["version"]


@needs_examples
def test_plans_for_sale_are_read_with_what_they_inherit_and_everybody_has(
    served: HttpRunning,
) -> None:
    program = """
      import { readPlans } from "@quotad/react/plans";
      const options = { address: process.argv[1] };
      const [plan] = await readPlans(["pro"], options);
      console.log(JSON.stringify(plan));
      await readPlans(["pri"], options).catch((error) => console.log(error.message));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program, f"http://{served.address}"],
        cwd=REACT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    plan, refusal = done.stdout.splitlines()
    pro = json.loads(plan)
    features = {each["featureId"]: each for each in pro.pop("features")}

    assert {
        "planId": "pro",
        "name": "pro",
        "description": "For teams.",
        "metadata": {"highlight": "yes"},
        "prices": [
            {"amount": "5", "currency": "EUR", "billing": "month", "unit": "seats"},
            {"amount": "99.50", "currency": "EUR", "billing": "once"},
        ],
    } == pro

    def limits(feature_id: str) -> list[tuple[object, str, bool]]:
        found = features[feature_id]["limits"]
        return [(each["limit"], each["per"], each["perUnit"]) for each in found]

    assert {
        "calls": [(10, "day", False), (100, "month", False)],  # not what a rollout gives some
        "budget": [(25, "month", False)],
        "answers": [],
        "seats": [(2, "", True)],
        "jobs": [(2, "", False)],  # not what was given for a time
        "sso": [],
    } == {name: limits(name) for name, each in features.items() if each["value"] is None}
    assert {"rows": "5000", "support": "community, email"} == {
        name: each["value"] for name, each in features.items() if each["value"] is not None
    }
    assert 'quotad: the catalog has no plan "pri"' == refusal


@needs_examples
def test_components_are_typed_with_the_strictest_settings(tmp_path: Path) -> None:
    [example] = re.findall(r"```tsx\n(.*?)```", (REACT / "README.md").read_text(), re.DOTALL)
    more = """
      import { type MeteredEntitlement, useMeteredEntitlement } from "@quotad/react";
      import { useEntitlements } from "@quotad/react";
      declare const token: string, customerKey: string;
      export function Left(): string {
        const { planId, entitlements } = useEntitlements();
        const left: MeteredEntitlement = useMeteredEntitlement({ featureId: "exports" });
        return `${planId} ${left.currentUsage} of ${left.usageLimit ?? entitlements.length}`;
      }
    """
    (tmp_path / "page.tsx").write_text(more + example)
    settings = {"jsx": "react-jsx", "lib": ["ES2022", "DOM"], "types": [], "noEmit": True}
    settings |= {"skipDefaultLibCheck": True}
    (tmp_path / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": SETTINGS | settings, "include": ["*.tsx"]})
    )
    (tmp_path / "package.json").write_text('{"type": "module"}')
    modules = tmp_path / "node_modules"
    for name, target in {
        "@quotad/client": CLIENT,
        "@quotad/react": REACT,
        "@types/react": REACT / "node_modules/@types/react",
        "react": REACT / "node_modules/react",
    }.items():
        (modules / name).parent.mkdir(parents=True, exist_ok=True)
        (modules / name).symlink_to(target)

    done = subprocess.run(
        ["node", str(CLIENT / "node_modules/typescript/bin/tsc")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stdout + done.stderr)
