"""The method names that people know who come from Stigg: check, work, report.

`consume` of `Client` does it in one act; these are for code that is there already.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar

import grpc

from quotad.client import entitled
from quotad.client.access import (
    AnyAccess,
    BooleanAccess,
    EnumAccess,
    MeteredAccess,
    NumericAccess,
    UsageMeasurement,
)
from quotad.client.aio_connection import AsyncConnected
from quotad.client.blocking import Connected, Connection
from quotad.client.calls import Policy, Steps
from quotad.client.customers import Customer
from quotad.client.entitled import FeatureOf
from quotad.v1.admin_pb2_grpc import AdminServiceStub
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

_Access = TypeVar("_Access", bound=BooleanAccess)
_Result = TypeVar("_Result")


class Fallbacks:
    """What checks answer when no server does, by feature; one of the call itself goes first."""

    _fallbacks: Mapping[str, bool]

    def _fallback(
        self, feature_id: str, own: _Access | None, kind: type[_Access]
    ) -> _Access | None:
        if own is None and feature_id in self._fallbacks:
            return kind(has_access=self._fallbacks[feature_id])
        return own


class EntitlementsClient(Connected, Fallbacks):
    """Checks entitlements and reports usage by the names that Stigg's users know, for threads.

    A denial is an answer. Where no server answers, a check answers with its fallback
    (`is_fallback`), and without one with a denial; what writes raises a QuotaError then, and
    everything does that can never work.

    Args:
        address: as of `Client`, and so are the others.
        timeout: seconds that one call to the server may take, all its tries together.
        retries: see there.
        credentials: see there.
        channel_options: see there.
        token: see there.
        fallbacks: whether there is access when no server answers, by feature.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        timeout: float = 1.0,
        retries: int = 2,
        credentials: grpc.ChannelCredentials | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        token: str = "",
        fallbacks: Mapping[str, bool] | None = None,
    ) -> None:
        self._policy = Policy(timeout_s=timeout, retries=retries)
        self._fallbacks = fallbacks or {}
        self._connection = Connection(
            address, _both_services, credentials, channel_options, token=token
        )

    def _run(self, steps: Steps[_Result]) -> _Result:
        return self._connection.run(steps)

    def get_boolean_entitlement(
        self,
        customer_id: str,
        feature_id: str,
        *,
        resource_id: str = "",
        fallback: BooleanAccess | None = None,
    ) -> BooleanAccess:
        """Whether a feature is on."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        default = self._fallback(feature_id, fallback, BooleanAccess)
        return self._run(entitled.boolean(self._policy, asked, default))

    def get_numeric_entitlement(
        self,
        customer_id: str,
        feature_id: str,
        *,
        resource_id: str = "",
        fallback: NumericAccess | None = None,
    ) -> NumericAccess:
        """The number that a feature is configured with."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        default = self._fallback(feature_id, fallback, NumericAccess)
        return self._run(entitled.numeric(self._policy, asked, default))

    def get_enum_entitlement(
        self,
        customer_id: str,
        feature_id: str,
        *,
        requested_values: Sequence[str] = (),
        resource_id: str = "",
        fallback: EnumAccess | None = None,
    ) -> EnumAccess:
        """The words that a feature is configured with; all that are requested must be granted."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        default = self._fallback(feature_id, fallback, EnumAccess)
        return self._run(entitled.words(self._policy, asked, requested_values, default))

    def get_metered_entitlement(
        self,
        customer_id: str,
        feature_id: str,
        *,
        requested_usage: int = 1,
        resource_id: str = "",
        fallback: MeteredAccess | None = None,
    ) -> MeteredAccess:
        """Whether there is room for what is about to be used; counts nothing."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        default = self._fallback(feature_id, fallback, MeteredAccess)
        return self._run(entitled.metered(self._policy, asked, requested_usage, default))

    def get_entitlements(self, customer_id: str, resource_id: str = "") -> tuple[AnyAccess, ...]:
        """What a customer has, feature by feature; none for one that may use nothing."""
        return self._run(entitled.every(self._policy, customer_id, resource_id))

    def report_usage(
        self,
        customer_id: str,
        feature_id: str,
        value: int,
        *,
        resource_id: str = "",
        update_behavior: str = "DELTA",
        created_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> UsageMeasurement:
        """Count what was used; never refused for a limit.

        Args:
            customer_id: the customer that has used the feature.
            feature_id: what was used.
            value: how much; below 0: given back.
            resource_id: what of the customer's it was for; empty: the customer itself.
            update_behavior: `DELTA`: so much more; `SET`: all that was used.
            created_at: when, in UTC without a zone; None: now.
            idempotency_key: makes a repeat safe for 7 days.

        Raises:
            QuotaError: nothing was counted, or no server could count it.
        """
        asked = FeatureOf(customer_id, feature_id, resource_id)
        steps = entitled.report(
            self._policy, asked, value, idempotency_key, update_behavior, occurred_at=created_at
        )
        return self._run(steps)

    def provision_customer(
        self,
        customer_id: str,
        plan_id: str | None = None,
        *,
        name: str | None = None,
        email: str | None = None,
        metadata: Mapping[str, str] | None = None,
        billing_id: str | None = None,
        unit_quantity: int | None = None,
        addons: Mapping[str, int] | None = None,
        resource_id: str = "",
        start_date: datetime | None = None,
    ) -> Customer:
        """Create a customer, and put it on a plan; one that is there is changed. Not tried again.

        Args:
            customer_id: of the customer.
            plan_id: which plan; None: the default plan, for a customer that is new.
            name: for people.
            email: of the customer.
            metadata: for callers.
            billing_id: its id at Stripe.
            unit_quantity: what is bought of the plan, such as 50 seats.
            addons: quantity by add-on.
            resource_id: what of the customer's the plan is for; empty: the customer itself.
            start_date: of the subscription, in UTC without a zone; None: now, if it is new.

        Raises:
            QuotaError: the call was wrong, or no server could do it.
        """
        steps = entitled.provision(
            self._policy,
            customer_id,
            plan_id,
            name=name,
            email=email,
            metadata=metadata,
            external_ids=None if billing_id is None else {"stripe": billing_id},
            unit_quantity=unit_quantity,
            addons=addons,
            resource_id=resource_id,
            start=start_date,
        )
        return self._run(steps)


class AsyncEntitlementsClient(AsyncConnected, Fallbacks):
    """`EntitlementsClient` for asyncio."""

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        timeout: float = 1.0,
        retries: int = 2,
        credentials: grpc.ChannelCredentials | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        token: str = "",
        fallbacks: Mapping[str, bool] | None = None,
    ) -> None:
        super().__init__(_both_services, address, credentials, channel_options, token)
        self._policy = Policy(timeout_s=timeout, retries=retries)
        self._fallbacks = fallbacks or {}

    async def get_boolean_entitlement(
        self,
        customer_id: str,
        feature_id: str,
        *,
        resource_id: str = "",
        fallback: BooleanAccess | None = None,
    ) -> BooleanAccess:
        """Whether a feature is on."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        default = self._fallback(feature_id, fallback, BooleanAccess)
        return await self._run(entitled.boolean(self._policy, asked, default))

    async def get_numeric_entitlement(
        self,
        customer_id: str,
        feature_id: str,
        *,
        resource_id: str = "",
        fallback: NumericAccess | None = None,
    ) -> NumericAccess:
        """The number that a feature is configured with."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        default = self._fallback(feature_id, fallback, NumericAccess)
        return await self._run(entitled.numeric(self._policy, asked, default))

    async def get_enum_entitlement(
        self,
        customer_id: str,
        feature_id: str,
        *,
        requested_values: Sequence[str] = (),
        resource_id: str = "",
        fallback: EnumAccess | None = None,
    ) -> EnumAccess:
        """The words that a feature is configured with; all that are requested must be granted."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        default = self._fallback(feature_id, fallback, EnumAccess)
        return await self._run(entitled.words(self._policy, asked, requested_values, default))

    async def get_metered_entitlement(
        self,
        customer_id: str,
        feature_id: str,
        *,
        requested_usage: int = 1,
        resource_id: str = "",
        fallback: MeteredAccess | None = None,
    ) -> MeteredAccess:
        """Whether there is room for what is about to be used; counts nothing."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        default = self._fallback(feature_id, fallback, MeteredAccess)
        return await self._run(entitled.metered(self._policy, asked, requested_usage, default))

    async def get_entitlements(
        self, customer_id: str, resource_id: str = ""
    ) -> tuple[AnyAccess, ...]:
        """What a customer has, feature by feature; none for one that may use nothing."""
        return await self._run(entitled.every(self._policy, customer_id, resource_id))

    async def report_usage(
        self,
        customer_id: str,
        feature_id: str,
        value: int,
        *,
        resource_id: str = "",
        update_behavior: str = "DELTA",
        created_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> UsageMeasurement:
        """Count what was used, also past a limit; as of `EntitlementsClient`."""
        asked = FeatureOf(customer_id, feature_id, resource_id)
        steps = entitled.report(
            self._policy, asked, value, idempotency_key, update_behavior, occurred_at=created_at
        )
        return await self._run(steps)

    async def provision_customer(
        self,
        customer_id: str,
        plan_id: str | None = None,
        *,
        name: str | None = None,
        email: str | None = None,
        metadata: Mapping[str, str] | None = None,
        billing_id: str | None = None,
        unit_quantity: int | None = None,
        addons: Mapping[str, int] | None = None,
        resource_id: str = "",
        start_date: datetime | None = None,
    ) -> Customer:
        """Create a customer, and put it on a plan; as of `EntitlementsClient`. Not tried again."""
        steps = entitled.provision(
            self._policy,
            customer_id,
            plan_id,
            name=name,
            email=email,
            metadata=metadata,
            external_ids=None if billing_id is None else {"stripe": billing_id},
            unit_quantity=unit_quantity,
            addons=addons,
            resource_id=resource_id,
            start=start_date,
        )
        return await self._run(steps)


def _both_services(channel: Any) -> Any:
    """The calls of both services on one channel."""
    stubs: tuple[Any, ...] = QuotaServiceStub(channel), AdminServiceStub(channel)  # type: ignore[no-untyped-call]
    return SimpleNamespace(**vars(stubs[0]), **vars(stubs[1]))
