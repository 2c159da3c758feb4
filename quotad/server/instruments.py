"""What a server counts: the same list in every worker and in their parent."""

from quotad.decision import Reason
from quotad.metrics import Instrument, Instruments, Kind, histogram

DECISIONS = Instrument(
    Kind.COUNTER,
    "quotad_decisions_total",
    "Decisions by their reason.",
    tuple(reason.name for reason in Reason),
)
WOULD_DENY = Instrument(
    Kind.COUNTER, "quotad_would_deny_total", "Decisions that a limit in shadow would have denied."
)
LEASES = Instrument(
    Kind.COUNTER,
    "quotad_leases_total",
    "Calls that have acquired, renewed and released a lease.",
    ("acquired", "renewed", "released"),
)
CUSTOMERS_CACHED = Instrument(
    Kind.GAUGE, "quotad_customers_cached", "Views of customers in memory."
)
PROBE_MS = histogram(
    "quotad_store_probe_milliseconds",
    "How long the store took to answer a probe.",
    (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
FRONT = Instrument(
    Kind.COUNTER,
    "quotad_front_total",
    "What the fast front has seen: connections, calls and bytes.",
    (
        "connections",
        "connections_refused",
        "calls",
        "calls_passed_on",
        "calls_refused",
        "calls_given_up",
        "bytes_in",
        "bytes_out",
    ),
)
FRONT_OPEN = Instrument(
    Kind.GAUGE,
    "quotad_front_open",
    "Connections and calls that the fast front has open.",
    ("connections_open", "calls_open"),
)


def instruments() -> Instruments:
    """Return the instruments of a process of the server."""
    return Instruments(
        (DECISIONS, WOULD_DENY, LEASES, CUSTOMERS_CACHED, PROBE_MS, FRONT, FRONT_OPEN)
    )
