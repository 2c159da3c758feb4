"""One of several worker processes: `python -m quotad.server.worker PARENT_PID`.

Its settings are in the environment, put there by the parent.
"""

import logging
import signal
import sys

from quotad.config import load
from quotad.errors import ConfigError
from quotad.server.descriptors import set_limit
from quotad.server.logs import setup_logging
from quotad.server.server import Server
from quotad.server.signals import end_with_parent

EXIT_WRONG_SETTING = 2


def main(parent: int) -> int:
    """Serve until SIGTERM; Ctrl-C is the parent's, which then stops its workers in good order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)
    config = load({})
    setup_logging(config.log_level)
    set_limit(config.max_connections)
    try:
        server = Server(config, reuse_port=True)
        signal.signal(signal.SIGTERM, lambda *_: server.interrupt())
        with server:
            server.wait()
    except ConfigError as error:
        logging.getLogger("quotad.server").error("%s", error)
        return EXIT_WRONG_SETTING
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
