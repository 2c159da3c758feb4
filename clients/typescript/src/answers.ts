/** Reads what the calls return from the messages of the answers. */

import { create } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

import { type QuotaError, QuotaServerError } from "./errors.js";
import { fromStatus } from "./failures.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import type {
  Amounts,
  ConsumeAllDecision,
  Decision,
  Entitlement,
  Entitlements,
  EntitlementSource,
  Explanation,
  ItemsDecision,
  LimitStatus,
  Reason,
} from "./results.js";

/** One answer about one feature. */
export function decision(message: pb.CheckAndConsumeResponse): Decision {
  return {
    allowed: message.allowed,
    reason: reason(message.reason),
    granted: exact(message.granted),
    ...amounts(message),
    unlimited: message.unlimited,
    retryAfterMs: milliseconds(message.retryAfter),
    limits: message.limits.map(limitStatus),
    replayed: message.replayed,
    isFallback: message.isFallback,
    catalogVersion: exact(message.catalogVersion),
    value: message.value,
    values: message.values,
    variant: message.variant,
    wouldDeny: message.wouldDeny,
    explanation: message.explanation === undefined ? null : explanation(message.explanation),
  };
}

/** The answer about several features. */
export function decisionOnAll(message: pb.CheckAndConsumeAllResponse): ConsumeAllDecision {
  return {
    allowed: message.allowed,
    reason: reason(message.reason),
    stoppedBy: message.stoppedBy ?? null,
    items: message.items.map(decision),
    retryAfterMs: milliseconds(message.retryAfter),
    replayed: message.replayed,
    catalogVersion: exact(message.catalogVersion),
    isFallback: message.isFallback,
  };
}

/** The answer about several features that are known by name. */
export function decisionOnItems(message: pb.CheckAndConsumeResponse): ItemsDecision {
  const { items } = message;
  const each = items.map((item) => decision(item.decision ?? create(pb.CheckAndConsumeResponseSchema)));
  return {
    allowed: message.allowed,
    reason: reason(message.reason),
    stoppedBy: message.stoppedBy ?? null,
    items: each.length === 0 ? [decision(message)] : each,
    retryAfterMs: milliseconds(message.retryAfter),
    replayed: message.replayed,
    catalogVersion: exact(message.catalogVersion),
    isFallback: message.isFallback,
    features: items.map((item) => item.featureId),
    resources: items.map((item) => item.resourceId),
  };
}

/** One result of a batch: a decision, or the error of this request alone. */
export function batchOutcome({ result }: pb.BatchResult): Decision | QuotaError {
  return result.case === "response" ? decision(result.value) : errorOf(result.value);
}

/** The error of one request of a batch. */
export function errorOf(error: pb.Error | undefined): QuotaError {
  if (error === undefined) return new QuotaServerError("a result of the batch is empty", "INTERNAL");
  const retryAfterMs = milliseconds(error.retryAfter) ?? 0;
  return fromStatus(error.code, error.message, error.reason, { retryAfterMs });
}

/** One entitlement. */
export function entitlement(message: pb.Entitlement | undefined): Entitlement {
  if (message === undefined) throw new QuotaServerError("the answer has no entitlement", "INTERNAL");
  const price = message.overagePrice;
  return {
    featureId: message.featureId,
    featureType: name(pb.FeatureType, message.featureType, "FEATURE_TYPE_"),
    name: message.name,
    gauge: message.gauge,
    concurrency: message.concurrency,
    unit: message.unit,
    allowed: message.allowed,
    reason: reason(message.reason),
    ...amounts(message),
    unlimited: message.unlimited,
    value: message.value,
    values: message.values,
    limits: message.limits.map(limitStatus),
    variant: message.variant,
    mark: message.mark,
    overagePrice:
      price === undefined ? null : { amount: price.amount, currency: price.currency, each: exact(price.each) },
  };
}

/** Everything one customer is entitled to. */
export function entitlements(message: pb.GetEntitlementsResponse): Entitlements {
  return {
    customerId: message.customerId,
    resourceId: message.resourceId,
    planId: message.planId,
    planName: message.planName,
    deniedReason: message.deniedReason === pb.Reason.UNSPECIFIED ? null : reason(message.deniedReason),
    entitlements: message.entitlements.map(entitlement),
    catalogVersion: exact(message.catalogVersion),
  };
}

function limitStatus(message: pb.LimitStatus): LimitStatus {
  return {
    ...amounts(message),
    per: message.per,
    shadow: message.shadow,
    overageLimit: optional(message.overageLimit),
    mark: message.mark,
  };
}

function amounts(message: pb.CheckAndConsumeResponse | pb.LimitStatus | pb.Entitlement): Amounts {
  return {
    limit: optional(message.limit),
    softLimit: message.softLimit,
    used: exact(message.used),
    remaining: exact(message.remaining),
    overage: exact(message.overage),
    resetsAt: time(message.resetsAt),
    poolId: message.poolId,
    decimals: message.decimals,
    reserved: exact(message.reserved),
    leased: exact(message.leased),
  };
}

function explanation(message: pb.Explanation): Explanation {
  return {
    sources: message.sources.map(source),
    missing: exact(message.missing),
    deniedBy: message.deniedBy,
    freesAt: time(message.freesAt),
    leftOut: message.leftOut,
  };
}

function source(message: pb.EntitlementSource): EntitlementSource {
  return {
    kind: name(pb.SourceKind, message.kind, "SOURCE_KIND_"),
    sourceId: message.sourceId,
    won: message.won,
    grants: message.grants,
    revision: message.revision,
    quantity: message.quantity,
    subscriptionId: message.subscriptionId,
    featureId: message.featureId,
    endsAt: time(message.endsAt),
    note: message.note,
  };
}

function reason(number: pb.Reason): Reason {
  return number === pb.Reason.UNSPECIFIED ? "REASON_0" : name(pb.Reason, number, "REASON_");
}

/** The name of an enum's value; a newer server may send one that has none here. */
export function name(known: Record<number, string>, number: number, prefix: string): string {
  return known[number] ?? `${prefix}${number}`;
}

/** A 64-bit number as a plain one: those of quotad are at most 9 * 10^15. */
export function exact(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new QuotaServerError(`the answer has ${value}, which is beyond 2^53`, "OUT_OF_RANGE");
}

function optional(value: bigint | undefined): number | null {
  return value === undefined ? null : exact(value);
}

/** A moment; null: there is none. */
export function time(moment: Timestamp | undefined): Date | null {
  return moment === undefined ? null : new Date(Number(moment.seconds) * 1000 + moment.nanos / 1e6);
}

/** A time that something takes; null: there is none. */
export function milliseconds(duration: Duration | undefined): number | null {
  return duration === undefined ? null : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
