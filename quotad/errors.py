"""The exceptions of quotad, and the gRPC status each one leaves the server with.

    QuotadError
    ├── ConfigError             a setting is wrong; the process ends with exit code 2
    ├── CatalogError            a catalog is wrong; carries every problem, not just the first
    ├── InvalidRequest          the caller sent something that can never work
    │   └── IdempotencyMismatch     a known idempotency key came with other parameters
    ├── AnswerTooLarge          an answer that does not fit into a message beside the others
    ├── Unauthenticated         a call without a token that may be used
    │   └── TooManyWrong            further ones of an address that sent many wrong ones
    ├── PermissionDenied        a token that does not give this right, or does not cover this
    ├── NotFound                the admin service was asked for something that is not there
    ├── StaleEpoch              a write expected another epoch than the customer is at
    ├── Conflict                a compare-and-set lost: another writer was first
    ├── Busy                    too much of the same is under way; trying again is right
    ├── StripeUnavailable       Stripe cannot be asked; trying again is right
    └── StoreError              the store did not do what was asked
        ├── StoreUnavailable        it refused or timed out; retrying is right
        │   ├── AnswerLost              the connection broke after the command was sent
        │   ├── ShardMoved              the shard is being moved, or has been; nothing was done
        │   ├── StoreRefused            it answers, and does not keep what is counted
        │   └── NotReady                known to be down, or no catalog yet; nothing was sent
        │       ├── BudgetSpent             the call's own time was over; nothing was sent
    │       └── Stopping                this server goes; another one takes the call
        ├── Damaged                 a key holds something else than was written there
        └── ScriptContractError     script and binding disagree; a bug, never retried

A denied decision is not an exception: it is a correct answer.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar


class Status(IntEnum):
    """The gRPC status codes in use, by number, so that inner rooms need not import grpc."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


RETRY_AFTER_MS = 250
"""After which a call is to be repeated that failed because of the store, or of too many others: as
long as a server waits for its store, unless a setting says otherwise. Sooner, it fails again and is
only more load."""


class QuotadError(Exception):
    """Base of every error that quotad raises on purpose."""

    status: ClassVar[Status] = Status.INTERNAL
    reason: ClassVar[str] = "INTERNAL"

    retry_after_ms: ClassVar[int] = 0
    """How long a caller is to wait before it repeats the call; 0: no hint is given."""

    @property
    def for_caller(self) -> str:
        """What leaves the server of the message."""
        return str(self)

    metadata: tuple[tuple[str, str], ...] = ()
    """Trailing metadata that leaves with the error, beside its reason."""


def internal_error() -> QuotadError:
    """Return what a caller sees of an unforeseen error: only that there was one."""
    return QuotadError("internal error; the server's log has the details")


class ConfigError(QuotadError):
    """A setting is wrong, or something the process needs at start is missing."""

    status = Status.INVALID_ARGUMENT
    reason = "BAD_SETTING"


class CatalogError(QuotadError):
    """A catalog that must not be published, with everything that is wrong with it."""

    status = Status.INVALID_ARGUMENT
    reason = "BAD_CATALOG"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        """One line each: file, path inside it, what is wrong and what to do instead."""
        super().__init__("\n".join(self.problems))


class InvalidRequest(QuotadError):
    """The shape of a request is wrong; the message starts with the name of the field."""

    status = Status.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"


class IdempotencyMismatch(InvalidRequest):
    """A known idempotency key came back with other parameters."""

    reason = "IDEMPOTENCY_MISMATCH"


class AnswerTooLarge(QuotadError):
    """An answer that took nothing, and does not fit into a message beside the others of a batch."""

    status = Status.RESOURCE_EXHAUSTED
    reason = "ANSWER_TOO_LARGE"


class Unauthenticated(QuotadError):
    """A call that must show a token came without one that may be used."""

    status = Status.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class TooManyWrong(Unauthenticated):
    """So many wrong tokens came from an address that the next ones are not looked at."""

    status = Status.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_WRONG_TOKENS"


class PermissionDenied(QuotadError):
    """The caller's token does not give the right to this, or does not cover whom it is about."""

    status = Status.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class NotFound(QuotadError):
    """The customer, plan or catalog version asked for does not exist."""

    status = Status.NOT_FOUND
    reason = "NOT_FOUND"


