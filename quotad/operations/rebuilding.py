"""Bringing counters back to the ledger, after some were lost."""

import os
from itertools import groupby

import msgspec

from quotad.catalog.windows import kept_ms
from quotad.engine.acts import NotedAct, describe_acts
from quotad.feed.usage import UsageNotes
from quotad.held import Because, Correction
from quotad.history import fit
from quotad.ledger import REBUILD, LedgerKept, Taker
from quotad.operations.usage_audit import AuditedCounter, UsageAudit, UsageAudits
from quotad.store import KeySpace, PeriodLimit, Retention
from quotad.store.charges import expires_ms
from quotad.store.rebuilding import LostUsage, RebuildScript


class UsageRebuilds(msgspec.Struct, frozen=True):
    """Brings counters back to the ledger; for all threads."""

    audits: UsageAudits
    script: RebuildScript
    retention: Retention
    """How long counters are kept."""
    kept: LedgerKept
    """How much of the ledger is."""
    keys: KeySpace
    """Of the store."""
    usage: UsageNotes
    """What watchers of usage are told by."""

    def rebuild(
        self,
        customer_id: str = "",
        feature_id: str = "",
        token: str = "",
        since_ms: int | None = None,
        apply: tuple[Because, Taker] | None = None,
    ) -> UsageAudit:
        """Bring counters that differ back to the ledger, or only find them.

        Each gets what it has less than the ledger, so that what is counted meanwhile stays
        counted. All counters of a customer are written, or none; and none of a customer to whom
        it was done since they were compared.

        Args:
            customer_id: as of `UsageAudits.audit`, and so are the next three.
            feature_id: see there.
            token: see there.
            since_ms: see there.
            apply: why, and whose doing it is, for the corrections and for the ledger; None:
                nothing is written.

        Returns:
            The audit, and which counters were rebuilt.

        Raises:
            InvalidRequest, NotFound, NotReady: as of `UsageAudits.audit`.
            StoreUnavailable: the store refused or timed out; some may be rebuilt, and are not
                again.
        """
        audit = self.audits.audit(customer_id, feature_id, token, since_ms)
        return audit if apply is None else self._apply(audit, *apply)

    def _apply(self, audit: UsageAudit, because: Because, taker: Taker) -> UsageAudit:
        version = self.audits.snapshots.newest().version
        rebuild_id = os.urandom(8).hex()
        done: set[str] = set()
        by_customer = groupby(audit.drifted, lambda each: each.name.customer_id)
        for customer_id, found in by_customer:
            counters = list(found)
            lost = [self._lost(each, because, rebuild_id) for each in counters]
            acts = [_act(each, rebuild_id, taker) for each in counters]
            noted = (*self.kept.of_shard(self.keys.shards), describe_acts(version, acts))
            if self.script.rebuild(customer_id, counters[0].rebuilds, lost, noted):
                done.add(customer_id)
                for each in counters:
                    name = each.name
                    self.usage.note(customer_id, name.feature_id, name.resource_id)
        counters = [
            msgspec.structs.replace(
                each, rebuilt=each.doubt is None and each.name.customer_id in done
            )
            for each in audit.counters
        ]
        return msgspec.structs.replace(audit, counters=counters)

    def _lost(self, counter: AuditedCounter, because: Because, rebuild_id: str) -> LostUsage:
        looked, name = counter.looked, counter.name
        limit = PeriodLimit(
            name.feature_id,
            0,
            name.period_id,
            looked.its.window,
            counter.end_ms,
            history_ms=kept_ms(counter.feature.usage_history),
        )
        correction = Correction(
            REBUILD,
            name.feature_id,
            -counter.difference,
            name.resource_id,
            because.reason,
            because.actor,
            rebuild_id,
            name.ending,
            because.made_by,
        )
        expiry_ms = expires_ms(limit, self.retention, looked.provisioned)
        closes_ms = counter.closes_ms if looked.opens else 0
        return LostUsage(name.ending, -counter.difference, expiry_ms, closes_ms, correction)


def _act(counter: AuditedCounter, rebuild_id: str, taker: Taker) -> NotedAct:
    """What the ledger has of it: nothing was consumed, so that its sums stay what they are."""
    name = counter.name
    return NotedAct(
        0,
        REBUILD,
        name.customer_id,
        name.feature_id,
        0,
        name.resource_id,
        rebuild_id,
        actor=fit(taker[0]),
        edge=taker[1],
    )
