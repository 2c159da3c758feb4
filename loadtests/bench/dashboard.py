"""`python -m loadtests.bench.dashboard`: pages of the dashboard among many customers.

Imports them, has a server decide for each of them so that many are near a limit or past it, and
walks every page and filter, signed in, round after round. A page's time is from the request to the
last byte of its answer, with one browser at a time. Exit code 1 when the 95th percentile of a page
is above `--ms-max`, 2 when it could not be measured.
"""

import argparse
import http.client
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlencode

import grpc
import msgspec

from loadtests.bench import proc
from loadtests.bench.kinds import PREFIX, quotad
from loadtests.bench.processes import HOST, Machinery, free_port, stop, wait_until_ready
from loadtests.bench.report import as_text
from quotad.client.admin import AdminClient, CatalogFile
from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.decision import Reason
from quotad.server.tokens import token_operations
from quotad.store import KeySpace, Store
from quotad.store.decided import STEP_MS, DecidedStore
from quotad.tokens.record import WantedToken
from quotad.tokens.roles import TokenRole
from quotad.v1 import quota_pb2 as pb
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

CUSTOMERS = 100_000
ROUNDS = 20
MS_MAX = 300.0
BATCH = 1_000
CALL_S = 60.0
FEATURES, METERED, PLANS = 60, 30, 12
COUNTED = 10
"""Metered features of which customers are near a limit."""
LIMIT = 1_000
STEPS = 2 * 96
"""Quarters of an hour with decisions: two days."""

PROMOTED, ROLLED_OUT, REVISED = "feature-36", "feature-34", "plan-03"
"""Features, and a plan of which customers have an earlier revision."""

TRIALS_END = "2099-12-31T00:00:00Z"

NAMES = ("Anna", "Bert", "Cora", "Dora", "Emil", "Fritz", "Gerda", "Hans", "Ida", "Jonas")
FORM = "application/x-www-form-urlencoded"


