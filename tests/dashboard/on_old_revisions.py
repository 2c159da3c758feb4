"""Customers on an earlier revision of their plan."""

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.records import CustomerRecord
from tests.dashboard.serving import DashboardRunning
from tests.running import eventually

STRANGE = " <script>alert('x')</script>/% é"
OLD = ("acme", "globex", "initech", STRANGE)


def provision_team(served: DashboardRunning, start: str, catalog: str) -> str:
    """Make four customers on the revision of pro before the latest, one on the latest, and two
    that are not on pro; returns what their ids start with."""
    customers = served.parts.customers
    for each in OLD:
        wanted = Provision("pro", profile=Profile(f"{each.title()} Inc."))
        customers.provision(start + each, wanted)
    customers.provision(start + "gone", Provision("pro"))
    customers.archive(start + "gone")
    snapshots = served.parts.worker.snapshots
    latest = snapshots.newest().plans["pro"].revision + 1
    limit = f"{{limit: {1000 + latest}, per: month}}"
    served.grpc.publish(catalog.replace("{limit: 1000, per: month}", limit), apply_to=2)
    eventually(lambda: snapshots.newest().plans["pro"].revision == latest, bool)
    customers.provision(start + "new", Provision("pro"))
    customers.provision(start + "small", Provision("free"))
    return start


def record(served: DashboardRunning, customer_id: str) -> CustomerRecord:
    found = served.parts.customers.get(customer_id).record
    assert found is not None
    return found


def moved(served: DashboardRunning, team: str) -> list[bool]:
    """Which of the customers that were on an earlier revision are on the latest."""
    latest = served.parts.worker.snapshots.newest().plans["pro"].revision
    return [record(served, team + each).subscriptions[0].revision == latest for each in OLD]
