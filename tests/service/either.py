"""Either of the two clients: what a test says holds for both."""

import asyncio
from typing import Any

from quotad.client import AsyncClient, Client


class Either:
    """One of the two clients behind the same awaitable calls."""

    def __init__(self, kind: type[Client] | type[AsyncClient], address: str) -> None:
        self._kind = kind
        self._address = address
        self._made: list[Client | AsyncClient] = []

    def new(self, **settings: Any) -> "Either":
        """Make a client with these settings and use it from here on."""
        settings = {"timeout": 10.0, **settings}
        self._made.append(self._kind(settings.pop("address", self._address), **settings))
        return self

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if not self._made:
            self.new()
        client = self._made[-1]
        bound = getattr(client, method)
        if isinstance(client, AsyncClient):
            return await bound(*args, **kwargs)
        return await asyncio.to_thread(bound, *args, **kwargs)

    async def close(self) -> None:
        for client in self._made:
            if isinstance(client, AsyncClient):
                await client.close()
            else:
                client.close()
