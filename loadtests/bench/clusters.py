"""One server and clusters under the same calls: decisions per second, and CPU per decision.

    make bench-cluster
    make bench-cluster CLUSTER_ARGS='--seconds 2 --rounds 1'
    make bench-cluster CLUSTER_ARGS='--rows alike --rounds 8'    (one server beside clusters)
    make bench-cluster CLUSTER_ARGS='--rows held --share 0.02 --picture held.png'

8 connections with 32 calls each, of 10,000 customers. A row counts only when the counters in the
store moved by what the answers say. Rows in which every node is held at a twentieth of a core show
what a cluster adds where its nodes and not the server are the limit: one machine has no room to
show it otherwise. They have 128 calls on each connection and 8 decision threads, so that nodes have
work all the time: a batch waits for all nodes that it asks, and a held one stands still for most of
each period. They are compared in rounds in which the nodes had used up what they were held at: in
others server or generator were the limit. They are left out without the rights to make control
groups.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from loadtests.bench import plots, proc, shares
from loadtests.bench.h2gen import Spec
from loadtests.bench.kinds import PREFIX, quotad
from loadtests.bench.measure import generate
from loadtests.bench.processes import CATALOG, HOST, free_port, stop, wait_until_ready
from loadtests.bench.traffic import Traffic
from quotad.catalog import Source, parse
from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.plural import plural
from quotad.store import Catalogs, KeySpace, Store
from quotad.valkey import private_valkey
from quotad.valkey_cluster import PrivateCluster

HELD = 0.05
"""Of a core, for each node."""

HELD_PERIOD_US = 20_000
QUOTA_MIN_US = 1_000
"""The kernel gives out no less at a time."""

CONNECTIONS, STREAMS = 8, 32
HELD_STREAMS, HELD_THREADS = 128, 8
USED_UP = 0.85
"""Of what nodes are held at: with less, they had time left."""
WARM_S = 1.0


class Row(msgspec.Struct, frozen=True):
    """A store, and the server on it."""

    nodes: int
    """Of a cluster; 0: one server."""
    shards: int = 32
    workers: int = 1
    held: float = 0.0
    """Of a core, for each node; 0: it takes what it gets."""

    @property
    def name(self) -> str:
        """For people."""
        store = f"cluster of {self.nodes}" if self.nodes else "one server"
        return f"{store}, each held at {self.held:g} of a core" if self.held else store


ROWS = (
    *(Row(0, shards) for shards in (32, 256)),
    *(Row(1, shards) for shards in (16, 32, 64, 256)),
    *(Row(3, shards) for shards in (16, 32, 64, 256)),
    *(Row(nodes, workers=2) for nodes in (0, 1, 3)),
    *(Row(nodes, held=HELD) for nodes in (1, 3)),
)


class Measured(msgspec.Struct, frozen=True):
    """What one run of a row has shown."""

    per_second: float
    server_us: float
    """CPU per decision."""
    store_us: float
    """Of all nodes together."""
    p99_ms: float
    server_cores: float
    """What the server used of the machine."""
    store_cores: float
    """What all nodes used of it together."""


@contextmanager
def store_of(row: Row, folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Start the store of a row; gives its URL and the processes."""
    # A group of processes can be removed when they have ended.
    with ExitStack() as held, ExitStack() as stack:
        if row.nodes:
            cluster = stack.enter_context(PrivateCluster(folder, folder / "node", row.nodes))
            pids, url = [node.process.pid for node in cluster.nodes], cluster.url
        else:
            port = free_port()
            settings = {"port": str(port), "bind": HOST}
            valkey = stack.enter_context(private_valkey(folder, folder / "socket", **settings))
            pids, url = [valkey.process.pid], f"redis://{HOST}:{port}"
        if row.held:
            held.enter_context(
                shares.held(pids, row.held, max(HELD_PERIOD_US, round(QUOTA_MIN_US / row.held)))
            )
        yield url, pids


def used(store: Store) -> int:
    """The sum of all usage in the store."""
    names = [name for some in store.scan(f"{PREFIX}:") for name in some if b"}:u:" in name]
    return sum(int(value or 0) for value in store.read(list(dict.fromkeys(names))))


