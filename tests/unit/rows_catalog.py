"""A catalog with one of everything that a customer's row can name."""

from quotad.catalog import Snapshot, Source, compile_snapshot, parse

PLANS = """
version: 1
default_plan: free
features:
  api-calls:  {type: metered, unit: call}
  image:      {type: metered, credit: {pool: ai-credits, cost: 2.5}}
  ai-credits: {type: metered, decimals: 2}
  seats:      {type: metered, kind: gauge}
  csv-export: {type: boolean}
  upload-mb:  {type: config}
  support:    {type: config, values: [community, email, phone]}
plans:
  free:
    entitlements:
      api-calls:  {limit: 1000, per: month}
      seats:      {limit: 3}
      upload-mb:  10
      support:    community
  pro:
    extends: free
    entitlements:
      api-calls:  {limit: 50000, per: month, anchor: subscription}
      ai-credits: {limit: 100, per: month}
      image:      true
  fresh:
    extends: pro
    usage_on_change: reset
    entitlements: {}
  old:
    archived: true
    entitlements:
      api-calls:  {limit: 10, per: day}
addons:
  more-calls:
    entitlements: {api-calls: {add: 10000}}
    plans: [pro]
    max_quantity: 5
  more-seats:
    entitlements: {seats: {add: 1}}
"""


def snapshot() -> Snapshot:
    """The catalog, compiled."""
    return compile_snapshot(parse([Source("plans.yaml", PLANS)]), version=1)
