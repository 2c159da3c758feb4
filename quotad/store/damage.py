"""What is wrong in the store, in the log once and not once per call."""

import logging

from quotad.recent import Recent

_log = logging.getLogger("quotad.store")

REPORTED_MAX = 1000
"""Most messages that are remembered as logged."""

_reported: Recent[str, bool] = Recent(REPORTED_MAX)


def report_once(problem: str) -> None:
    """Log a problem, unless it is in the log already."""
    if _reported.get(problem):
        return
    _reported.put(problem, True)
    _log.error("%s", problem)


def report_damage(key: str, problem: str) -> None:
    """Log that a key holds something else than quotad wrote, unless it is in the log already."""
    report_once(f"the key {key} is damaged: {problem}")
