"""A process that serves HTTP: `python -P -m quotad.server.http_worker PARENT_PID PULSE VALUES`.

All else is as in `quotad.server.worker`.
"""

import sys

from quotad.server.http_server import HttpServer
from quotad.server.worker import main

if __name__ == "__main__":
    sys.exit(main(HttpServer, *map(int, sys.argv[1:])))
