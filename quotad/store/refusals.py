"""From what a store answers, or how it fails to, to the errors of quotad."""

from quotad.errors import (
    AnswerLost,
    ScriptContractError,
    ShardMoved,
    StoreError,
    StoreUnavailable,
)

# Answers of a server that is there but cannot work now: out of memory, disk full, a replica
# without its primary, a script that runs too long, credentials being rotated.
_TRANSIENT_WORDS = (
    "ASK ",
    "BUSY",
    "CLUSTERDOWN",
    "ERR max number of clients reached",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
)

# What callers see: nothing of the store's address, nor of what it answered.
_SLOW = "the store did not answer in time"
_AWAY = "the store is not available"
MOVING = "the customer's shard is being moved; try again"
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
    def no_primary(self) -> bool:
        """Whether it is a replica, or has lost those that it must have: no primary any more."""
        return str(self).startswith(("READONLY", "NOREPLICAS"))

    @property
    def word(self) -> str:
        """What it begins with."""
        return str(self).partition(" ")[0]


def timed_out(address: object) -> StoreUnavailable:
    """What a command that was not answered by its deadline ends with."""
    return StoreUnavailable(f"the store at {address} did not answer in time", _SLOW)


def unavailable(why: str, address: object) -> StoreUnavailable:
    """What a command ends with that the store could not run."""
    # The message is continued where it is logged.
    return StoreUnavailable(f"the store at {address} is not available: {why.rstrip('.')}", _AWAY)


def lost(error: OSError, address: object) -> AnswerLost:
    """What a command ends with whose connection failed after it was opened."""
    why = error.strerror or str(error) or type(error).__name__
    return AnswerLost(f"the store at {address} is not available: {why}", _AWAY)


def not_signed_in(error: ErrorReply, address: object) -> StoreUnavailable:
    """What the opening of a connection ends with that the store refused."""
    text = str(error)
    if text.startswith(("ERR max number", "LOADING")):
        return unavailable(text, address)
    # No other text is passed on: a server that knows no AUTH repeats the password in it.
    for known in ("Authentication required", "invalid username-password pair"):
        if known in text:
            return unavailable(f"{known} (redis_url)", address)
    why = "it refused user, password or database number of redis_url"
    return unavailable(why, address)


def refused(error: ErrorReply, address: object) -> StoreError:
    """The error for an answer that is one."""
    text = str(error)
    if "QUOTAD_ARGS" in text:
        return ScriptContractError(text, _ODD)
    if "QUOTAD_MOVED" in text:
        return ShardMoved(MOVING)
    if text.startswith(_TRANSIENT_WORDS):
        return unavailable(text, address)
    kind = WrongType if "WRONGTYPE" in text else StoreError
    return kind(f"the store at {address} answered: {text}", _ODD)
