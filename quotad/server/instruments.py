"""What a server counts: the same list in every worker and in their parent."""

from quotad.decision import Reason
from quotad.engine.fallback import FALLBACK_COUNTS
from quotad.engine.times import BATCH_BOUNDS, KINDS, PHASE_BOUNDS_NS, PHASES
from quotad.metrics import Instrument, Instruments, Kind, histogram
from quotad.operations.settling import SETTLED_COUNTS
from quotad.outbox import TARGETS
from quotad.store.node_counts import BOUNDS_US
from quotad.store.node_counts import KINDS as NODE_KINDS
from quotad.store.safety import PROBLEMS

DECISIONS = Instrument(
    Kind.COUNTER,
    "quotad_decisions_total",
    "Decisions by their reason.",
    tuple(reason.name for reason in Reason),
    "reason",
)
WOULD_DENY = Instrument(
    Kind.COUNTER,
    "quotad_would_deny_total",
    "Decisions that a limit in shadow would have denied; counted among the decisions, too.",
)
PHASES_NS = histogram(
    "quotad_batch_seconds",
    "How long batches of decisions took, by phase; one batch of eight is timed.",
    PHASE_BOUNDS_NS,
    1_000_000_000,
    ("phase", PHASES),
)
BATCH_SIZE = histogram("quotad_batch_size", "Requests decided together.", BATCH_BOUNDS)
STALE_ROUNDS = Instrument(
    Kind.COUNTER,
    "quotad_stale_rounds_total",
    "Times that a batch was planned again, as a catalog or a customer had changed.",
)
CUSTOMERS_READ = Instrument(
    Kind.COUNTER,
    "quotad_customers_read_total",
    "Customers that were read for decisions, as they were not in memory; all others were.",
)
STORE_ERRORS = Instrument(
    Kind.COUNTER,
    "quotad_store_errors_total",
    "Failures of the store that decisions have met, by kind.",
    tuple(kind for kind, _ in KINDS),
    "kind",
)
TOKENS_REFUSED = Instrument(
    Kind.COUNTER, "quotad_tokens_refused_total", "Calls without a token that may be used."
)
EVENT_STREAMS = Instrument(
    Kind.GAUGE, "quotad_event_streams", "Streams of changes that clients have open."
)
LEASES = Instrument(
    Kind.COUNTER,
    "quotad_leases_total",
    "Calls that have acquired, renewed and released a lease.",
    ("acquired", "renewed", "released"),
    "what",
)
OUTSTANDING = Instrument(
    Kind.GAUGE,
    "quotad_outstanding",
    "What workers have given out, and has neither come back to the same worker nor ended.",
    ("reservations", "leases", "slots"),
    "what",
)
CUSTOMERS_CACHED = Instrument(
    Kind.GAUGE, "quotad_customers_cached", "Views of customers in memory."
)
PROBE = histogram(
    "quotad_store_probe_seconds",
    "How long the store took to answer a probe.",
    (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    per_unit=1000,
)
FALLBACK = Instrument(
    Kind.COUNTER,
    "quotad_fallback_calls_total",
    "Calls while the store was gone, answered by on_store_failure: allowed, denied, or refused.",
    FALLBACK_COUNTS,
    "outcome",
)
JOURNAL_BYTES = Instrument(
    Kind.GAUGE, "quotad_journal_bytes", "Size of the journals of the workers."
)
JOURNAL_ENTRIES = Instrument(
    Kind.GAUGE,
    "quotad_journal_unsettled_entries",
    "Calls that were let through and are not counted in the store yet.",
)
JOURNAL_REFUSED = Instrument(
    Kind.COUNTER,
    "quotad_journal_refused_total",
    "Batches that could not be written down, as the journal is full or the disk refuses.",
)
JOURNAL_SETTLED = Instrument(
    Kind.COUNTER,
    "quotad_journal_settled_total",
    "Calls of journals that were brought to the store, by what became of them.",
    SETTLED_COUNTS,
    "outcome",
)
LEDGER_FULL = Instrument(
    Kind.GAUGE,
    "quotad_ledger_full_shards",
    "Shards whose ledger drops records before ledger_kept_ms, as more come than are kept.",
)
EXPORT_LAG = Instrument(
    Kind.LOWEST,
    "quotad_export_lag_seconds",
    "How far an export is behind the ledger.",
    TARGETS,
    "target",
    per_unit=1000,
)
EXPORT_UNSENT = Instrument(
    Kind.LOWEST,
    "quotad_export_unsent_items",
    "What an export has to send, without what is parked.",
    TARGETS,
    "target",
)
EXPORT_OLDEST = Instrument(
    Kind.LOWEST,
    "quotad_export_oldest_unsent_seconds",
    "How long ago the oldest of that was made.",
    TARGETS,
    "target",
    per_unit=1000,
)
EXPORT_PARKED = Instrument(
    Kind.LOWEST,
    "quotad_export_parked_items",
    "What an export has set aside, as it cannot be sent as it is.",
    TARGETS,
    "target",
)
EXPORT_FAILURES = Instrument(
    Kind.LOWEST,
    "quotad_export_failed_attempts",
    "Attempts to send something that have failed, in all.",
    TARGETS,
    "target",
)
EXPORT_GAPS = Instrument(
    Kind.LOWEST,
    "quotad_export_gaps",
    "How often records of the ledger, or changes, may have been dropped before an export has read"
    " them.",
    TARGETS,
    "target",
)
EXPORTS = (
    EXPORT_LAG,
    EXPORT_UNSENT,
    EXPORT_OLDEST,
    EXPORT_PARKED,
    EXPORT_FAILURES,
    EXPORT_GAPS,
)
"""In the order of `operations.exports.READINGS`."""
BREAKER_OPEN = Instrument(
    Kind.GAUGE,
    "quotad_store_breaker_open_workers",
    "Workers that ask the store for nothing, as it did not answer, or is not set up to be used.",
)
STORE_UNSAFE = Instrument(
    Kind.GAUGE,
    "quotad_store_unsafe",
    "Workers to which the store may lose what is counted, by what is wrong with it.",
    PROBLEMS,
    "problem",
)
CATALOG_VERSION = Instrument(
    Kind.LOWEST,
    "quotad_catalog_version",
    "Version of the catalog in force; of the worker that is behind, 0 where one has none.",
)
CATALOG_PUBLISHED = Instrument(
    Kind.LOWEST,
    "quotad_catalog_published_timestamp_seconds",
    "Unix time at which the catalog in force was published.",
    per_unit=1000,
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
    "what",
)
FRONT_OPEN = Instrument(
    Kind.GAUGE,
    "quotad_front_open",
    "Connections and calls that the fast front has open.",
    ("connections_open", "calls_open"),
    "what",
)

NODE_DOWN = Instrument(
    Kind.GAUGE,
    "quotad_store_node_breaker_open_workers",
    "Workers that do not ask a server of the cluster, as it did not answer.",
)
NODE_ERRORS = Instrument(
    Kind.COUNTER,
    "quotad_store_node_errors_total",
    "What a server of the cluster has answered instead of a result, or that it has not, by kind.",
    NODE_KINDS,
    "kind",
)
NODE_SECONDS = histogram(
    "quotad_store_node_answer_seconds",
    "How long a server of the cluster took to answer INFO, which each worker asks every second.",
    BOUNDS_US,
    1_000_000,
)


def instruments() -> Instruments:
    """Return the instruments of a process of the server."""
    return Instruments(
        (
            PHASES_NS,
            BATCH_SIZE,
            STALE_ROUNDS,
            CUSTOMERS_READ,
            STORE_ERRORS,
            TOKENS_REFUSED,
            EVENT_STREAMS,
            LEASES,
            OUTSTANDING,
            CUSTOMERS_CACHED,
            PROBE,
            FALLBACK,
            JOURNAL_BYTES,
            JOURNAL_ENTRIES,
            JOURNAL_REFUSED,
            JOURNAL_SETTLED,
            LEDGER_FULL,
            *EXPORTS,
            BREAKER_OPEN,
            STORE_UNSAFE,
            CATALOG_VERSION,
            CATALOG_PUBLISHED,
            FRONT,
            FRONT_OPEN,
        ),
        (WOULD_DENY, DECISIONS),  # in the order of `DecisionOperations.counts`
        (NODE_DOWN, NODE_ERRORS, NODE_SECONDS),  # in the order of `NodeCounts.rows`
    )
