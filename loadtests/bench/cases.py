"""What is measured: groups of lines that take turns, so that a busy moment hits all of them."""

from collections.abc import Collection

import msgspec

from loadtests.bench import h2load, shares
from loadtests.bench.busy import COUNT
from loadtests.bench.kinds import EARLIER, EARLIER_IN_TERMINAL, SHARE
from loadtests.bench.measure import Line
from loadtests.bench.traffic import Traffic
from quotad.fronts.kinds import is_installed

FEATURE = "feature-api-calls"
MANY = Traffic(feature_id=FEATURE)
STREAMS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
RATES = (500, 1000, 2000, 4000, 8000, 16_000)


class Group(msgspec.Struct, frozen=True):
    """Lines that are compared with the first one."""

    name: str
    title: str
    lines: list[Line]
    seconds: float = 2.0
    rounds: int = 2
    """Short turns and many: the noise of a busy machine lasts seconds."""
    by_default: bool = True
    """Whether it runs when no group is named."""
    quick: bool = False
    """Whether it is part of `--quick`."""
    pairs: list[tuple[str, str]] = []
    """Names of lines whose throughput is divided, one by the other."""
    cpu: bool = False
    """Whether their CPU time per decision is as well."""
    budget: bool = False
    """Whether to tell who has used how much of the cores."""


def _fast() -> list[str]:
    """The fast front, where it is installed."""
    return ["fast"] if is_installed("fast") else []


def fronts(also: Collection[str]) -> Group:
    """The same load on everything that can take it."""
    names = ["native", *_fast(), *also, "reference", "grpcio", "noop"]
    return Group(
        "fronts",
        "8 connections x 32 streams, one window, 10,000 customers",
        [Line(name, name, MANY, counters=int(name != "noop")) for name in names],
        rounds=3,
        quick=True,
        pairs=[("native", name) for name in names[1:]],
        budget=True,
    )


def _line(name: str, counters: int = 1, streams: int = 32, **changes: object) -> Line:
    """The native front with other traffic than the plain one."""
    traffic = msgspec.structs.replace(MANY, **changes)
    return Line(name, "native", traffic, counters=counters, streams=streams)


def customers() -> Group:
    """How many there are, and how unequal."""
    return Group(
        "customers",
        "native front, 8 connections x 32 streams: customers",
        [
            _line("10,000 customers"),
            _line("one hot customer", pick="hot"),
            _line("1,000,000 customers, Zipf", pick="zipf", customers=1_000_000),
        ],
    )


def windows() -> Group:
    """How many limits a feature has, all of which must have room."""
    return Group(
        "windows",
        "native front, 8 connections x 32 streams: windows of the feature",
        [
            _line("1 window"),
            _line("4 windows", counters=4, feature_id="feature-four-windows"),
            _line("10 windows", counters=10, feature_id="feature-ten-windows"),
        ],
        seconds=1.5,
        rounds=3,
        quick=True,
        pairs=[("4 windows", "1 window"), ("10 windows", "1 window")],
    )


def verdicts() -> Group:
    """What the answers are."""
    return Group(
        "verdicts",
        "native front, 8 connections x 32 streams: verdicts and idempotency keys",
        [
            _line("allowed"),
            _line("denied", feature_id="feature-tiny"),
            _line("idempotency keys", idempotent=True),
        ],
        seconds=1.5,
        rounds=3,
        quick=True,
        pairs=[("denied", "allowed"), ("idempotency keys", "allowed")],
    )


def ledger() -> Group:
    """What it costs that a feature is in the ledger."""
    servers = ["native", *_fast()]
    return Group(
        "ledger",
        "8 connections x 32 streams: without and with a ledger",
        [
            Line(f"{server}{name}", server, msgspec.structs.replace(MANY, feature_id=feature_id))
            for server in servers
            for name, feature_id in ((", no ledger", FEATURE), (", ledger", "feature-noted"))
        ],
        seconds=1.5,
        rounds=5,
        pairs=[(f"{server}, ledger", f"{server}, no ledger") for server in servers],
    )


def together() -> Group:
    """Several features in one atomic act."""
    others = ("feature-tokens", "feature-images")
    return Group(
        "together",
        "8 connections x 32 streams: features of one CheckAndConsumeAll",
        [
            Line(name, server, msgspec.structs.replace(MANY, **changes), counters=counters)
            for server in ["native", *_fast()]
            for name, counters, changes in (
                (f"{server}, CheckAndConsume", 1, {}),
                (f"{server}, 3 features", 3, {"together": others}),
            )
        ],
        seconds=0.7,
        rounds=7,
        cpu=True,
        pairs=[
            (f"{server}, 3 features", f"{server}, CheckAndConsume")
            for server in ["native", *_fast()]
        ],
    )


def batches() -> Group:
    """Many requests in one call, beside one in each."""
    sizes = ((1, 32), (10, 16), (100, 4), (1000, 2))
    return Group(
        "batches",
        "native front, 8 connections: requests per BatchCheckAndConsume",
        [
            _line("single calls x 32 streams"),
            *(
                _line(f"batch of {size:,} x {streams} streams", batch=size, streams=streams)
                for size, streams in sizes
            ),
        ],
    )


def connections() -> Group:
    """The same on a few connections and on many."""
    wide = [
        Line(f"{name}: 1,000 connections x 1", name, MANY, connections=1000, streams=1)
        for name in ("native", *_fast())
    ]
    return Group(
        "connections",
        "connections x streams of each",
        [_line("native: 8 connections x 32"), *wide],
        seconds=1.5,
        rounds=3,
        pairs=[(line.name, wide[0].name) for line in wide[1:]],
    )


