"""A process that serves the dashboard:
`python -P -m quotad.server.dashboard_worker PARENT_PID PULSE VALUES`.

All else is as in `quotad.server.worker`.
"""

import sys

from quotad.server.dashboard_server import DashboardServer
from quotad.server.worker import main

if __name__ == "__main__":
    sys.exit(main(DashboardServer, *map(int, sys.argv[1:])))
