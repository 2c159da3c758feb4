"""A catalog with every kind of feature, to put plans on."""

import json
import textwrap

from quotad.catalog import Catalog, Snapshot, Source, compile_snapshot, parse
from quotad.model import Entitlement

FEATURES = """
version: 1
features:
  calls: {type: metered}
  credits: {type: metered, decimals: 2}
  image: {type: metered, credit: {pool: credits, cost: 2.5}}
  video: {type: metered, credit: {pool: credits, cost: "40"}}
  seats: {type: metered, kind: gauge}
  export: {type: boolean}
  size: {type: config}
  support: {type: config, values: [community, email, phone]}
"""


def catalog(text: str) -> Catalog:
    """Parse plans and what else stands beside the features."""
    return parse([Source("features.yaml", FEATURES), Source("a.yaml", textwrap.dedent(text))])


def compiled(text: str) -> Snapshot:
    """Compile a catalog; what is read back from its document must compile to the same."""
    written = catalog(text)
    snapshot = compile_snapshot(written, 7)
    again = Catalog.from_document(written.document)

    assert written.document == Catalog(again.definitions).document
    assert snapshot == compile_snapshot(again, 7)
    return snapshot


def entitlements(rights: str) -> dict[str, Entitlement]:
    """Compile a plan of these entitlements."""
    return compiled(f"plans: {{free: {{entitlements: {rights}}}}}").plans["free"].entitlements


def written(text: str, *path: str) -> object:
    """Return what stands in the canonical document."""
    found = json.loads(catalog(text).document)
    for key in path:
        found = found[key]
    return found
