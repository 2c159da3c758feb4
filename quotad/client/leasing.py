"""The calls about leases of both clients."""

from quotad.client import leases
from quotad.client.calls import Consumption
from quotad.client.leases import LeaseTerm
from quotad.client.running import AsyncRuns, Runs


class Leasing(Runs):
    """Acquires, renews and releases, for threads; `LeasedClient` does it by itself."""

    def acquire_lease(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int,
        *,
        lease_id: str | None = None,
        ttl: float | None = None,
        resource_id: str = "",
    ) -> LeaseTerm:
        """Lend up to a quantity of a hard limit, to spend it without asking.

        Args:
            customer_id: the customer that will use the feature.
            feature_id: what will be used.
            quantity: how much is wanted; less is lent when little remains.
            lease_id: the caller's own, which makes a repeat of this call safe; None: one is made.
            ttl: longest term in seconds; None: as long as the server lends.
            resource_id: what of the customer's it is for; empty: the customer itself.

        Raises:
            QuotaError: the feature cannot be leased, or no server could lend it.
        """
        consumption = Consumption(customer_id, feature_id, quantity, resource_id=resource_id)
        return self._run(leases.acquire(self._policy, consumption, lease_id, ttl))

    def renew_lease(
        self,
        customer_id: str,
        lease_id: str,
        *,
        sequence: int,
        spent: int,
        quantity: int,
        ttl: float | None = None,
    ) -> LeaseTerm:
        """Report what was spent, and keep, return or refill what is lent, for a new term.

        Args:
            customer_id: whose it is.
            lease_id: which.
            sequence: 1, 2 and so on; the same one repeats a call.
            spent: in all, since the lease was acquired.
            quantity: what may be spent from now on. Less than what is left returns the rest, which
                must not be spent any more from before the call on.
            ttl: as of `acquire_lease`.

        Raises:
            QuotaError: it has ended, is unknown, or no server could do it.
        """
        numbers = (sequence, spent, quantity)
        return self._run(leases.renew(self._policy, customer_id, lease_id, numbers, ttl))

    def release_lease(self, customer_id: str, lease_id: str, *, spent: int) -> int:
        """Return what was not spent; returns how much that was.

        Raises:
            QuotaError: as `renew_lease`.
        """
        return self._run(leases.release(self._policy, customer_id, lease_id, spent))


class AsyncLeasing(AsyncRuns):
    """The same for asyncio."""

    async def acquire_lease(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int,
        *,
        lease_id: str | None = None,
        ttl: float | None = None,
        resource_id: str = "",
    ) -> LeaseTerm:
        """Lend up to a quantity of a hard limit, to spend it without asking.

        Args:
            customer_id: the customer that will use the feature.
            feature_id: what will be used.
            quantity: how much is wanted; less is lent when little remains.
            lease_id: the caller's own, which makes a repeat of this call safe; None: one is made.
            ttl: longest term in seconds; None: as long as the server lends.
            resource_id: what of the customer's it is for; empty: the customer itself.

        Raises:
            QuotaError: the feature cannot be leased, or no server could lend it.
        """
        consumption = Consumption(customer_id, feature_id, quantity, resource_id=resource_id)
        return await self._run(leases.acquire(self._policy, consumption, lease_id, ttl))

    async def renew_lease(
        self,
        customer_id: str,
        lease_id: str,
        *,
        sequence: int,
        spent: int,
        quantity: int,
        ttl: float | None = None,
    ) -> LeaseTerm:
        """Report what was spent, and keep, return or refill what is lent, for a new term.

        Args:
            customer_id: whose it is.
            lease_id: which.
            sequence: 1, 2 and so on; the same one repeats a call.
            spent: in all, since the lease was acquired.
            quantity: what may be spent from now on. Less than what is left returns the rest, which
                must not be spent any more from before the call on.
            ttl: as of `acquire_lease`.

        Raises:
            QuotaError: it has ended, is unknown, or no server could do it.
        """
        numbers = (sequence, spent, quantity)
        return await self._run(leases.renew(self._policy, customer_id, lease_id, numbers, ttl))

    async def release_lease(self, customer_id: str, lease_id: str, *, spent: int) -> int:
        """Return what was not spent; returns how much that was.

        Raises:
            QuotaError: as `renew_lease`.
        """
        return await self._run(leases.release(self._policy, customer_id, lease_id, spent))
