"""The calls about reservations of both clients."""

from datetime import datetime

from quotad.client import reservations
from quotad.client.calls import Consumption, Items
from quotad.client.reservations import JointReservation, Reservation
from quotad.client.results import Decision, ItemsDecision
from quotad.client.running import AsyncRuns, Runs


class Reserving(Runs):
    """Reserves and settles, for threads."""

    def reserve(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        reservation_id: str | None = None,
        ttl: float = 60.0,
        resource_id: str = "",
    ) -> Reservation:
        """Take a quantity before the work, to settle it by what the work has really used.

        Args:
            customer_id: the customer that will use the feature.
            feature_id: what will be used.
            quantity: the most that may be used.
            reservation_id: the caller's own, which makes a repeat of this call safe; None: one is
                made.
            ttl: seconds until it is given back, 1 to 86,400.
            resource_id: what of the customer's it is for; empty: the customer itself.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        consumption = Consumption(customer_id, feature_id, quantity, resource_id=resource_id)
        return self._run(reservations.reserve(self._policy, consumption, reservation_id, ttl))

    def reserve_all(
        self,
        customer_id: str,
        items: Items,
        *,
        reservation_id: str | None = None,
        ttl: float = 60.0,
    ) -> JointReservation:
        """Take quantities of several features before the work, all of it or nothing.

        Args:
            customer_id: the customer that will use the features.
            items: the most that may be used of each, by feature id, or `Item`s; at most 16.
            reservation_id: as of `reserve`.
            ttl: as of `reserve`.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        steps = reservations.reserve_all(self._policy, customer_id, items, reservation_id, ttl)
        return self._run(steps)

    def commit(
        self,
        customer_id: str,
        reservation_id: str,
        quantity: int | None = None,
        *,
        allow_overrun: bool = False,
    ) -> Decision:
        """Settle a reservation by what was used; `granted` is the difference to what was held.

        Args:
            customer_id: whose it is.
            reservation_id: which.
            quantity: what was used; None: all that is held.
            allow_overrun: count more than is held past every limit; else more is denied when there
                is no room, and the reservation stays open.

        Raises:
            QuotaError: it was settled otherwise, has ended, is unknown, or no server could do it.
        """
        return self._run(
            reservations.commit(self._policy, customer_id, reservation_id, quantity, allow_overrun)
        )

    def commit_all(
        self,
        customer_id: str,
        reservation_id: str,
        used: Items | None = None,
        *,
        allow_overrun: bool = False,
    ) -> ItemsDecision:
        """Settle a reservation of several features by what was used of each.

        Args:
            customer_id: whose it is.
            reservation_id: which.
            used: quantities by feature id, or `Item`s; of those that are left out, all that is
                held.
            allow_overrun: as of `commit`.

        Raises:
            QuotaError: as `commit`.
        """
        steps = reservations.commit_all(
            self._policy, customer_id, reservation_id, used, allow_overrun
        )
        return self._run(steps)

    def release(self, customer_id: str, reservation_id: str) -> Decision:
        """Settle a reservation by nothing: all of it comes back.

        Raises:
            QuotaError: as `commit`.
        """
        return self._run(reservations.release(self._policy, customer_id, reservation_id))

    def release_all(self, customer_id: str, reservation_id: str) -> ItemsDecision:
        """Settle as `release`; the answer has each of several features.

        Raises:
            QuotaError: as `commit`.
        """
        return self._run(reservations.release_all(self._policy, customer_id, reservation_id))

    def extend(self, customer_id: str, reservation_id: str, ttl: float = 60.0) -> datetime | None:
        """Let an open reservation end a number of seconds from now; returns when.

        Raises:
            QuotaError: as `commit`.
        """
        return self._run(reservations.extend(self._policy, customer_id, reservation_id, ttl))


class AsyncReserving(AsyncRuns):
    """The same for asyncio."""

    async def reserve(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        reservation_id: str | None = None,
        ttl: float = 60.0,
        resource_id: str = "",
    ) -> Reservation:
        """Take a quantity before the work, to settle it by what the work has really used.

        Args:
            customer_id: the customer that will use the feature.
            feature_id: what will be used.
            quantity: the most that may be used.
            reservation_id: the caller's own, which makes a repeat of this call safe; None: one is
                made.
            ttl: seconds until it is given back, 1 to 86,400.
            resource_id: what of the customer's it is for; empty: the customer itself.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        consumption = Consumption(customer_id, feature_id, quantity, resource_id=resource_id)
        return await self._run(reservations.reserve(self._policy, consumption, reservation_id, ttl))

    async def reserve_all(
        self,
        customer_id: str,
        items: Items,
        *,
        reservation_id: str | None = None,
        ttl: float = 60.0,
    ) -> JointReservation:
        """Take quantities of several features before the work, all of it or nothing.

        Args:
            customer_id: the customer that will use the features.
            items: the most that may be used of each, by feature id, or `Item`s; at most 16.
            reservation_id: as of `reserve`.
            ttl: as of `reserve`.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        steps = reservations.reserve_all(self._policy, customer_id, items, reservation_id, ttl)
        return await self._run(steps)

    async def commit(
        self,
        customer_id: str,
        reservation_id: str,
        quantity: int | None = None,
        *,
        allow_overrun: bool = False,
    ) -> Decision:
        """Settle a reservation by what was used; `granted` is the difference to what was held.

        Args:
            customer_id: whose it is.
            reservation_id: which.
            quantity: what was used; None: all that is held.
            allow_overrun: count more than is held past every limit; else more is denied when there
                is no room, and the reservation stays open.

        Raises:
            QuotaError: it was settled otherwise, has ended, is unknown, or no server could do it.
        """
        return await self._run(
            reservations.commit(self._policy, customer_id, reservation_id, quantity, allow_overrun)
        )

    async def commit_all(
        self,
        customer_id: str,
        reservation_id: str,
        used: Items | None = None,
        *,
        allow_overrun: bool = False,
    ) -> ItemsDecision:
        """Settle a reservation of several features by what was used of each.

        Args:
            customer_id: whose it is.
            reservation_id: which.
            used: quantities by feature id, or `Item`s; of those that are left out, all that is
                held.
            allow_overrun: as of `commit`.

        Raises:
            QuotaError: as `commit`.
        """
        steps = reservations.commit_all(
            self._policy, customer_id, reservation_id, used, allow_overrun
        )
        return await self._run(steps)

    async def release(self, customer_id: str, reservation_id: str) -> Decision:
        """Settle a reservation by nothing: all of it comes back.

        Raises:
            QuotaError: as `commit`.
        """
        return await self._run(reservations.release(self._policy, customer_id, reservation_id))

    async def release_all(self, customer_id: str, reservation_id: str) -> ItemsDecision:
        """Settle as `release`; the answer has each of several features.

        Raises:
            QuotaError: as `commit`.
        """
        return await self._run(reservations.release_all(self._policy, customer_id, reservation_id))

    async def extend(
        self, customer_id: str, reservation_id: str, ttl: float = 60.0
    ) -> datetime | None:
        """Let an open reservation end a number of seconds from now; returns when.

        Raises:
            QuotaError: as `commit`.
        """
        return await self._run(reservations.extend(self._policy, customer_id, reservation_id, ttl))
