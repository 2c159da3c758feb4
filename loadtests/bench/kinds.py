"""The servers that can be measured, and how each is started."""

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from loadtests.bench import noop_server, reference_server
from loadtests.bench.launcher import NOTHING

PREFIX = "bench"
GUARDED = "guarded"
"""Prefix of servers that ask for a token."""
CHECK_AND_CONSUME = "/quotad.v1.QuotaService/CheckAndConsume"

SMALL_CACHE, SMALL_CACHE_MAX = "native-small-cache", 20_000
"""A server that remembers few customers, and how many."""

EARLIER, PROTOTYPE = "earlier", "prototype"
"""Servers from elsewhere: quotad of another checkout, an external prototype."""

EARLIER_IN_TERMINAL = "earlier-in-terminal"

CERTIFICATE = Path(__file__).parents[2] / "tests" / "fixtures" / "tls" / "localhost.pem"
"""And its key."""

TRACE_FILE = "TRACE_FILE"
"""Stands for a file of the benchmark's own in the words of a command."""


class Kind(msgspec.Struct, frozen=True):
    """A server that can be measured."""

    path: str
    """Of its unary method."""
    usage: str
    """Pattern of its usage keys; empty: it counts nothing."""
    command: Callable[[str, str], list[str]]
    """From where to listen and the store's URL."""
    is_quotad: bool = False
    is_traced: bool = False
    """Whether it can tell what it has seen of itself."""
    tls: bool = False
    """Whether it shows `CERTIFICATE`."""
    tokens: bool = False
    """Whether its calls must show a token."""
    cores: float = 0
    """What each of its processes is held at; 0: whatever there is."""
    in_terminal: bool = False
    """Whether it is started in the session of the benchmark and the caller, as from one terminal;
    else in a session of its own, so that the kernel shares cores alike between all servers."""


def quotad(
    front: str,
    launcher: list[str] | None = None,
    python: str = sys.executable,
    prefix: str = PREFIX,
    **more: str,
) -> Kind:
    """`quotad serve`, by its own command or by the launcher with some arguments."""

    def command(listen: str, url: str) -> list[str]:
        flags = {
            "redis-url": url,
            "listen": listen,
            "front": front,
            "prefix": prefix,
            "log-level": "warning",
            # Usage of a period that ends during the benchmark must still be there at its end.
            "usage-retention-ms": "86400000",
            # A busy machine is no reason to fail a run.
            "store-timeout-ms": "5000",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        words = [word for name, value in flags.items() for word in (f"--{name}", value)]
        start = ["loadtests.bench.launcher", *launcher] if launcher else ["quotad"]
        return [python, "-m", *start, "serve", *words]

    return Kind(
        CHECK_AND_CONSUME,
        f"{prefix}:*:u:*",
        command,
        is_quotad=True,
        is_traced=launcher == [TRACE_FILE],
        tls="tls_cert" in more,
    )


def _module(name: str, *, store: bool) -> Callable[[str, str], list[str]]:
    def command(listen: str, url: str) -> list[str]:
        return [sys.executable, "-m", f"loadtests.bench.{name}", listen, *([url] if store else [])]

    return command


SHARE = 0.3
"""Of a core, for each worker: two of them, the store and the generator leave a core half free."""


def _held(kind: Kind) -> Kind:
    return msgspec.structs.replace(kind, cores=SHARE)


def with_tokens(front: str, tls: bool = False) -> Kind:
    """`quotad serve` on keys of its own, with a token that its calls must show."""
    files = {"tls_cert": str(CERTIFICATE), "tls_key": str(CERTIFICATE)} if tls else {}
    return msgspec.structs.replace(quotad(front, None, prefix=GUARDED, **files), tokens=True)


def in_terminal(kind: Kind) -> Kind:
    """The same, started in the session of the benchmark."""
    return msgspec.structs.replace(kind, in_terminal=True)


KINDS = {
    "fast": quotad("fast"),
    "fast-tls": quotad("fast", tls_cert=str(CERTIFICATE), tls_key=str(CERTIFICATE)),
    "native": quotad("native"),
    "native-traced": quotad("native", [TRACE_FILE]),
    SMALL_CACHE: quotad("native", customer_cache_max=str(SMALL_CACHE_MAX)),
    "native-2-workers": quotad("native", workers="2"),
    "native-share": _held(quotad("native")),
    "native-2-workers-share": _held(quotad("native", workers="2")),
    "native-1-decision": quotad("native", decision_threads="1"),
    "native-batch-64": quotad("native", batch_max="64"),
    "native-batch-256": quotad("native", batch_max="256"),
    "native-2-io": quotad("native", io_threads="2"),
    "native-1-decision-2-io": quotad("native", decision_threads="1", io_threads="2"),
    "grpcio": quotad("grpcio", [NOTHING]),
    "fast-in-terminal": in_terminal(quotad("fast")),
    "native-in-terminal": in_terminal(quotad("native")),
    "grpcio-in-terminal": in_terminal(quotad("grpcio")),
    "native-tokens": with_tokens("native"),
    "fast-tokens": with_tokens("fast"),
    "fast-tokens-tls": with_tokens("fast", tls=True),
    "native-tokens-in-terminal": in_terminal(with_tokens("native")),
    "fast-tokens-in-terminal": in_terminal(with_tokens("fast")),
    "reference": Kind(
        reference_server.METHOD,
        f"{reference_server.PREFIX}:*",
        _module("reference_server", store=True),
    ),
    "noop": Kind(noop_server.METHOD, "", _module("noop_server", store=False)),
}
