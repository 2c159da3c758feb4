"""What the settings have of the ledger, for all processes that write it."""

from quotad.config import Config
from quotad.ledger import LedgerKept


def ledger_kept(config: Config) -> LedgerKept:
    """How much of the ledger the store keeps."""
    return LedgerKept(config.ledger_records_max, config.ledger_kept_ms)
