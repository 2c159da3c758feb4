"""The admin service from an event loop, as far as web backends need it: tokens, history,
usage, webhooks."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from quotad.client import auditing, customers, ledger, tokens, webhooks
from quotad.client.auditing import UsageAuditPage
from quotad.client.calls import Policy
from quotad.client.customers import CustomerEdit, CustomerRollback
from quotad.client.ledger import LedgerPage
from quotad.client.tokens import MadeToken, Token
from quotad.client.usage_aio import AsyncUsageClient
from quotad.client.webhooks import MadeWebhook, Webhook, WebhookTry


class AsyncAdminClient(AsyncUsageClient):
    """`AdminClient` for asyncio, as far as it goes; made as `AsyncUsageClient`.

    Every method raises a QuotaError when its call fails; reads are retried, writes are not.
    """

    @property
    def _write(self) -> Policy:
        return msgspec.structs.replace(self._policy, retries=0)

    async def changes(self, customer_id: str, limit: int = 50) -> tuple[CustomerEdit, ...]:
        """The latest writes of a customer, the newest first; as of `AdminClient`."""
        return await self._run(customers.changes(self._policy, customer_id, limit))

    async def rollback_customer(
        self,
        customer_id: str,
        epoch: int,
        *,
        if_epoch: int | None = None,
        comment: str = "",
        dry_run: bool = False,
    ) -> CustomerRollback:
        """Make a customer what it was before one of its latest writes; as of `AdminClient`."""
        return await self._run(
            customers.roll_back(self._write, customer_id, epoch, if_epoch, comment, dry_run)
        )

    async def ledger_page(
        self,
        customer_id: str = "",
        *,
        feature_id: str = "",
        reason: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        position: str = "",
        size: int = 50,
        newest_first: bool = False,
        from_now: bool = False,
        denied_only: bool = False,
        verb: str = "",
        with_changes: bool = False,
    ) -> LedgerPage:
        """A page of what was counted of ledgered features; as of `AdminClient`."""
        wanted = {
            "customer_id": customer_id,
            "feature_id": feature_id,
            "reason": reason,
            "since": since,
            "until": until,
            "position": position,
            "size": size,
            "newest_first": newest_first,
            "from_now": from_now,
            "denied_only": denied_only,
            "verb": verb,
            "with_changes": with_changes,
        }
        return await self._run(ledger.page(self._policy, wanted))

    async def audit_usage(
        self,
        customer_id: str = "",
        *,
        feature_id: str = "",
        token: str = "",
        since: datetime | None = None,
    ) -> UsageAuditPage:
        """Compare counters with the ledger; as of `AdminClient`."""
        return await self._run(
            auditing.audit(self._policy, (customer_id, feature_id, token, since))
        )

    async def rebuild_usage(
        self,
        customer_id: str = "",
        *,
        feature_id: str = "",
        token: str = "",
        since: datetime | None = None,
        apply: bool = False,
        reason: str = "",
        actor: str = "",
    ) -> UsageAuditPage:
        """Bring counters that differ back to the ledger; as of `AdminClient`."""
        wanted = (customer_id, feature_id, token, since)
        return await self._run(auditing.rebuild(self._write, wanted, apply, (reason, actor)))

    async def create_token(
        self,
        name: str,
        role: str,
        *,
        customers: Sequence[str] = (),
        features: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> MadeToken:
        """Make a token; as of `AdminClient`."""
        return await self._run(
            tokens.create(self._write, name, role, customers, features, expires_at)
        )

    async def tokens(self) -> tuple[Token, ...]:
        """Every token, the oldest first, also those that have ended."""
        return await self._run(tokens.find(self._policy))

    async def rotate_token(
        self, token_id: str, *, keep: timedelta = timedelta(days=1)
    ) -> MadeToken:
        """Make a token with name, role and scopes of another; as of `AdminClient`."""
        return await self._run(tokens.rotate(self._write, token_id, tokens.kept_ms(keep)))

    async def revoke_token(self, token_id: str) -> Token:
        """End a token; every server refuses it within 2 seconds."""
        return await self._run(tokens.revoke(self._write, token_id))

    async def add_webhook(
        self, url: str, *, events: Sequence[str] = (), description: str = ""
    ) -> MadeWebhook:
        """Have events sent to a URL; as of `AdminClient`."""
        return await self._run(webhooks.add(self._write, url, events, description))

    async def webhooks(self) -> tuple[Webhook, ...]:
        """Where events are sent, the oldest first."""
        return await self._run(webhooks.find(self._policy))

    async def rotate_webhook(
        self, webhook_id: str, *, keep: timedelta = timedelta(days=1)
    ) -> MadeWebhook:
        """Make another secret; as of `AdminClient`."""
        return await self._run(webhooks.rotate(self._write, webhook_id, keep))

    async def remove_webhook(self, webhook_id: str) -> Webhook:
        """End a webhook; what was not sent yet is not sent any more."""
        return await self._run(webhooks.remove(self._write, webhook_id))

    async def test_webhook(self, webhook_id: str) -> WebhookTry:
        """Send an event of the type `webhook.test` once, and return what became of it."""
        return await self._run(webhooks.test(self._write, webhook_id))

    async def webhook_attempts(self, webhook_id: str, limit: int = 50) -> tuple[WebhookTry, ...]:
        """The latest attempts to send events to one; as of `AdminClient`."""
        return await self._run(webhooks.attempts(self._policy, webhook_id, limit))

    async def replay_webhook(self, webhook_id: str, since: datetime) -> Webhook:
        """Have events sent again, under their ids; as of `AdminClient`."""
        return await self._run(webhooks.replay(self._write, webhook_id, since))
