/**
 * What the calls return: plain values; `answers` reads them. Numbers are `number`, as no amount of
 * quotad goes beyond 9 * 10^15; times are `Date`; what is absent is `null`.
 */

import type * as pb from "./gen/quotad/v1/quota_pb.js";

/** A name that a server of a later version may send, beside those known here. */
type Later = string & {};

/** Why a decision was taken, without the prefix `REASON_`. */
export type Reason = Exclude<keyof typeof pb.Reason, "UNSPECIFIED"> | Later;

/** What a feature is; `UNSPECIFIED` when nothing is known of it. */
export type FeatureType = keyof typeof pb.FeatureType | Later;

/** What grants something, without the prefix `SOURCE_KIND_`. */
export type SourceKind = Exclude<keyof typeof pb.SourceKind, "UNSPECIFIED"> | Later;

/** What a limit, a decision and an entitlement have in common. */
export interface Amounts {
  /** Null: unlimited, or not counted. */
  readonly limit: number | null;
  readonly softLimit: boolean;
  readonly used: number;
  readonly remaining: number;
  /** Used above a soft limit. */
  readonly overage: number;
  /** Null when it never does. */
  readonly resetsAt: Date | null;
  /** The credit pool that pays, whose amounts these are; empty otherwise. */
  readonly poolId: string;
  /** Of a pool: amounts are whole numbers of 10^-decimals credits. */
  readonly decimals: number;
  /** What open reservations hold; `used` is without it. In entitlements and explained checks. */
  readonly reserved: number;
  /** The same of leases. */
  readonly leased: number;
}

/** One of an entitlement's limits, after the call. */
export interface LimitStatus extends Amounts {
  /** `minute`, `5 hours`; empty: lifetime. */
  readonly per: string;
  /** Reported, never denies. */
  readonly shadow: boolean;
  /** Of a soft limit: the hard stop, in units past it. Null: as many as there may be. */
  readonly overageLimit: number | null;
  /** Only in entitlements: 100 when all of the limit is used, 80 from 80 % on, else 0. */
  readonly mark: number;
}

/** One source of what a customer may do with a feature. */
export interface EntitlementSource {
  readonly kind: SourceKind;
  /** Of the plan or add-on; empty otherwise. */
  readonly sourceId: string;
  /** Whether the entitlement in force is this one's, wholly or in part. */
  readonly won: boolean;
  /** JSON, as a catalog spells it; empty: has no entry for the feature. */
  readonly grants: string;
  /** Of a plan; 0 otherwise. */
  readonly revision: number;
  /** Of an add-on; 0 otherwise. */
  readonly quantity: number;
  readonly subscriptionId: string;
  /** The credit pool, of a source that is about the pool; empty otherwise. */
  readonly featureId: string;
  readonly endsAt: Date | null;
  /** Why it did not win, or how far. */
  readonly note: string;
}

/** Where an entitlement comes from, and what a denial lacked. */
export interface Explanation {
  /** The strongest first. */
  readonly sources: readonly EntitlementSource[];
  /** Of a denial by a limit: how much more room was needed, in the limit's units. */
  readonly missing: number;
  /** That limit in words: `1,000 per month`. */
  readonly deniedBy: string;
  /** When it has room again; null: never without a change. */
  readonly freesAt: Date | null;
  /** The sources are left out, as the answer would have been too large: ask for fewer at once. */
  readonly leftOut: boolean;
}

/** The answer to one consume or check. Look at `allowed`: the object itself is always true. */
export interface Decision extends Amounts {
  readonly allowed: boolean;
  readonly reason: Reason;
  /** What this call took; negative when it gave back, 0 when denied or only checked. */
  readonly granted: number;
  readonly unlimited: boolean;
  /** Milliseconds; of a denial, when waiting helps. */
  readonly retryAfterMs: number | null;
  /** Filled when the entitlement has several. */
  readonly limits: readonly LimitStatus[];
  /** What was taken under this idempotency key before, returned again. */
  readonly replayed: boolean;
  /** The store did not answer, and the feature's policy decided. */
  readonly isFallback: boolean;
  readonly catalogVersion: number;
  /** Of a config feature; the most generous of `values`. */
  readonly value: string;
  /** Of a config feature that lists its values: those granted, the least generous first. */
  readonly values: readonly string[];
  /** Of a rollout: its name inside, `control` outside. */
  readonly variant: string;
  /** A limit in shadow had no room, and would have denied this. */
  readonly wouldDeny: boolean;
  /** When the call asked for it. */
  readonly explanation: Explanation | null;
}

/** The answer to one `consumeAll` or `checkAll`. Look at `allowed`. */
export interface ConsumeAllDecision {
  /** All of it; else nothing was taken. */
  readonly allowed: boolean;
  /** Of the item that decided. */
  readonly reason: Reason;
  /** Of a denial: the place in `items` of the item that decided. */
  readonly stoppedBy: number | null;
  /** In the order of the request, each decided as if those before it had been taken. */
  readonly items: readonly Decision[];
  /** Milliseconds; of a denial, when waiting helps. */
  readonly retryAfterMs: number | null;
  /** What was taken under this idempotency key before, returned again. */
  readonly replayed: boolean;
  readonly catalogVersion: number;
  /** The store did not answer, and the policies of all features decided. */
  readonly isFallback: boolean;
}

/** The answer about several features of a reservation or a refund; a single one is one item. */
export interface ItemsDecision extends ConsumeAllDecision {
  /** Which feature each of the items is of; empty: of a single one. */
  readonly features: readonly string[];
  /** The same of resources; empty texts: the customer itself. */
  readonly resources: readonly string[];
}

/** The price of usage past a soft limit, as the catalog writes it. */
export interface OveragePrice {
  /** A decimal number. */
  readonly amount: string;
  /** Three letters of ISO 4217. */
  readonly currency: string;
  /** Units that it is for. */
  readonly each: number;
}

/** What one customer may do with one feature now. */
export interface Entitlement extends Amounts {
  readonly featureId: string;
  readonly featureType: FeatureType;
  /** For display; empty: the catalog gives none. */
  readonly name: string;
  /** Metered, goes down again, never resets. */
  readonly gauge: boolean;
  /** Metered, limits what is in flight: `used` is what slots hold. */
  readonly concurrency: boolean;
  readonly unit: string;
  /** Whether one more unit would be allowed now. */
  readonly allowed: boolean;
  readonly reason: Reason;
  readonly unlimited: boolean;
  /** Of a config feature. */
  readonly value: string;
  /** Of a config feature that lists its values: those granted, the least generous first. */
  readonly values: readonly string[];
  /** Every limit, also a single one. */
  readonly limits: readonly LimitStatus[];
  /** Of a rollout: its name inside, `control` outside. */
  readonly variant: string;
  /** The highest of its limits' marks: 100 when all of a limit is used, 80 from 80 % on. */
  readonly mark: number;
  /** Of usage past a soft limit, as the plan has it. */
  readonly overagePrice: OveragePrice | null;
}

/** What one customer may do now, feature by feature, in the catalog's order. */
export interface Entitlements {
  readonly customerId: string;
  /** What of the customer's they are for; empty: the customer itself. */
  readonly resourceId: string;
  /** Empty without an active subscription. */
  readonly planId: string;
  /** For display; empty: the catalog gives none. */
  readonly planName: string;
  /** Why there is no entitlement at all; null when the customer has a plan. */
  readonly deniedReason: Reason | null;
  readonly entitlements: readonly Entitlement[];
  readonly catalogVersion: number;
}
