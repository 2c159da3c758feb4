"""The operations for all threads of a worker, put together for its edge."""

import msgspec

from quotad.feed.hub import Hub
from quotad.operations.catalogs import CatalogOperations
from quotad.operations.customers import CustomerOperations
from quotad.operations.decided import DecidedOperations
from quotad.operations.drafts import DraftOperations
from quotad.operations.environments import EnvironmentOperations
from quotad.operations.erasing import ErasingOperations
from quotad.operations.exports import ExportWatch
from quotad.operations.finding import FindingOperations
from quotad.operations.history import HistoryOperations
from quotad.operations.insights import InsightOperations
from quotad.operations.ledger import LedgerOperations
from quotad.operations.rebuilding import UsageRebuilds
from quotad.operations.rollbacks import RollbackOperations
from quotad.operations.status import Worker
from quotad.operations.tokens import TokenOperations
from quotad.operations.transfer import TransferOperations
from quotad.operations.usage import UsageOperations
from quotad.operations.webhooks import WebhookOperations
from quotad.store.fleet import ServerList


class AdminParts(msgspec.Struct, frozen=True):
    """What an edge does beside decisions."""

    catalogs: CatalogOperations
    drafts: DraftOperations
    customers: CustomerOperations
    decided: DecidedOperations
    finding: FindingOperations
    erasing: ErasingOperations
    transfer: TransferOperations
    insights: InsightOperations
    ledger: LedgerOperations
    usage: UsageOperations
    rebuilds: UsageRebuilds
    tokens: TokenOperations
    webhooks: WebhookOperations
    exports: ExportWatch
    worker: Worker
    feed: Hub
    history: HistoryOperations
    rollbacks: RollbackOperations
    servers: ServerList
    environments: EnvironmentOperations
