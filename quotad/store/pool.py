"""Connections of redis-py that keep to one deadline per command, and a bounded pool of them."""

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, ResponseError
from redis.retry import Retry

from quotad.store.sockets import DeadlineSocket, Endpoint

POOLED_MAX = 20
"""Most connections of everything that is not hot. More than there are threads that use them (eight
for admin calls, one for notices, those that watch the store), so that none of them waits; who comes
when all are in use waits for one."""

PROTOCOL = 2
"""Version of RESP."""

_EXTRA_S = 1 / 1_000_000
"""More time for each byte of a command or its answer, so that a catalog of megabytes also travels
over a slow network: at least 1 MB/s is asked for."""


class _Credentials(CredentialProvider):
    """Hands out user and password; shows neither."""

    def __init__(self, user: str, password: str) -> None:
        self._pair = (user, password) if user else (password,)

    def get_credentials(self) -> Any:
        return self._pair


def _why_refused(text: str) -> str:
    # The text itself is not passed on: a server that knows no AUTH repeats the password in it.
    for known in ("Authentication required", "invalid username-password pair"):
        if known in text:
            return f"{known} (redis_url)"
    return "it refused user, password or database number of redis_url"


class StoreConnection(AbstractConnection):
    """A connection whose opening and whose commands end by one deadline each.

    Args:
        endpoint: of the store.
        timeout_s: longest time to open it, and longest time of a command.
        more: what a pool adds.
    """

    host: str = ""
    """What redis-py names in its own messages."""

    def __init__(self, endpoint: Endpoint, timeout_s: float, **more: Any) -> None:
        address = endpoint.address
        self.host = address.host or address.path
        self.port = address.port
        user, password = address.credentials()
        super().__init__(
            db=address.database,
            credential_provider=_Credentials(user, password) if user or password else None,
            client_name=address.client_name,
            protocol=PROTOCOL,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            **{name: value for name, value in more.items() if name != "protocol"},
        )
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._opening_until: float | None = None
        """While it is opened: the deadline of all of that."""

    def open_by(self, deadline: float) -> DeadlineSocket:
        """Connect and sign in.

        Args:
            deadline: monotonic seconds.

        Raises:
            RedisError: the store refused, or the deadline has passed.
        """
        self._opening_until = deadline
        try:
            super().connect_check_health(check_health=False)
        finally:
            self._opening_until = None
        opened: Any = self._sock
        return opened  # type: ignore[no-any-return]

    def connect_check_health(
        self, check_health: bool = True, retry_socket_connect: bool = True
    ) -> None:
        """As redis-py's, by one deadline."""
        if self._sock is None:
            self.open_by(time.monotonic() + self._timeout_s)

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """As redis-py's; an error that comes with the credentials in it is not repeated."""
        try:
            super().on_connect_check_health(check_health=check_health)
        except (AuthenticationError, ResponseError) as error:
            raise AuthenticationError(_why_refused(str(error))) from None

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """As redis-py's; the time of the command starts."""
        self.connect_check_health(check_health=False)
        if self._opening_until is None:
            self._start()
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def can_read(self, timeout: float = 0) -> bool:
        """As redis-py's; a message that has begun to arrive must be there in time."""
        ready = bool(super().can_read(timeout))
        if ready:
            self._start()
        return ready

    def _start(self) -> None:
        opened: Any = self._sock
        if opened is not None:
            opened.begin(time.monotonic() + self._timeout_s, _EXTRA_S)

    def repr_pieces(self) -> list[tuple[str, Any]]:
        """What it shows of itself."""
        return [("address", self._endpoint.address)]

    def _connect(self) -> DeadlineSocket:
        assert self._opening_until is not None  # opened by `open_by` alone
        return self._endpoint.open(self._opening_until)

    def _host_error(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


def make_pool(endpoint: Endpoint, timeout_s: float) -> redis.BlockingConnectionPool:
    """A pool that opens connections when they are needed, keeps them, and is never exceeded."""
    return redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]
        max_connections=POOLED_MAX,
        timeout=timeout_s,
        connection_class=StoreConnection,
        endpoint=endpoint,
        timeout_s=timeout_s,
        protocol=PROTOCOL,  # what the client reads answers by
    )
