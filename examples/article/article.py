"""What services, sales and marketing do with Stigg, as an article shows it: here on quotad.

Needs `quotad dev`. The same in Node is article.js.
"""

import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from quotad.client.admin import AdminClient, CatalogFile
from quotad.client.entitlements import EntitlementsClient

SERVER = os.environ.get("QUOTAD_SERVER", "127.0.0.1:50051")
HTTP = os.environ.get("QUOTAD_HTTP", "http://127.0.0.1:8080")
HEADERS = {"content-type": "application/json", "x-api-key": os.environ.get("STIGG_API_KEY", "any")}

stigg = EntitlementsClient(SERVER, timeout=10)

print("1. A service checks, works and reports")

entitlement = stigg.get_metered_entitlement("customer-123", "exports")
print("exports:", entitlement.has_access, entitlement.current_usage, "of", entitlement.usage_limit)

if entitlement.has_access:
    # ... the work, and then what was used. The key makes a repeat safe.
    stigg.report_usage("customer-123", "exports", 1, idempotency_key="export-42")
    report = stigg.report_usage("customer-123", "exports", 1, idempotency_key="export-42")
    print("used:", report.current_usage)

csv = stigg.get_boolean_entitlement("customer-123", "csv-export")
print("csv-export:", csv.has_access, csv.access_denied_reason)

print("2. ACME buys 50 seats and has them at once")


def graphql(query: str) -> dict[str, Any]:
    """The data of an answer."""
    body = json.dumps({"query": query}).encode()
    with urlopen(Request(f"{HTTP}/graphql", body, HEADERS)) as response:
        data: dict[str, Any] = json.load(response)["data"]
    return data


acme = graphql("""mutation {
  provisionCustomer(input: {
    customerId: "ACME", email: "cto@acme.example",
    subscriptionParams: { planId: "team", unitQuantity: 50 }
  }) { customer { refId } subscription { status } }
}""")["provisionCustomer"]
print(acme["customer"]["refId"], acme["subscription"]["status"])

for quantity in (50, 51):
    seats = stigg.get_metered_entitlement("ACME", "seats", requested_usage=quantity)
    print(quantity, "seats:", seats.has_access)

customer = graphql("""{
  getCustomerByRefId(refId: "ACME") {
    entitlements { feature { refId displayName } hasAccess usageLimit currentUsage }
  }
}""")["getCustomerByRefId"]
for each in customer["entitlements"]:
    if each["feature"]["refId"] == "seats":
        print(each["feature"]["displayName"], each["hasAccess"], each["usageLimit"])

print("3. Marketing switches a feature on for every plan, and sees who outgrows theirs")

catalog = Path(__file__).parent.parent / "catalog"
on = "support: community\n      csv-export: true\n"
files = [
    CatalogFile(path.name, path.read_text().replace("support: community\n", on))
    for path in sorted(catalog.iterdir())
]

with AdminClient(SERVER, timeout=20) as admin:
    admin.publish(files)
    print("csv-export:", stigg.get_boolean_entitlement("customer-123", "csv-export").has_access)

    stigg.report_usage("customer-500", "exports", 15)
    while not (above := admin.insights("exports")[0].above):
        time.sleep(0.1)  # insights come a moment after the usage
    print(above[0].customer_id, "is at", above[0].percent, "%")

stigg.close()
