"""Every refusal of a catalog: one bad file each, and exactly what is said about it."""

from pathlib import Path

import pytest

from quotad.catalog import parse, read_sources
from quotad.errors import CatalogError

FOLDER = Path(__file__).parent.parent / "fixtures" / "catalogs"
API_CALLS = "plans.free.entitlements.api-calls"
SHAPES = "is a metered feature: write {limit: 1000, per: month}, unlimited or false"

REFUSALS: dict[str, list[str]] = {
    "add": [
        f"{API_CALLS}: 'add' is not supported by this version",
    ],
    "addons": [
        "'addons' is not supported by this version",
    ],
    "alias_bomb": [
        "line 6: more than 1,000,000 values, aliases written out",
    ],
    "alias_itself": [
        "line 3: the alias *all has no anchor that ends before it",
    ],
    "alias_unknown": [
        "line 3: the alias *meter has no anchor that ends before it",
    ],
    "anchor_date": [
        f"{API_CALLS}.anchor: must be calendar or subscription, not 15",
    ],
    "anchor_first_use": [
        f"{API_CALLS}.anchor: 'first_use' is not supported by this version; use calendar "
        "or subscription",
    ],
    "anchor_unknown": [
        f"{API_CALLS}.anchor: unknown anchor 'subscripton', did you mean 'subscription'?",
    ],
    "anchor_without_per": [
        f"{API_CALLS}.anchor: has no meaning without 'per'",
        f"{API_CALLS}.timezone: has no meaning without 'per'",
    ],
    "apply_to": [
        "plans.free: 'apply_to' is not supported by this version",
    ],
    "boolean_shape": [
        "plans.free.entitlements.csv-export: is a boolean feature: write true or false, "
        "not a mapping",
    ],
    "boolean_text": [
        "plans.free.entitlements.csv-export: is a boolean feature: write true or false, "
        "not the text 'true'",
    ],
    "config_boolean": [
        "plans.free.entitlements.upload-mb: must be a number or text, not true; to mean "
        "the word, quote it",
    ],
    "config_mapping": [
        "plans.free.entitlements.upload-mb: must be a number or text, not a mapping",
    ],
    "config_number": [
        "plans.free.entitlements.upload-mb: must be a number or text, not inf",
    ],
    "config_value": [
        "plans.free.entitlements.support: 'emial' is not one of the feature's values, "
        "did you mean 'email'?",
    ],
    "default_plan": [
        "default_plan: unknown plan 'fre', did you mean 'free'?",
    ],
    "default_plan_list": [
        "default_plan: must be the name of a plan, not a list",
    ],
    "documents": [
        "line 2: holds several documents (---); use several files",
    ],
    "duplicate_key": [
        f"{API_CALLS}: is defined twice, on line 11 and 13",
    ],
    "entitlements_list": [
        "plans.free.entitlements: must be a mapping such as {api-calls: unlimited}, not a list",
    ],
    "everything_at_once": [
        f"{API_CALLS}: unknown key 'sfot', did you mean 'soft'?",
        f"{API_CALLS}.per: unknown unit 'mounth', did you mean 'month'?",
        f"{API_CALLS}.limit: -1 is negative; for no limit use 'unlimited: true'",
        "plans.free.entitlements.csv-exprt: unknown feature, did you mean 'csv-export'?",
        "plans.free.entitlements.support: 'fax' is not one of the feature's values "
        "(community, email, phone)",
    ],
    "extends_cycle": [
        "plans.free.extends: plans extend in a circle: free -> team -> pro -> free",
        "plans.own.extends: plans extend in a circle: own -> own",
    ],
    "extends_unknown": [
        "plans.pro.extends: unknown plan 'fre', did you mean 'free'?",
        "plans.team.extends: must be the name of a plan, not 7",
    ],
    "feature_key": [
        "features.api-calls: unknown key 'units', did you mean 'unit'?",
    ],
    "feature_kind": [
        "features.seats.kind: unknown kind 'guage', did you mean 'gauge'?",
        "features.csv-export.kind: is only for metered features",
    ],
    "feature_text": [
        "features.api-calls: must be a mapping such as {type: metered}, not the text 'metered'",
    ],
    "feature_type": [
        "features.api-calls.type: unknown type 'meterd', did you mean 'metered'?",
        "features.seats: has no type; write 'type: metered', boolean or config",
        "features.csv-export.type: must be one of boolean, config, metered, not a list",
    ],
    "feature_unit": [
        "features.csv-export.unit: is only for metered and config features",
        "features.api-calls.unit: must be text, not 1",
    ],
    "feature_unknown": [
        "plans.free.entitlements.api-call: unknown feature, did you mean 'api-calls'?",
        "plans.free.entitlements.zzz: unknown feature",
    ],
    "feature_values": [
        "features.api-calls.values: is only for config features",
        "features.support.values: must be a list of the allowed values, not an empty list",
        "features.region.values: must be a list of the allowed values, not the text 'eu'",
        "features.level.values[1]: '1' is already values[0]",
        "features.beta.values[0]: must be a number or text, not true; to mean the word, quote it",
        "features.beta.values[1]: must be a number or text, not false; to mean the word, quote it",
    ],
    "gauge_limits": [
        "plans.free.entitlements.seats.limits: has several limits; a gauge never resets "
        "and has one",
    ],
    "gauge_window": [
        "plans.free.entitlements.seats.per: has no meaning for a gauge, which never resets",
        "plans.free.entitlements.seats.anchor: has no meaning for a gauge, which never resets",
    ],
    "id": [
        'features[""]: an id must not be empty',
        'features["a\\nb"]: an id must be printable text',
        'features["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."]: an '
        "id of 257 bytes; at most 256 bytes are allowed",
    ],
    "key_not_text": [
        "features: line 3: YAML reads the name no as true or false; write 'no'",
        "features: line 4: YAML reads the name 404 as a number; write '404'",
        "features: line 5: a name must be text, not a list",
        "features: line 7: a name must be text, not nothing",
    ],
    "limit_and_unlimited": [
        f"{API_CALLS}: has both 'limit' and 'unlimited'; keep one",
    ],
    "limit_boolean": [
        f"{API_CALLS}.limit: must be a whole number, not true",
    ],
    "limit_float": [
        f"{API_CALLS}.limit: must be a whole number, not 1000000.0; write 1000000",
    ],
    "limit_fraction": [
        f"{API_CALLS}.limit: must be a whole number, not 2.5",
    ],
    "limit_key": [
        f"{API_CALLS}: unknown key 'limt', did you mean 'limit'?",
    ],
    "limit_later": [
        f"{API_CALLS}: 'rollover' is not supported by this version",
    ],
    "limit_missing": [
        f"{API_CALLS}: has no limit; write 'limit: 1000' or 'unlimited: true'",
    ],
    "limit_negative": [
        f"{API_CALLS}.limit: -1 is negative; for no limit use 'unlimited: true'",
    ],
    "limit_nothing": [
        f"{API_CALLS}.limit: must be a whole number, not nothing; for no limit use "
        "'unlimited: true'",
    ],
    "limit_text": [
        f"{API_CALLS}.limit: must be a whole number, not the text '1000'; write 1000, "
        "without quotes",
    ],
    "limit_too_large": [
        f"{API_CALLS}.limit: is larger than 1,000,000,000,000,000, the most that is "
        "counted exactly; for no limit use 'unlimited: true'",
    ],
    "limit_unlimited": [
        f"{API_CALLS}.limit: must be a whole number, not the text 'unlimited'; for no "
        "limit use 'unlimited: true'",
    ],
    "limits_and_limit": [
        f"{API_CALLS}: has both 'limits' and 'limit'; put it into the list",
    ],
    "limits_empty": [
        f"{API_CALLS}.limits: is empty; write unlimited, or false to switch the feature off",
    ],
    "limits_many": [
        f"{API_CALLS}.limits: has 17 limits, at most 16 are allowed",
    ],
    "limits_mapping": [
        f"{API_CALLS}.limits: must be a list of {{limit: 1000, per: month}}, not a mapping",
    ],
    "limits_number": [
        f"{API_CALLS}.limits[0]: must be a mapping such as {{limit: 1000, per: month}}, not 5",
    ],
    "limits_same_window": [
        f"{API_CALLS}.limits[1]: has 'per: day' and the same anchor, as limits[0]; they "
        "would share one counter",
        f"{API_CALLS}.limits[3]: has no 'per', as limits[2]; they would share one counter",
    ],
    "merge_key": [
        "features: <<: must be a mapping, not 3",
    ],
    "metered_list": [
        f"{API_CALLS}: {SHAPES}, not a list; several windows go below 'limits:'",
    ],
    "metered_nothing": [
        f"{API_CALLS}: {SHAPES}, not nothing",
    ],
    "metered_number": [
        f"{API_CALLS}: {SHAPES}, not 1000",
    ],
    "metered_true": [
        f"{API_CALLS}: {SHAPES}, not true",
    ],
    "metered_word": [
        f"{API_CALLS}: {SHAPES}, not the text 'unlimitd', did you mean 'unlimited'?",
    ],
    "nesting": [
        "line 2: is nested too deeply",
    ],
    "not_a_mapping": [
        "must hold a mapping of names, not a list",
    ],
    "per_shape": [
        f"{API_CALLS}.limits[0].per: must be a period such as 'month' or '5 hours', not 30",
        f"{API_CALLS}.limits[1].per: must be a period such as 'month' or '5 hours', not nothing",
        f"{API_CALLS}.limits[2].per: must be a period such as 'month' or '5 hours', not "
        "the text 'every 2 days'",
        f"{API_CALLS}.limits[3].per: must be at least 1",
        f"{API_CALLS}.limits[4].per: is longer than 100 years; leave 'per' out for a lifetime",
        f"{API_CALLS}.limits[5].per: unknown unit 'months', did you mean 'month'?",
    ],
    "per_unknown": [
        f"{API_CALLS}.limits[1].per: unknown unit 'mounth', did you mean 'month'?",
        f"{API_CALLS}.limits[2].per: unknown unit 'Months', did you mean 'month'?",
        f"{API_CALLS}.limits[3].per: unknown unit 'quarter'; write '3 months'",
        f"{API_CALLS}.limits[4].per: unknown unit 'lifetime'; leave 'per' out for a lifetime",
    ],
    "plan_empty": [
        "plans.free: must be a mapping such as {entitlements: {}}, not nothing",
    ],
    "plan_key": [
        "plans.free: unknown key 'entitlement', did you mean 'entitlements'?",
    ],
    "section_list": [
        "features: must be a mapping such as {api-calls: {type: metered}}, not a list",
        "plans: must be a mapping such as {free: {entitlements: {}}}, not nothing",
    ],
    "soft_text": [
        f"{API_CALLS}.soft: must be true or false, not the text 'very'",
    ],
    "syntax": [
        "line 4, column 6: YAML syntax: while parsing a flow mapping, did not find "
        "expected ',' or '}'",
    ],
    "syntax_tab": [
        "line 3, column 1: YAML syntax: while scanning for the next token, found "
        "character that cannot start any token (indent with spaces, not tabs)",
    ],
    "tag": [
        "features.api-calls: line 3: the YAML tag !meter is not supported",
    ],
    "text_too_long": [
        "features.api-calls.name: is 257 bytes long, at most 256 are allowed",
    ],
    "timezone_unknown": [
        f"{API_CALLS}.limits[0].timezone: unknown time zone 'Europe/Berln', did you mean "
        "'Europe/Berlin'?",
        f"{API_CALLS}.limits[1].timezone: unknown time zone 'Europe', did you mean 'Europe/Rome'?",
        f"{API_CALLS}.limits[2].timezone: must be an IANA time zone such as Europe/Berlin, not 2",
        f"{API_CALLS}.limits[3].timezone: unknown time zone '../../etc/passwd'; use an "
        "IANA name such as Europe/Berlin",
    ],
    "top_key": [
        "unknown key 'feature', did you mean 'features'?",
    ],
    "unlimited_false": [
        f"{API_CALLS}.unlimited: must be true or left out, not the text 'yes'",
        "plans.free.entitlements.seats: has no limit; write 'limit: 1000' or 'unlimited: true'",
    ],
    "unlimited_soft": [
        f"{API_CALLS}.soft: has no meaning without a limit to pass",
    ],
    "version_missing": [
        "version is missing; write 'version: 1' in one file",
    ],
    "version_text": [
        "version: must be the number 1, not the text '1'",
    ],
    "version_unknown": [
        "version: unknown version 2; this server reads version 1",
    ],
    "week_starts": [
        f"{API_CALLS}.limits[0].week_starts: unknown day 'sonday', did you mean 'sunday'?",
        f"{API_CALLS}.limits[1].week_starts: must be a day such as monday, not 0",
        f"{API_CALLS}.limits[2].week_starts: is only for weeks with 'anchor: calendar'",
        f"{API_CALLS}.limits[3].week_starts: is only for weeks with 'anchor: calendar'",
    ],
}


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_a_bad_catalog_is_refused_with_everything_that_is_wrong(name: str) -> None:
    file = FOLDER / f"bad_{name}.yaml"

    with pytest.raises(CatalogError) as caught:
        parse(read_sources(file))

    assert tuple(f"{file.name}: {text}" for text in REFUSALS[name]) == caught.value.problems


def test_every_bad_file_has_its_refusal() -> None:
    assert sorted(REFUSALS) == sorted(file.stem[4:] for file in FOLDER.glob("bad_*.yaml"))
