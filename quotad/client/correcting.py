"""The calls that correct usage, of both clients."""

from datetime import datetime

from quotad.client import corrections
from quotad.client.calls import Consumption
from quotad.client.results import Decision, ItemsDecision
from quotad.client.running import AsyncRuns, Runs


class Correcting(Runs):
    """Takes back and sets usage, for threads."""

    def refund(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 0,
        *,
        taken_under: str = "",
        resource_id: str = "",
        occurred_at: datetime | None = None,
        idempotency_key: str | None = None,
        reason: str = "",
        actor: str = "",
    ) -> Decision:
        """Take back what was counted, never below zero; `granted` is what came back, negative.

        Args:
            customer_id: the customer that was charged.
            feature_id: what was charged.
            quantity: how much; with `taken_under` all that was taken.
            taken_under: the idempotency key of the call that is undone; it comes back once, to the
                periods that it was taken from.
            resource_id: what of the customer's it was for; empty: the customer itself.
            occurred_at: take it back from the periods of that moment; None: from the current ones.
            idempotency_key: of the refund itself, as of `consume`.
            reason: why; with it or an actor, the refund is kept among the customer's corrections.
            actor: whose doing it is.

        Raises:
            QuotaError: the call was wrong, or no server could take it back.
        """
        consumption = Consumption(customer_id, feature_id, quantity, idempotency_key, resource_id)
        fields = {
            "taken_under": taken_under,
            "occurred_at": occurred_at,
            "reason": reason,
            "actor": actor,
        }
        return self._run(corrections.refund(self._policy, consumption, **fields))

    def refund_all(
        self, customer_id: str, taken_under: str, *, reason: str = "", actor: str = ""
    ) -> ItemsDecision:
        """Take back all that a `consume_all` took under its key; what came back before, does not.

        Args:
            customer_id: the customer that was charged.
            taken_under: the key.
            reason: as of `refund`.
            actor: as of `refund`.

        Raises:
            QuotaError: the call was wrong, or no server could take it back.
        """
        because = {"reason": reason, "actor": actor}
        return self._run(corrections.refund_all(self._policy, customer_id, taken_under, **because))

    def set_usage(
        self,
        customer_id: str,
        feature_id: str,
        used: int,
        *,
        per: str = "",
        resource_id: str = "",
        reason: str = "",
        actor: str = "",
        idempotency_key: str | None = None,
    ) -> Decision:
        """Set what was really used of a limit in its current period; `granted` is the difference.

        Args:
            customer_id: the customer that is corrected.
            feature_id: of what.
            used: how much, without what is reserved or leased.
            per: which of several limits, by its window: `month`, `5 hours`, `lifetime`.
            resource_id: what of the customer's; empty: the customer itself.
            reason: why; kept among the customer's corrections.
            actor: whose doing it is.
            idempotency_key: as of `consume`.

        Raises:
            QuotaError: the call was wrong, or no server could set it.
        """
        steps = corrections.set_usage(
            self._policy,
            customer_id,
            feature_id,
            used,
            key=idempotency_key,
            per=per,
            resource_id=resource_id,
            reason=reason,
            actor=actor,
        )
        return self._run(steps)


class AsyncCorrecting(AsyncRuns):
    """The same for asyncio."""

    async def refund(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 0,
        *,
        taken_under: str = "",
        resource_id: str = "",
        occurred_at: datetime | None = None,
        idempotency_key: str | None = None,
        reason: str = "",
        actor: str = "",
    ) -> Decision:
        """Take back what was counted, never below zero; `granted` is what came back, negative.

        Args:
            customer_id: the customer that was charged.
            feature_id: what was charged.
            quantity: how much; with `taken_under` all that was taken.
            taken_under: the idempotency key of the call that is undone; it comes back once, to the
                periods that it was taken from.
            resource_id: what of the customer's it was for; empty: the customer itself.
            occurred_at: take it back from the periods of that moment; None: from the current ones.
            idempotency_key: of the refund itself, as of `consume`.
            reason: why; with it or an actor, the refund is kept among the customer's corrections.
            actor: whose doing it is.

        Raises:
            QuotaError: the call was wrong, or no server could take it back.
        """
        consumption = Consumption(customer_id, feature_id, quantity, idempotency_key, resource_id)
        fields = {
            "taken_under": taken_under,
            "occurred_at": occurred_at,
            "reason": reason,
            "actor": actor,
        }
        return await self._run(corrections.refund(self._policy, consumption, **fields))

    async def refund_all(
        self, customer_id: str, taken_under: str, *, reason: str = "", actor: str = ""
    ) -> ItemsDecision:
        """Take back all that a `consume_all` took under its key; what came back before, does not.

        Args:
            customer_id: the customer that was charged.
            taken_under: the key.
            reason: as of `refund`.
            actor: as of `refund`.

        Raises:
            QuotaError: the call was wrong, or no server could take it back.
        """
        because = {"reason": reason, "actor": actor}
        return await self._run(
            corrections.refund_all(self._policy, customer_id, taken_under, **because)
        )

    async def set_usage(
        self,
        customer_id: str,
        feature_id: str,
        used: int,
        *,
        per: str = "",
        resource_id: str = "",
        reason: str = "",
        actor: str = "",
        idempotency_key: str | None = None,
    ) -> Decision:
        """Set what was really used of a limit in its current period; `granted` is the difference.

        Args:
            customer_id: the customer that is corrected.
            feature_id: of what.
            used: how much, without what is reserved or leased.
            per: which of several limits, by its window: `month`, `5 hours`, `lifetime`.
            resource_id: what of the customer's; empty: the customer itself.
            reason: why; kept among the customer's corrections.
            actor: whose doing it is.
            idempotency_key: as of `consume`.

        Raises:
            QuotaError: the call was wrong, or no server could set it.
        """
        steps = corrections.set_usage(
            self._policy,
            customer_id,
            feature_id,
            used,
            key=idempotency_key,
            per=per,
            resource_id=resource_id,
            reason=reason,
            actor=actor,
        )
        return await self._run(steps)
