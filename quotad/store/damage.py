"""What is wrong in the store, in the log once and not once per call."""

import logging

from redis import ResponseError

_log = logging.getLogger("quotad.store")

REPORTED_MAX = 1000
"""Most messages that are remembered as logged; then all are forgotten at once."""

_reported: set[str] = set()


def report_once(problem: str) -> None:
    """Log a problem, unless it is in the log already."""
    if problem in _reported:
        return
    if len(_reported) >= REPORTED_MAX:
        _reported.clear()
    _reported.add(problem)
    _log.error("%s", problem)


def report_damage(key: str, problem: str) -> None:
    """Log that a key holds something else than quotad wrote, unless it is in the log already."""
    report_once(f"the key {key} is damaged: {problem}")


def wrong_type(error: Exception) -> bool:
    """Whether a key holds something of another type than quotad has written there."""
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)