class PageTimes(msgspec.Struct):
    """What one page took."""

    name: str
    taken_ms: list[float]
    cpu_ms: float = 0.0
    """Of the dashboard, in all."""
    bytes: int = 0

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.taken_ms)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return sorted(self.taken_ms)[-(-95 * len(self.taken_ms) // 100) - 1]


def catalog() -> str:
    """Plan files of a large product."""
    lines = ["version: 1", "default_plan: plan-00", "features:"]
    for number in range(FEATURES):
        kind = "metered" if number < METERED else ("boolean", "config")[number % 2]
        lines.append(f"  feature-{number:02}: {{type: {kind}, name: Feature {number}}}")
    lines.append("plans:")
    for plan in range(PLANS):
        lines += [f"  plan-{plan:02}:", f"    name: Plan {plan}", "    entitlements:"]
        for number in range(FEATURES):
            granted = f"{{limit: {LIMIT}, per: month}}"
            if number >= METERED:
                granted = ("true", str(number + plan))[number % 2]
            if (plan, f"feature-{number:02}") == (2, ROLLED_OUT):
                granted = "{rollout: {percent: 20}}"
            lines.append(f"      feature-{number:02}: {granted}")
    lines += ["addons:", "  more: {entitlements: {feature-00: {add: 100}}}"]
    return "\n".join(lines) + "\n"


def rows(customers: int) -> Iterator[bytes]:
    """What is imported: a customer in 30 is archived, those on the last plan all are."""
    for number in range(customers):
        plan = number % PLANS
        row = {
            "customer_id": customer_id(number),
            "name": f"{NAMES[number % len(NAMES)]} Company {number}",
            "email": f"person-{number}@customers.example",
            "plan": f"plan-{plan:02}",
            "archived": number % 30 == 7 or plan == PLANS - 1,
        }
        if number % 500 == 8:
            row["subscriptions"] = [{"plan": row.pop("plan"), "trial": True, "end": TRIALS_END}]
        if number % 50 == 9:
            row["promotions"] = [{"feature": PROMOTED, "entitlement": True}]
        yield msgspec.json.encode(row)


def customer_id(number: int) -> str:
    """Of a customer; those without a record have higher numbers."""
    return f"customer-{number:07d}"


class Walk:
    """A person who opens one page after another.

    Args:
        port: of the dashboard.
        pid: of its processes' parent.
    """

    def __init__(self, port: int, pid: int) -> None:
        self._link = http.client.HTTPConnection(HOST, port, timeout=CALL_S)
        self._pid = pid
        self._cookie = ""
        self.times: dict[str, PageTimes] = {}

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def sign_in(self, token: str) -> None:
        """Begin a session, as soon as the dashboard knows the token.

        Raises:
            RuntimeError: it does not come to know it.
        """
        origin = {"origin": f"http://{HOST}:{self._link.port}", "content-type": FORM}
        deadline = time.monotonic() + CALL_S
        while time.monotonic() < deadline:
            self._link.request("POST", "/sign-in", urlencode({"token": token}), origin)
            answer = self._link.getresponse()
            answer.read()
            if answer.status == 303:
                self._cookie = answer.headers["set-cookie"].partition(";")[0]
                return
            time.sleep(0.1)
        raise RuntimeError("the dashboard does not know the token")

    def open(self, name: str, path: str) -> str:
        """Open a page, note what it took, and return it.

        Raises:
            RuntimeError: it was refused.
        """
        before = proc.cpu_each(self._pid)
        started = time.perf_counter()
        self._link.request("GET", path, headers={"cookie": self._cookie})
        answer = self._link.getresponse()
        page = answer.read()
        taken_ms = (time.perf_counter() - started) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}: {page[-300:]!r}")
        times = self.times.setdefault(name, PageTimes(name, []))
        times.taken_ms.append(taken_ms)
        times.cpu_ms += proc.spent_s(before, proc.cpu_each(self._pid)) * 1000
        times.bytes = len(page)
        return page.decode()


def walk_all(walk: Walk, drawn: random.Random, customers: int) -> None:
    """Open every page once, each about another customer than the last time."""
    some = customer_id(drawn.randrange(customers))
    feature, plan = f"feature-{drawn.randrange(COUNTED):02}", f"plan-{drawn.randrange(PLANS):02}"
    for name, path in (
        ("home", "/"),
        ("home, one feature", f"/?decided={feature}"),
        ("home, decisions alone", "/decided"),
        ("plans", "/plans"),
        ("plan", f"/plans/{plan}"),
        ("value of a plan", f"/plans/{plan}/features/{feature}"),
        ("features", "/features"),
        ("feature", f"/features/{feature}"),
        ("feature, rollout", f"/features/{ROLLED_OUT}?customer={some}"),
        ("add-ons", "/addons"),
        ("add-on", "/addons/more"),
        ("promotions", "/promotions"),
        ("promotions of a feature", f"/promotions?feature={PROMOTED}"),
        ("draft, text", "/draft"),
        ("draft, review", "/draft/review"),
        ("history", "/history"),
        ("history, a version", "/history/2"),
        ("history of customers", "/history/customers"),
        ("history of customers, earlier", f"/history/customers?before={int(time.time() * 1000)}"),
        ("customer", f"/customers/{some}"),
        ("customer, chart", f"/customers/{some}?chart={feature}"),
        ("customer, why", f"/customers/{some}/why/{feature}"),
        ("customer, try", f"/customers/{some}/try?feature_id={feature}&quantity=5"),
        ("insights", "/insights"),
        ("insights, a feature", f"/insights?feature={feature}"),
        ("insights, CSV", "/insights.csv"),
        ("insights, top users", f"/insights/top?feature={feature}"),
        ("live decisions", "/live"),
        ("settings", "/settings"),
    ):
        walk.open(name, path)
    page = walk.open("customer, edited", f"/customers/{customer_id(0)}")
    way_back = page.partition("/rollback/")[2].partition('"')[0]
    walk.open("customer, rolling back", f"/customers/{customer_id(0)}/rollback/{way_back}")
    name = NAMES[drawn.randrange(len(NAMES))].lower()
    for title, query in (
        ("all", {}),
        ("id", {"q": some}),
        ("start of an id", {"q": some[:12]}),
        ("name", {"q": name, "by": "name"}),
        ("no such name", {"q": "zz", "by": "name"}),
        ("email", {"q": f"person-{int(some[9:])}@customers.example", "by": "email"}),
        ("id elsewhere", {"q": "cus_123", "by": "external"}),
        ("plan", {"plan": plan}),
        ("archived", {"status": "archived"}),
        ("active", {"status": "active"}),
        ("in trial", {"status": "trial"}),
        ("in trial, plan", {"status": "trial", "plan": plan}),
        ("plan, archived", {"plan": plan, "status": "archived"}),
        ("plan whose customers are archived", {"plan": f"plan-{PLANS - 1:02}", "status": "active"}),
        ("name, plan", {"q": name, "by": "name", "plan": plan}),
        ("near a limit", {"view": "near"}),
        ("near a limit, plan", {"view": "near", "plan": plan}),
        ("seen", {"view": "seen"}),
        ("seen, start of an id", {"view": "seen", "q": customer_id(customers + 77)[:-1]}),
    ):
        page = walk.open(f"customers: {title}", f"/customers?{urlencode(query)}")
        following = page.rpartition('href="/customers?')[2].partition('"')[0]
        if "token=" in following:
            path = "/customers?" + following.replace("&amp;", "&")
            walk.open(f"customers: {title}, next", path)
    given = {
        "do": "promote",
        "feature_id": feature,
        "kind": "limit",
        "amount": "5000",
        "per": "month",
    }
    for title, query in (
        ("promote, plan", {"plan": plan, **given}),
        ("promote, name", {"q": name, "by": "name", **given}),
        ("promote, near a limit", {"view": "near", **given}),
        ("move, all", {"do": "latest"}),
        ("move, plan", {"do": "latest", "plan": REVISED}),
    ):
        walk.open(f"bulk: {title}", f"/bulk?{urlencode(query)}")


def fill(port: int, url: str, customers: int) -> None:
    """Bring customers, usage and decisions in.

    Raises:
        RuntimeError: not all of it arrived.
    """
    with AdminClient(f"{HOST}:{port}") as admin:
        admin.publish([CatalogFile("bench.yaml", catalog())])
        admin.publish([CatalogFile("bench.yaml", catalog().replace("Feature 7", "Feature 7b"))])
        batch: list[bytes] = []
        for row in rows(customers):
            batch.append(row)
            if len(batch) == BATCH:
                _bring_in(admin, batch)
                batch = []
        _bring_in(admin, batch)
        admin.update_customer(customer_id(0), name="Edited Company")
        text = catalog().replace(f"  {REVISED}:\n", f"  {REVISED}:\n    apply_to: new\n")
        revised = text.replace(f"limit: {LIMIT}, per: month}}", f"limit: {LIMIT + 1}, per: month}}")
        admin.publish([CatalogFile("bench.yaml", revised)])
    drawn = random.Random(customers)
    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        stub = QuotaServiceStub(channel)  # type: ignore[no-untyped-call]
        requests = []
        for number in range(customers + customers // 5):  # and some that were never provisioned
            feature = f"feature-{number % COUNTED:02}"
            quantity = drawn.choice((10, 100, 500, 850, 1000, 4000))
            requests.append(
                pb.CheckAndConsumeRequest(
                    customer_id=customer_id(number), feature_id=feature, quantity=quantity
                )
            )
            if len(requests) == BATCH:
                _decide(stub, requests)
                requests = []
        _decide(stub, requests)
    store = Store(url, timeout_ms=5000)
    try:
        counts = DecidedStore(store, KeySpace(PREFIX))
        now_ms = SyncedClock().now_ms()
        for step in range(min(STEPS, 2 + customers // 500)):
            counts.add(
                [
                    (f"feature-{number:02}", int(reason), drawn.randrange(1, 5000))
                    for number in range(FEATURES)
                    for reason in (Reason.WITHIN_LIMIT, Reason.LIMIT_EXCEEDED, Reason.NOT_ENTITLED)
                ],
                now_ms - step * STEP_MS,
            )
    finally:
        store.close()


def _bring_in(admin: AdminClient, batch: list[bytes]) -> None:
    if batch and admin.transfer.import_rows(batch).written != len(batch):
        raise RuntimeError("not every customer was imported")


def _decide(stub: QuotaServiceStub, requests: list[pb.CheckAndConsumeRequest]) -> None:
    call = pb.BatchCheckAndConsumeRequest(requests=requests)
    if len(stub.BatchCheckAndConsume(call, timeout=CALL_S).results) != len(requests):
        raise RuntimeError("not every request was answered")


@contextmanager
def _serving(url: str) -> "Iterator[tuple[subprocess.Popen[bytes], int, int]]":
    """A server with a dashboard, and the ports of both."""
    port, pages = free_port(), free_port()
    kind = quotad("native", dashboard=f"{HOST}:{pages}")
    environ = {key: value for key, value in os.environ.items() if key[:7] != "QUOTAD_"}
    words = kind.command(f"{HOST}:{port}", url)
    process = subprocess.Popen(words, env=environ, start_new_session=True)
    try:
        wait_until_ready(process, port, kind)
        yield process, port, pages
    finally:
        stop(process)


def measure(customers: int, rounds: int) -> list[PageTimes]:
    """Fill a store, and walk.

    Raises:
        RuntimeError: a page was refused, or the store could not be filled.
    """
    with Machinery() as machinery, _serving(machinery.url) as (process, port, pages):
        started = time.monotonic()
        fill(port, machinery.url, customers)
        print(f"{customers:,} customers in {time.monotonic() - started:.0f} s", file=sys.stderr)
        with token_operations(Config(redis_url=machinery.url, prefix=PREFIX)) as tokens:
            token = tokens.create(WantedToken("bench", TokenRole.ADMIN)).token
        with closing(Walk(pages, process.pid)) as walk:
            walk.sign_in(token)
            drawn = random.Random(1)
            for _ in range(rounds):
                walk_all(walk, drawn, customers)
        return list(walk.times.values())


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.dashboard")
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--ms-max", type=float, default=MS_MAX)
    args = parser.parse_args()
    try:
        found = measure(args.customers, args.rounds)
    except (RuntimeError, OSError, grpc.RpcError) as error:
        print(f"the dashboard could not be measured: {error}", file=sys.stderr)
        sys.exit(2)
    table = [["page", "p50 ms", "p95 ms", "max ms", "CPU ms", "KB"]]
    for each in found:
        cells = (each.p50, each.p95, max(each.taken_ms), each.cpu_ms / len(each.taken_ms))
        table.append([each.name, *(f"{cell:.0f}" for cell in cells), f"{each.bytes / 1000:.0f}"])
    print(as_text(table))
    slow = [each.name for each in found if each.p95 > args.ms_max]
    if slow:
        print(f"FAILED: above {args.ms_max:.0f} ms: {', '.join(slow)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