def workers() -> Group:
    """Processes that share the address; the kernel spreads connections, so there are many."""
    names = ["native", "native-2-workers"]
    return Group(
        "workers",
        "native front, 64 connections x 4 streams: worker processes",
        [
            Line(f"{count} worker{'s' * (count > 1)}", name, MANY, connections=64, streams=4)
            for name, count in zip(names, (1, 2), strict=True)
        ],
        rounds=3,
        pairs=[("2 workers", "1 worker")],
        budget=True,
    )


def worker_shares() -> Group | None:
    """Processes that leave cores free; None: they cannot be held at a share."""
    if not shares.is_possible():
        return None
    names = ["native-share", "native-2-workers-share"]
    return Group(
        "shares",
        f"native front, 64 connections x 4 streams: workers held at {SHARE} of a core each",
        [
            Line(f"{count} worker{'s' * (count > 1)}", name, MANY, connections=64, streams=4)
            for name, count in zip(names, (1, 2), strict=True)
        ],
        rounds=3,
        pairs=[("2 workers", "1 worker")],
        budget=True,
    )


def busy(also: Collection[str]) -> Group:
    """One caller, one call at a time, alone and beside busy processes of the same terminal."""
    servers = {name: f"{name}-in-terminal" for name in ("native", *_fast(), "grpcio")}
    if EARLIER in also:
        servers[EARLIER] = EARLIER_IN_TERMINAL

    # A generator in Python is itself a third of such a call's time.
    generator = "h2load" if h2load.is_installed() else "h2gen"
    hot = msgspec.structs.replace(MANY, pick="hot")

    def line(name: str, loops: int) -> Line:
        called = f"{name} busy" if loops else name
        return Line(
            called, servers[name], hot, connections=1, streams=1, generator=generator, busy=loops
        )

    return Group(
        "busy",
        f"lone calls of one caller, and beside {COUNT} busy loops (busy), all in one session",
        [line(name, loops) for name in servers for loops in (0, COUNT)],
        rounds=5,
        by_default=False,
        pairs=[(f"{name} busy", name) for name in servers]
        + [("native busy", f"{name} busy") for name in list(servers)[1:]],
    )


def settings() -> Group:
    """The same load on the native front with other numbers of threads and larger batches."""
    names = ["native", "native-batch-64", "native-batch-256", "native-1-decision", "native-2-io"]
    names += ["native-1-decision-2-io", "reference"]
    return Group(
        "settings",
        "native front: 2 threads that decide, 1 for I/O, batches up to 128, unless said otherwise",
        [Line(name, name, MANY) for name in names],
        rounds=4,
        by_default=False,
        pairs=[(name, "reference") for name in names[:-1]],
    )


def latency() -> Group:
    """Calls that come one by one: nothing waits behind others."""
    return Group(
        "latency",
        "fixed rate, 8 connections",
        [
            Line("native 1,000/s", "native-traced", MANY, rate=1000),
            Line("reference 1,000/s", "reference", MANY, rate=1000),
            Line("native 5,000/s", "native-traced", MANY, rate=5000),
        ],
        seconds=3.0,
        quick=True,
    )


def offered() -> Group:
    """Latency over the offered load."""
    return Group(
        "offered",
        "native front, 8 connections: offered load",
        [Line(f"{rate:,}/s", "native-traced", MANY, rate=rate) for rate in RATES],
        rounds=1,
    )


def streams() -> Group:
    """Throughput over calls in flight."""

    def line(server: str, count: int) -> Line:
        wide = min(8, count)
        name = f"{server} {count}"
        return Line(name, server, MANY, connections=wide, streams=count // wide)

    return Group(
        "streams",
        "calls in flight, over at most 8 connections",
        [
            *(line("native", count) for count in STREAMS),
            *(line(server, n) for server in ("reference", "grpcio") for n in STREAMS[::2]),
        ],
        seconds=0.6,
        rounds=2,
    )


def generators() -> Group | None:
    """Our generator and h2load on the same load; None: there is no h2load."""
    if not h2load.is_installed():
        return None
    hot = msgspec.structs.replace(MANY, pick="hot")
    return Group(
        "generators",
        "native front, one hot customer: our generator and h2load",
        [Line(name, "native", hot, generator=name) for name in ("h2gen", "h2load")],
    )


def tls() -> Group | None:
    """The fast front in the clear and with TLS; None: it or h2load is not here."""
    if not h2load.is_installed() or not _fast():
        return None
    hot = msgspec.structs.replace(MANY, pick="hot")
    return Group(
        "tls",
        "fast front, one hot customer, h2load: in the clear and with TLS",
        [Line(name, name, hot, generator="h2load") for name in ("fast", "fast-tls")],
        rounds=5,
        by_default=False,
        pairs=[("fast-tls", "fast")],
    )


def groups(also: Collection[str] = ()) -> list[Group]:
    """Everything but the script alone.

    Args:
        also: servers from elsewhere beside the fronts: `EARLIER`, `PROTOTYPE`.
    """
    made = [fronts(also), windows(), verdicts(), ledger(), together()]
    made += [batches(), connections(), workers()]
    made.append(busy(also))
    # Customers come last: a crowd of them leaves a store that is slower for everybody.
    made += [settings(), latency(), offered(), streams()]
    wanted = [*made, worker_shares(), generators(), tls(), customers()]
    return [group for group in wanted if group is not None]
