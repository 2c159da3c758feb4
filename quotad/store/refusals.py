"""From what a store answers, or how it fails to, to the errors of quotad."""

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from quotad.errors import AnswerLost, ScriptContractError, StoreError, StoreUnavailable

# Answers of a server that is there but cannot work now: out of memory, disk full, a replica
# without its primary, a script that runs too long, credentials being rotated. redis-py has classes
# for most of them, and takes the word away from the text of those.
_TRANSIENT = (
    RedisConnectionError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
_TRANSIENT_WORDS = (
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
)


# What callers are told: nothing of the store's address, nor of what it answered.
_SLOW = "the store did not answer in time"
_AWAY = "the store is not available"
_ODD = "the store answered with an error; the server's log has the details"


class WrongType(StoreError):
    """A key holds something of another type than quotad writes there."""


class ErrorReply(Exception):
    """An error that the store answered with, as it came."""

    @property
    def no_script(self) -> bool:
        """Whether it does not know the script; nothing ran."""
        return str(self).startswith("NOSCRIPT")

    @property
    def read_only(self) -> bool:
        """Whether it is a replica now, and the primary is elsewhere."""
        return str(self).startswith("READONLY")


def timed_out(address: object) -> StoreUnavailable:
    """What a command that was not answered by its deadline ends with."""
    return StoreUnavailable(f"the store at {address} did not answer in time", _SLOW)


def lost(error: OSError, address: object) -> AnswerLost:
    """What a command ends with whose connection failed after it was opened."""
    why = error.strerror or str(error) or type(error).__name__
    return AnswerLost(f"the store at {address} is not available: {why}", _AWAY)


def refused(error: ErrorReply, address: object) -> StoreError:
    """The error for an answer that is one."""
    text = str(error)
    if "QUOTAD_ARGS" in text:
        return ScriptContractError(text, _ODD)
    if text.startswith(_TRANSIENT_WORDS):
        return StoreUnavailable(f"the store at {address} is not available: {text}", _AWAY)
    return StoreError(f"the store at {address} answered: {text}", _ODD)


def translate(error: RedisError, address: object) -> StoreError:
    """The error for one of redis-py."""
    if isinstance(error, RedisTimeoutError):
        return timed_out(address)
    text = str(error)
    if isinstance(error, ResponseError) and "QUOTAD_ARGS" in text:
        return ScriptContractError(text, _ODD)
    if isinstance(error, _TRANSIENT) or text.startswith(_TRANSIENT_WORDS):
        why = text.rstrip(".")  # the message goes on where it is logged
        return StoreUnavailable(f"the store at {address} is not available: {why}", _AWAY)
    kind = WrongType if "WRONGTYPE" in text else StoreError
    return kind(f"the store at {address} answered: {text}", _ODD)