def measure(row: Row, seconds: float, seed: int) -> Measured:
    """Start what a row is about, and run it once.

    Raises:
        RuntimeError: an answer was missing, or counters and answers differ.
    """
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as name, ExitStack() as stack:
        url, pids = stack.enter_context(store_of(row, Path(name)))
        store = Store(url, timeout_ms=20_000)
        stack.callback(store.close)
        catalog = parse([Source(name="bench.yaml", text=CATALOG)])
        keys = KeySpace(PREFIX, row.shards)
        Catalogs(store, keys, SyncedClock()).publish(catalog.document, catalog.digest)
        threads = HELD_THREADS if row.held else Config().decision_threads
        kind = quotad(
            "native",
            shards=str(row.shards),
            workers=str(row.workers),
            decision_threads=str(threads),
        )
        port = free_port()
        process = stack.enter_context(_server(kind.command(f"{HOST}:{port}", url)))
        wait_until_ready(process, port, kind)
        traffic = Traffic(path=kind.path, feature_id="feature-api-calls")
        spec = Spec(
            host=HOST,
            port=port,
            traffic=traffic,
            connections=CONNECTIONS,
            streams=HELD_STREAMS if row.held else STREAMS,
            seconds=WARM_S,
            rate=0,
            seed=seed,
        )
        generate(spec)
        before, server, nodes = used(store), proc.cpu(process.pid).whole, cpu_of(pids)
        result = generate(msgspec.structs.replace(spec, seconds=seconds))
        server, nodes = proc.cpu(process.pid).whole - server, cpu_of(pids) - nodes
        decisions = result.allowed + result.denied
        if result.errors or result.lost or used(store) - before != result.allowed:
            raise RuntimeError(
                f"{row}: {result.errors} errors, {result.lost} lost, counters differ"
            )
        return Measured(
            result.per_second,
            server / decisions * 1e6,
            nodes / decisions * 1e6,
            result.latency_ms["p99"],
            server / decisions * result.per_second,
            nodes / decisions * result.per_second,
        )


