/** Answers of `/v1` as the values of this package: what quotad leaves out has its default again. */

import type { Amounts, Decision, Entitlement, Entitlements, LimitStatus } from "./results.js";

const AMOUNTS: Amounts = {
  limit: null,
  softLimit: false,
  used: 0,
  remaining: 0,
  overage: 0,
  resetsAt: null,
  poolId: "",
  decimals: 0,
  reserved: 0,
  leased: 0,
};

const LIMIT: LimitStatus = { ...AMOUNTS, per: "", shadow: false, overageLimit: null, mark: 0 };

const ENTITLEMENT: Omit<Entitlement, "featureId" | "allowed" | "reason"> = {
  ...AMOUNTS,
  featureType: "UNSPECIFIED",
  name: "",
  gauge: false,
  concurrency: false,
  unit: "",
  unlimited: false,
  value: "",
  values: [],
  limits: [],
  variant: "",
  mark: 0,
  overagePrice: null,
};

const DECISION: Omit<Decision, "allowed" | "reason"> = {
  ...AMOUNTS,
  granted: 0,
  unlimited: false,
  retryAfterMs: null,
  limits: [],
  replayed: false,
  isFallback: false,
  catalogVersion: 0,
  value: "",
  values: [],
  variant: "",
  wouldDeny: false,
  explanation: null,
};

/** JSON with the names of this package, and times as `Date`: `resets_at` is `resetsAt`. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      typeof each === "string" && /(^|_)at$/.test(name) ? new Date(each) : plain(each),
    ]),
  );
}

/** What a customer may do, feature by feature. */
export function entitlementsOf(json: unknown): Entitlements {
  const { deniedReason, entitlements, ...others } = plain(json) as Entitlements;
  return {
    ...others,
    deniedReason: deniedReason || null,
    entitlements: entitlements.map((each) => ({
      ...ENTITLEMENT,
      ...each,
      featureType: each.featureType || "UNSPECIFIED",
      limits: limitsOf(each.limits),
    })),
  };
}

/** Entitlements that were in JSON, where times are texts, as they were before. */
export function withDates(known: Entitlements): Entitlements {
  const dated = <T extends Amounts>(each: T): T => {
    return each.resetsAt === null ? each : { ...each, resetsAt: new Date(each.resetsAt) };
  };
  const entitlements = known.entitlements.map((each) => ({ ...dated(each), limits: each.limits.map(dated) }));
  return { ...known, entitlements };
}

/** One decision. */
export function decisionOf(json: unknown): Decision {
  const decision = plain(json) as Decision;
  return { ...DECISION, ...decision, limits: limitsOf(decision.limits) };
}

function limitsOf(limits: readonly LimitStatus[] = []): LimitStatus[] {
  return limits.map((each) => ({ ...LIMIT, ...each }));
}
