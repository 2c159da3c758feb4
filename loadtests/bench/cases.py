"""What is measured: groups of lines that take turns, so that a busy moment hits all of them."""

import msgspec

from loadtests.bench import h2load
from loadtests.bench.measure import Line
from loadtests.bench.traffic import Traffic

FEATURE = "feature-api-calls"
MANY = Traffic(feature_id=FEATURE)


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
    pairs: list[tuple[str, str]] = []
    """Names of lines whose throughput is divided, one by the other."""


def fronts(prototype: bool) -> Group:
    """The same load on everything that can take it."""
    names = ["native", "reference", *(["prototype"] if prototype else []), "grpcio", "noop"]
    return Group(
        "fronts",
        "8 connections x 32 streams, one window, 10,000 customers",
        [Line(name, name, MANY, counters=name != "noop") for name in names],
        rounds=4,
        pairs=[("native", name) for name in names[1:]],
    )


def variants() -> Group:
    """The native front on other traffic than the plain one."""

    def line(name: str, counters: int = 1, streams: int = 32, **changes: object) -> Line:
        traffic = msgspec.structs.replace(MANY, **changes)
        return Line(name, "native", traffic, counters=counters, streams=streams)

    return Group(
        "variants",
        "native front, 8 connections x 32 streams",
        [
            line("one window"),
            line("four windows", counters=4, feature_id="feature-four-windows"),
            line("mostly denied", feature_id="feature-tiny"),
            line("one hot customer", pick="hot"),
            line("idempotency keys", idempotent=True),
            line("batch calls of 100", batch=100, streams=4),
        ],
    )


def settings() -> Group:
    """The same load on the native front with other numbers of threads."""
    names = ["native", "native-1-decision", "native-2-io", "native-1-decision-2-io", "reference"]
    return Group(
        "settings",
        "threads of the native front: 2 that decide, 1 for I/O, unless said otherwise",
        [Line(name, name, MANY) for name in names],
        rounds=4,
        by_default=False,
        pairs=[(name, "reference") for name in names[:-1]],
    )


def latency() -> Group:
    """Calls that come one by one: nothing waits behind others."""
    return Group(
        "latency",
        "1,000 calls/s at a fixed rate, 8 connections",
        [Line(f"{name} 1,000/s", name, MANY, rate=1000) for name in ("native", "reference")],
        seconds=4.0,
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


def groups(prototype: bool) -> list[Group]:
    """Everything but the script alone."""
    made = [fronts(prototype), variants(), settings(), latency(), generators()]
    return [group for group in made if group is not None]