@contextmanager
def _server(words: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(words, start_new_session=True)
    try:
        yield process
    finally:
        stop(process)


def cpu_of(pids: Iterable[int]) -> float:
    """CPU time of processes so far, in seconds."""
    return sum(proc.cpu(pid).whole for pid in pids)


def table(found: dict[Row, list[Measured]]) -> str:
    """The medians, as Markdown."""
    lines = [
        "| store | shards | workers | decisions/s | server us | store us | p99 ms | server cores |"
        " store cores |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row, runs in found.items():
        middle = [
            statistics.median(getattr(run, name) for run in runs)
            for name in Measured.__struct_fields__
        ]
        shown = f"{middle[0]:,.0f} | {middle[1]:.1f} | {middle[2]:.1f} | {middle[3]:.1f}"
        shown += f" | {middle[4]:.2f} | {middle[5]:.2f}"
        lines.append(f"| {row.name} | {row.shards} | {row.workers} | {shown} |")
    return "\n".join(lines)


def compared(found: dict[Row, list[Measured]]) -> list[str]:
    """What rows are of the row that they are compared with, in each round and by the least CPU:
    work beside it only ever adds to that."""
    lines = []
    for row, runs in found.items():
        base = Row(1 if row.held else 0, row.shards, row.workers, row.held)
        others = found.get(base)
        if row == base or not others or not runs:
            continue
        pairs = list(zip(runs, others, strict=False))
        if row.held:
            what, rates, best = "does", *nodes_add(pairs, row)
        else:
            rates = [cost(one) / cost(other) for one, other in pairs]
            best = min(map(cost, runs)) / min(map(cost, others))
            what = "costs"
        found_in = f"median of {len(rates)} of {len(pairs)} rounds"
        lines.append(
            f"{row.name}, {row.shards} shards, {plural(row.workers, 'worker')}: {what}"
            f" {statistics.median(rates):.2f}x of {base.name} ({found_in}; the best of"
            f" each {best:.2f}x)"
            if rates
            else f"{row.name}: its nodes had time left in every round, so they were not the limit"
        )
    return lines


def nodes_add(pairs: Sequence[tuple[Measured, Measured]], row: Row) -> tuple[list[float], float]:
    """How much more several held nodes do than one, in each round in which they were the limit; and
    the best of each."""
    limited = [
        (several, one)
        for several, one in pairs
        if several.store_cores >= USED_UP * row.nodes * row.held
        and one.store_cores >= USED_UP * row.held
    ]
    rates = [several.per_second / one.per_second for several, one in limited]
    if not limited:
        return rates, 0.0
    best = max(several.per_second for several, _ in limited)
    return rates, best / max(one.per_second for _, one in limited)


def cost(run: Measured) -> float:
    """CPU of a decision, in server and store (us)."""
    return run.server_us + run.store_us


def picture(found: dict[Row, list[Measured]], path: Path) -> None:
    """Draw what a decision costs by store, and what held nodes do."""
    drawn, (left, right) = plots.figure(2, (10.0, 4.2))
    rows = [row for row, runs in found.items() if runs and not row.held]
    names = [f"{row.name}\n{row.shards} shards{', 2 workers' * (row.workers > 1)}" for row in rows]
    best = [min(found[row], key=cost) for row in rows]
    server = [run.server_us for run in best]
    left.barh(names, server, color=plots.BLUE, label="server")
    left.barh(names, [r.store_us for r in best], left=server, color=plots.ORANGE, label="store")
    for place, run in enumerate(best):
        left.text(cost(run) + 0.5, place, f"{cost(run):.0f}", va="center", fontsize=9)
    left.invert_yaxis()
    left.tick_params(axis="y", labelsize=8)
    left.set_xlim(right=1.35 * max(map(cost, best), default=1.0))
    left.set(xlabel="CPU per decision, us (lowest of the rounds)", title="What a decision costs")
    left.legend(loc="upper right", fontsize=9)
    held = sorted((row for row, runs in found.items() if runs and row.held), key=lambda r: r.nodes)
    rates = [statistics.median(run.per_second for run in found[row]) for row in held]
    bars = right.bar([f"{row.nodes}" for row in held], rates, color=plots.GREEN, width=0.5)
    for bar, row, rate in zip(bars, held, rates, strict=True):
        used = statistics.median(run.store_cores for run in found[row])
        text = f"{rate:,.0f}\n{used:.2f} of {row.nodes * row.held:.2f} cores"
        at = (bar.get_x() + bar.get_width() / 2, rate)
        right.annotate(text, at, ha="center", va="bottom", fontsize=9)
    right.yaxis.set_major_formatter("{x:,.0f}")
    right.set_ylim(top=1.25 * max(rates, default=1.0))
    right.set(
        xlabel=f"nodes, each held at {held[0].held:g} of a core" if held else "",
        ylabel="decisions/s (median)",
        title="What nodes add",
    )
    plots.save(drawn, path)


def chosen(rows: Iterable[Row], what: str) -> list[Row]:
    """Rows to run: `all`, the `held` ones, or those that are `alike` but for the store."""
    keeps: dict[str, Callable[[Row], bool]] = {
        "all": lambda row: True,
        "held": lambda row: bool(row.held),
        "alike": lambda row: row.shards == Row(0).shards and not row.held,
    }
    return [row for row in rows if keeps[what](row)]


def main() -> int:
    """Run all rows in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", choices=("all", "held", "alike"), default="all")
    parser.add_argument("--share", type=float, default=HELD, help="of a core, for held nodes")
    parser.add_argument("--picture", type=Path, help="a PNG to draw")
    given = parser.parse_args()
    rows = [
        msgspec.structs.replace(row, held=given.share) if row.held else row
        for row in chosen(ROWS, given.rows)
    ]
    if not shares.is_possible():
        rows = [row for row in rows if not row.held]
        print(shares.MISSING, file=sys.stderr)
    found: dict[Row, list[Measured]] = {row: [] for row in rows}
    failed = False
    for number in range(given.rounds):
        for row in rows:
            try:
                found[row].append(measure(row, given.seconds, number))
                print(f"round {number + 1}: {row}: {found[row][-1]}", file=sys.stderr)
            except RuntimeError as error:
                failed = True
                print(f"round {number + 1}: {row}: FAILED: {error}", file=sys.stderr)
    print(table({row: runs for row, runs in found.items() if runs}))
    print("", *compared(found), sep="\n")
    if given.picture is not None:
        picture(found, given.picture)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