class NotOpen(QuotadError):
    """A reservation that is to be settled or extended was settled before, or has ended."""

    status = Status.FAILED_PRECONDITION
    reason = "NOT_OPEN"


class TooManyOpen(QuotadError):
    """A customer has as many reservations open as one may have."""

    status = Status.FAILED_PRECONDITION
    reason = "TOO_MANY_OPEN"


class StaleEpoch(QuotadError):
    """A customer is not at the epoch that a write expects: it was written in between."""

    status = Status.FAILED_PRECONDITION
    reason = "STALE_EPOCH"

    def __init__(self, message: str, epoch: int = 0) -> None:
        super().__init__(message)
        self.metadata = (("quotad-epoch", str(epoch)),)


class Conflict(QuotadError):
    """A compare-and-set lost against another writer; read again and decide again."""

    status = Status.ABORTED
    reason = "CONFLICT"


class Busy(QuotadError):
    """Too much of the same is under way; nothing was done, and trying again is right."""

    status = Status.UNAVAILABLE
    reason = "BUSY"
    retry_after_ms = RETRY_AFTER_MS


class StoreError(QuotadError):
    """The store did not do what was asked.

    Args:
        message: for the log and for operators, with the store's address and answer.
        for_caller: what leaves the server instead; empty: the message is fit for callers.
    """

    reason = "STORE"

    def __init__(self, message: str, for_caller: str = "") -> None:
        super().__init__(message)
        self._for_caller = for_caller

    @property
    def for_caller(self) -> str:
        """What leaves the server of the message."""
        return self._for_caller or str(self)


class RecordLost(StoreError):
    """A record of a catalog version is missing or damaged; publishing mends that of the one in
    force."""

    status = Status.UNAVAILABLE
    reason = "RECORD_LOST"


class StripeUnavailable(QuotadError):
    """Stripe cannot be asked, or refuses the key; nothing was done, and trying again is right."""

    status = Status.UNAVAILABLE
    reason = "STRIPE_UNAVAILABLE"


class StoreUnavailable(StoreError):
    """The store refused or timed out; retry with the same idempotency key."""

    status = Status.UNAVAILABLE
    reason = "STORE_UNAVAILABLE"
    retry_after_ms = RETRY_AFTER_MS

    partial = False
    """Whether it is about one server of a store that has several."""

    unsent = False
    """Whether it cannot have run: nothing was sent, or a server has answered that it has not."""


class AnswerLost(StoreUnavailable):
    """The connection broke after the command was sent: it may have run, or may run later."""


class NotReady(StoreUnavailable):
    """The store is known to be down, or no catalog was published; nothing was sent to it."""

    reason = "NOT_READY"


class ShardMoved(StoreUnavailable):
    """The customer's shard is being moved, or has been since the keys were spelled; what was asked
    has not run."""

    partial = True


class StoreRefused(StoreUnavailable):
    """The store answers, and does not keep what is counted; it is not used as it is set up."""


class BudgetSpent(NotReady):
    """A batch's time for the store was over before it was asked; the store itself may be well."""

    reason = "BUDGET_SPENT"


TOO_LONG = BudgetSpent("the store of this customer is slow, and others wait for it; try again")
"""What a call is answered that has waited for a slow server of a cluster, and was not sent."""


class Stopping(NotReady):
    """This server goes; another one takes the call, and need not be waited for."""

    retry_after_ms = 0


def is_unsent(error: QuotadError) -> bool:
    """Whether a call has failed without having run, because the store was not there.

    One whose own time was over, while the store may be well, is none of these.
    """
    known_down = isinstance(error, NotReady) and not isinstance(error, BudgetSpent)
    return known_down or (isinstance(error, StoreUnavailable) and error.unsent)


class Damaged(StoreError):
    """A key of the store holds something else than quotad wrote; the server's log names it."""

    reason = "DAMAGED"


class ScriptContractError(StoreError):
    """A script refused its arguments or answered in another shape: script and binding differ."""

    reason = "SCRIPT_CONTRACT"
