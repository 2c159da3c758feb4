"""Reading usage from an event loop: for the page that shows customers what they have used."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from quotad.client import usage
from quotad.client.aio_connection import AsyncConnected
from quotad.client.calls import Policy
from quotad.client.customers import FeatureInsights, Usage, UsagePage
from quotad.client.usage import PAGE_MAX
from quotad.v1.admin_pb2_grpc import AdminServiceStub


class AsyncUsageClient(AsyncConnected):
    """Reads what customers have used and were denied; `AdminClient` has the same for threads.

    Args:
        address: HOST:PORT, `unix:PATH`, or several: `ipv4:IP:PORT,IP:PORT`.
        timeout: seconds that one call may take, all its tries together; a page is one call.
        retries: further tries after UNAVAILABLE.
        credentials: for TLS; without them the connection is in the clear.
        channel_options: gRPC channel arguments, on top of the client's own.
        token: as `quotad tokens create` has printed it, where the server asks for one.

    Every method raises a QuotaError when its call fails.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        timeout: float = 5.0,
        retries: int = 2,
        credentials: grpc.ChannelCredentials | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        token: str = "",
    ) -> None:
        super().__init__(AdminServiceStub, address, credentials, channel_options, token)
        self._policy = Policy(timeout_s=timeout, retries=retries)

    async def usage(
        self, customer_id: str = "", *, feature_id: str = "", month: str = ""
    ) -> AsyncIterator[Usage]:
        """What customers have used, page by page behind one iterator; as `AdminClient.usage`."""
        token = ""
        while True:
            page = await self.usage_page(
                customer_id, feature_id=feature_id, month=month, token=token, size=PAGE_MAX
            )
            for each in page.usage:
                yield each
            token = page.next_token
            if not token:
                return

    async def usage_page(
        self,
        customer_id: str = "",
        *,
        feature_id: str = "",
        month: str = "",
        token: str = "",
        size: int = 50,
    ) -> UsagePage:
        """What the customers of one page have used; as `AdminClient.usage_page`."""
        return await self._run(
            usage.page(self._policy, customer_id, feature_id, month, token, size)
        )

    async def insights(self, feature_id: str = "", size: int = 10) -> tuple[FeatureInsights, ...]:
        """The customers nearest to their limits, and those that need more; as of `AdminClient`."""
        return await self._run(usage.insights(self._policy, feature_id, size))
