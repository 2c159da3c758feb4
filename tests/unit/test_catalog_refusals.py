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
        f"{API_CALLS}: 'add' is only for add-ons; here write 'limit'",
    ],
    "addon_entry": [
        "addons.a.entitlements.api-calls: 'limit' is only for plans; write 'add' "
        "for more than the plan's limit, 'set' for another",
        "addons.b.entitlements.api-calls: has both 'add' and 'set'; keep one",
        "addons.c.entitlements.api-calls: has no amount; write {add: 1000}, "
        "{set: 1000} or unlimited",
        "addons.d.entitlements.api-calls: 'soft' is only for plans; an add-on leaves it as in "
        "the plan, so leave it out",
        "addons.d.entitlements.api-calls.add: must be at least 1",
        "addons.e.entitlements.api-calls: 'rollout' is only for plans and groups; leave it out",
        "addons.f.entitlements.api-calls: is a metered feature: in an add-on "
        "write {add: 1000}, {set: 1000} or unlimited, not true",
        "addons.g.entitlements.api-calls: is a metered feature: in an add-on "
        "write {add: 1000}, {set: 1000} or unlimited, not the text 'unlimted', "
        "did you mean 'unlimited'?",
        "addons.h.entitlements.csv-export: an add-on only adds, and switches "
        "nothing off; leave the feature out",
        "addons.h.entitlements.support: 'fax' is not one of the feature's values "
        "(community, email, phone)",
        "addons.h.entitlements.seats.per: has no meaning for a gauge, which never resets",
        "addons.i.entitlements.csv-export.rollout: is only for plans and groups",
        "addons.j.entitlements.api-calls.timezone: has no meaning with 'per: lifetime'",
        "addons.k.entitlements.api-calls: 'unlimited' stands alone; write 'unlimited' or an amount",
        "addons.k.entitlements.api-calls.set: -1 is negative",
        "addons.l.entitlements.upload-mb: an add-on only adds, and an empty text "
        "is nothing; leave the feature out",
    ],
    "addon_key": [
        "addons.more: unknown key 'entitlement', did you mean 'entitlements'?",
        "addons.more.plans[0]: unknown plan 'fre', did you mean 'free'?",
        "addons.more.plans[2]: 'free' is already in the list",
        "addons.more.max_quantity: must be a whole number from 1 to 1,000,000, "
        "not 0; leave it out for any quantity",
        "addons.most.entitlements.api-cals: unknown feature, did you mean 'api-calls'?",
        "addons.most.plans: must be a list of plans, not the text 'free'; write [free]",
        "addons.most.max_quantity: must be a whole number from 1 to 1,000,000, "
        "not the text 'many'; leave it out for any quantity",
        "addons.none.plans: must be a list of plans, not an empty list",
        "addons.text: must be a mapping such as {entitlements: {api-calls: {add: 1000}}}, not 5",
    ],
    "addon_limits": [
        "addons.any.entitlements.api-calls: plan 'free' does not grant it, so "
        "there is no limit to change; grant it there, name the 'plans' that may "
        "take the add-on, or say 'per' for a limit of its own (and 3 more plans)",
        "addons.which.entitlements.api-calls: plan 'pro' has several limits of "
        "it (per: minute; per: month, anchor: subscription); name one with "
        "'per' (and another plan)",
        "addons.other.entitlements.api-calls: plan 'pro' has no limit of it with "
        "per: day; name one that it has (per: minute; per: month, anchor: "
        "subscription), or the 'plans' that may take the add-on",
        "addons.months.entitlements.api-calls: plan 'two' has several limits of it with "
        "per: month, anchor: first_use; name one that it has (per: month; "
        "per: month, anchor: subscription), or the 'plans' that may take the add-on",
    ],
    "addons": [
        "addons.more-calls.entitlements.api-calls: unknown feature",
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
        f"{API_CALLS}.anchor: must be one of calendar, subscription, first_use, not 15",
    ],
    "anchor_unknown": [
        f"{API_CALLS}.anchor: unknown anchor 'subscripton', did you mean 'subscription'?",
    ],
    "anchor_without_per": [
        f"{API_CALLS}.anchor: has no meaning without 'per'",
        f"{API_CALLS}.timezone: has no meaning without 'per'",
    ],
    "apply_to": [
        "plans.free.apply_to: unknown apply_to 'newest', did you mean 'new'?",
        "plans.pro.apply_to: must be one of all, new, not true",
    ],
    "archived": [
        "plans.pro.archived: must be true or false, not the text 'since 2025'",
        "default_plan: plan 'free' is archived, and no customer can be put on it any more",
    ],
    "billing": [
        "plans.free.billing: unknown unit 'monthly', did you mean 'month'?",
        "plans.free.usage_on_change: unknown usage_on_change 'resets', did you mean 'reset'?",
        "plans.pro.billing: must be a period such as 'month' or '5 hours', not a mapping",
        "plans.pro.usage_on_change: must be one of keep, reset, not true",
    ],
    "boolean_shape": [
        "plans.free.entitlements.csv-export: is a boolean feature: write true or false, "
        "not a mapping",
    ],
    "boolean_text": [
        "plans.free.entitlements.csv-export: is a boolean feature: write true or false, "
        "not the text 'true'",
    ],
    "concurrency": [
        "features.exports.decimals: is only for counters, and this is a concurrency limit",
        "features.exports.usage_history: is only for counters, and this is a concurrency limit",
        "features.renders.kind: unknown kind 'concurency', did you mean 'concurrency'?",
        "features.images.credit.pool: 'exports' is a concurrency limit; a pool is a "
        "metered counter",
        "plans.free.entitlements.exports.soft: is not for slots in flight, whose limit is "
        "hard; leave it out",
        "plans.free.entitlements.exports.overage_limit: is not for slots in flight, whose limit is "
        "hard; leave it out",
        "plans.free.entitlements.exports.per: has no meaning for slots in flight",
        "plans.pro.entitlements.exports.limits: has several limits; of slots in flight "
        "there is one",
        "plans.team.entitlements.exports.enforce: is not for slots in flight, whose limit is "
        "hard; leave it out",
        "addons.more.entitlements.exports.per: has no meaning for slots in flight",
    ],
    "config_boolean": [
        "plans.free.entitlements.upload-mb: must be a number or text, not true; to mean "
        "the word, quote it",
    ],
    "config_list": [
        "plans.free.entitlements.support: is empty; write false to switch the feature off",
        "plans.free.entitlements.upload-mb: must be one value: a list is for "
        "config features that have 'values', and 'upload-mb' has none",
        "plans.pro.entitlements.support[1]: 'fax' is not one of the feature's "
        "values (community, email, phone)",
        "plans.pro.entitlements.support[2]: 'email' is already in the list",
        "plans.team.entitlements.support: has no value; write {value: 10, rollout: {percent: 10}}",
    ],
    "config_mapping": [
        "plans.free.entitlements.upload-mb: is a config feature, without limits: write its value"
        " (10 or text)",
    ],
    "config_number": [
        "plans.free.entitlements.upload-mb: must be a number or text, not inf",
    ],
    "config_value": [
        "plans.free.entitlements.support: 'emial' is not one of the feature's values, "
        "did you mean 'email'?",
    ],
    "credit": [
        "features.seats.decimals: is only for counters, and this is a gauge",
        "features.wrong.type: unknown type 'bolean', did you mean 'boolean'?",
        "features.l.decimals: belongs to the pool, not to the feature that it pays for",
        "features.m.credit: is only for counters, and this is a gauge",
        "features.n.decimals: must be a whole number from 0 to 6, not 7",
        "features.s.credit: is only for metered features",
        "features.a.credit: must be a mapping such as {pool: ai-credits, cost: "
        "2}, not the text 'credits'",
        "features.b.credit: has no cost; write {pool: ai-credits, cost: 2}",
        "features.c.credit.pool: unknown feature 'credit', did you mean 'credits'?",
        "features.d.credit.pool: 'seats' is a gauge; a pool is a metered counter",
        "features.e.credit.pool: 'plain' is a boolean feature; a pool is a metered counter",
        "features.f.credit.pool: a feature cannot be its own pool",
        "features.g.credit.pool: 'f' is itself paid from a pool; name a pool that is not",
        "features.h.credit.cost: 0.125 has more than 2 decimal places; the pool "
        "'credits' may say more with 'decimals'",
        "features.i.credit.cost: must be more than 0; without 'credit' the feature costs nothing",
        "features.j.credit.cost: must be a number such as 2 or 0.5, not the text 'much'",
        "features.k.credit.cost: is a huge number",
        "features.o.credit: unknown key 'pol', did you mean 'pool'?",
        "features.q.credit.cost: is larger than what is counted exactly",
        "features.r.credit.pool: must be the name of a feature, not 5",
        "plans.free.entitlements.credits: is a metered feature: write {limit: "
        "1000, per: month}, unlimited or false, not true",
    ],
    "credit_limit": [
        "plans.free.entitlements.credits.limit: is larger than "
        "10,000,000,000,000, the most that is counted exactly with 2 decimals; "
        "for no limit use 'unlimited: true'",
        "plans.free.entitlements.image: is a metered feature: write true, "
        "{limit: 1000, per: month}, unlimited or false, not 5",
        "plans.pro.entitlements.credits.limit: must be a whole number, not 2.5",
    ],
    "usage_history": [
        "features.a.usage_history: is only for metered features",
        "features.b.usage_history: is only for counters, and this is a gauge",
        "features.c.usage_history: must be in days, weeks, months or years, such as '13 months'",
        "features.d.usage_history: must be at most 10 years, not 11 years",
        "features.e.usage_history: must be a period such as 'month' or '5 hours', not 13",
        "features.f.usage_history: unknown unit 'mnths', did you mean 'month'?",
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
    "enforce": [
        f"{API_CALLS}.limits[0].enforce: must be shadow, not 'shadwo', did you mean 'shadow'?",
        f"{API_CALLS}.limits[1].enforce: must be shadow, "
        "not true; leave it out for a limit that denies",
        f"{API_CALLS}.limits[2].enforce: a soft limit lets pass already; keep one of the two",
        f"{API_CALLS}.limits[3].enforce: has no meaning without a limit to pass",
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
        "features.tone.values[0]: must be printable text of 1 to 256 bytes, so that calls can ask "
        "for it",
        "features.tone.values[1]: must be printable text of 1 to 256 bytes, so that calls can ask "
        "for it",
    ],
    "gauge_limits": [
        "plans.free.entitlements.seats.limits: has several limits; a gauge never resets "
        "and has one",
    ],
    "gauge_window": [
        "plans.free.entitlements.seats.per: has no meaning for a gauge, which never resets",
        "plans.free.entitlements.seats.anchor: has no meaning for a gauge, which never resets",
    ],
    "groups": [
        "groups.basics: 'groups' is not for groups, which hold entitlements "
        "only; list all groups in the plan",
        "groups.basics: 'extends' is not for groups, which hold entitlements "
        "only; list all groups in the plan",
        "groups.basics.entitlements.api-cals: unknown feature, did you mean 'api-calls'?",
        "groups.more: must be a mapping such as {entitlements: {}}, not a list",
        "plans.free.groups: must be a list of groups, not the text 'basics'; write [basics]",
        "plans.pro.groups[0]: unknown group 'basic', did you mean 'basics'?",
        "plans.pro.groups[2]: 'more' is already in the list",
        "plans.team.groups[0]: must be the name of a group, not 5",
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
        f"{API_CALLS}.limit: must be a whole number, not 1e6; write 1000000",
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
    "overage_limit": [
        f"{API_CALLS}.limits[0].overage_limit: is how far a "
        "soft limit may be passed; write 'soft: true' as well",
        f"{API_CALLS}.limits[1].overage_limit: -1 is negative",
        f"{API_CALLS}.limits[2].overage_limit: has no meaning without a limit to pass",
        f"{API_CALLS}.limits[3].overage_limit: must be a whole number, not 1.5",
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
    "revision": [
        "plans.free: 'revision' is kept by the published catalog; take it out of the file",
        "plans.free: 'earlier' is kept by the published catalog; take it out of the file",
    ],
    "rollout": [
        "plans.free.entitlements.csv-export.rollout.percent: must be from 0 to 100",
        "plans.free.entitlements.csv-export.rollout.salt: must not be empty; "
        "leave it out for the usual one",
        "plans.free.entitlements.csv-export.rollout.variant: 'control' is what "
        "those outside are called; use another name",
        f"{API_CALLS}: has no limit; write 'limit: 1000' or 'unlimited: true'",
        "plans.free.entitlements.upload-mb.rollout: unknown key 'percnt', did you mean 'percent'?",
        "plans.free.entitlements.seats.rollout: must be a mapping such as {percent: 10}, not 10",
        "plans.pro.entitlements.csv-export.rollout.percent: 0.125 has more than 2 decimal places",
        "plans.pro.entitlements.csv-export: unknown key 'granted' (known: rollout, from, until)",
        "plans.pro.entitlements.api-calls.limits[0]: unknown key 'rollout' "
        "(known: limit, unlimited, soft, overage_limit, enforce, per, anchor, "
        "timezone, week_starts)",
        "plans.pro.entitlements.seats.rollout: has no percent; write 'percent: 10'",
        "plans.pro.entitlements.support.rollout.percent: must be from 0 to 100",
        "plans.team.entitlements.csv-export: is a boolean feature: write true or "
        "false, not a mapping",
        "plans.team.entitlements.upload-mb.rollout.percent: must be a number "
        "such as 2 or 0.5, not the text 'ten'",
        "plans.team.entitlements.upload-mb.rollout.salt: must be text, not 5",
    ],
    "rollout_depth": [
        "plans.p8.entitlements.upload-mb: has more than 8 rollouts or spans of "
        "time above one another, those of its groups and bases included",
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
