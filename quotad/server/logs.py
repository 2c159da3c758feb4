"""Log lines of a process: to stderr, one line each, UTC."""

import logging
import time


def setup_logging(level: str) -> None:
    """Show log lines from `level` (a name, as `info`) on."""
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
