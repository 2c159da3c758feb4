"""The catalog of the state machine, and what its model needs to know of it."""

CATALOG = """
version: 1
default_plan: free
features:
  tokens: {type: metered}
  several: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  mails: {type: metered}
  seats: {type: metered, kind: gauge}
  jobs: {type: metered, kind: concurrency}
plans:
  free:
    entitlements:
      tokens: {limit: 500, per: month}
      several: {limits: [{limit: 300, per: month}, {limit: 500, per: year}]}
      images: unlimited
      budget: {limit: 900, per: month}
      mails: {limit: 100, per: month, soft: true}
      seats: {limit: 40}
      jobs: {limit: 3}
  pro:
    extends: free
    entitlements:
      tokens: {limit: 800, per: month}
      several: {limits: [{limit: 500, per: month}, {limit: 700, per: year}]}
      budget: {limit: 1500, per: month}
      seats: {limit: 60}
      jobs: {limit: 5}
"""
UNCAPPED = 9 * 10**15

CAPS = {
    "free": {
        "tokens": (500,),
        "several": (300, 500),
        "images": (UNCAPPED, 900),
        "mails": (UNCAPPED,),
        "seats": (40,),
        "jobs": (3,),
    },
    "pro": {
        "tokens": (800,),
        "several": (500, 700),
        "images": (UNCAPPED, 1500),
        "mails": (UNCAPPED,),
        "seats": (60,),
        "jobs": (5,),
    },
}
"""By plan and feature: what each of its counters never passes by what is asked for."""

LIMITS = {plan: {**caps, "mails": (100,)} for plan, caps in CAPS.items()}
"""The same, of limits that may be passed, too."""

WEIGHTS = {"tokens": (1,), "several": (1, 1), "images": (1, 3), "mails": (1,), "seats": (1,)}
"""By feature: what one unit takes of each of its counters."""

COUNTED = tuple(WEIGHTS)
LENDABLE = ("tokens", "several")
PER = {"tokens": ("month",), "several": ("month", "year"), "mails": ("month",), "seats": ("",)}
"""By feature: windows in which denied demand is compared; that of pools is under their name."""
