/** What `EntitlementsClient` takes and returns, and how it is made of what quotad answers. */

import type { Amounts, Decision, Entitlement, LimitStatus, Reason } from "./results.js";

/** Which feature of which customer. */
export interface FeatureQuery {
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId?: string | undefined;
}

/** Which entitlement, and how. */
export interface EntitlementQuery<Options> extends FeatureQuery {
  readonly options?: Options | undefined;
}

/** What a check answers when no server does. */
export interface Fallback {
  readonly hasAccess: boolean;
}

/** A fallback of a feature with a value. */
export interface NumericFallback extends Fallback {
  readonly value?: number | undefined;
  readonly isUnlimited?: boolean | undefined;
}

/** A fallback of a feature that is counted. */
export interface MeteredFallback extends Fallback {
  readonly usageLimit?: number | undefined;
  readonly currentUsage?: number | undefined;
  readonly isUnlimited?: boolean | undefined;
}

/** A fallback of a feature with words. */
export interface EnumFallback extends Fallback {
  readonly enumValues?: readonly string[] | undefined;
}

/** Options of every check. */
export interface EntitlementOptions<F> {
  readonly fallback?: F | undefined;
}

/** Options of a check of what is counted. */
export interface MeteredOptions extends EntitlementOptions<MeteredFallback> {
  /** How much is about to be used; absent: 1. */
  readonly requestedUsage?: number | undefined;
}

/** Options of a check of words. */
export interface EnumOptions extends EntitlementOptions<EnumFallback> {
  /** All of them must be granted. */
  readonly requestedValues?: readonly string[] | undefined;
}

/** What is known of a feature. */
export interface EntitledFeature {
  readonly id: string;
  readonly refId: string;
  readonly displayName: string;
  readonly featureType: "BOOLEAN" | "NUMBER" | "ENUM";
  readonly meterType: "None" | "Fluctuating" | "Incremental";
  readonly isMetered: boolean;
  readonly featureUnits: string | null;
}

/** The answer to `getBooleanEntitlement`, and what all answers have. */
export interface BooleanEntitlement {
  readonly hasAccess: boolean;
  /** No server answered, and the fallback decided. */
  readonly isFallback: boolean;
  /** Null: there is access, or it is a fallback. */
  readonly accessDeniedReason: string | null;
  /** Null: nothing is known of it. */
  readonly feature: EntitledFeature | null;
}

/** The answer to `getNumericEntitlement`. */
export interface NumericEntitlement extends BooleanEntitlement {
  readonly value: number | null;
  readonly isUnlimited: boolean;
}

/** The answer to `getEnumEntitlement`. */
export interface EnumEntitlement extends BooleanEntitlement {
  readonly enumValues: readonly string[];
  readonly requestedValues: readonly string[];
}

/** The answer to `getMeteredEntitlement`; of several limits the tightest is shown. */
export interface MeteredEntitlement extends BooleanEntitlement {
  /** Null: unlimited, or nothing is granted. */
  readonly usageLimit: number | null;
  readonly isUnlimited: boolean;
  readonly hasSoftLimit: boolean;
  readonly currentUsage: number;
  readonly requestedUsage: number;
  /** `YEAR`, `MONTH`, `WEEK`, `DAY`, `HOUR`; null: none of them. */
  readonly resetPeriod: string | null;
  readonly usagePeriodEnd: Date | null;
}

/** One entry of `getEntitlements`: of the feature's type. */
export type AnyEntitlement = BooleanEntitlement &
  Partial<Omit<NumericEntitlement & EnumEntitlement & MeteredEntitlement, keyof BooleanEntitlement>>;

const DENIED: Readonly<Record<string, string>> = {
  CUSTOMER_NOT_FOUND: "CustomerNotFound",
  CUSTOMER_ARCHIVED: "CustomerIsArchived",
  NO_ACTIVE_SUBSCRIPTION: "NoActiveSubscription",
  FEATURE_NOT_FOUND: "FeatureNotFound",
  NOT_ENTITLED: "NoFeatureEntitlementInSubscription",
  REVOKED: "Revoked",
  VALUE_NOT_ALLOWED: "RequestedValuesMismatch",
  LIMIT_EXCEEDED: "RequestedUsageExceedingLimit",
  INSUFFICIENT_CREDITS: "InsufficientCredits",
};

const RESETS: Readonly<Record<string, string>> = {
  year: "YEAR",
  month: "MONTH",
  week: "WEEK",
  day: "DAY",
  hour: "HOUR",
};

const WHOLE = /^-?\d+$/;

type Kind = "boolean" | "numeric" | "enum" | "metered";

/** An entitlement as an answer of the kind that was asked for; of another kind it is a denial. */
export function answerOf(entitlement: Entitlement, kind: Kind): BooleanEntitlement {
  const known = entitlement.featureType !== "UNSPECIFIED";
  const mismatch = known && entitlement.allowed && kindOf(entitlement) !== kind;
  const reason = mismatch ? "FeatureTypeMismatch" : deniedReason(entitlement);
  return {
    hasAccess: reason === null,
    isFallback: false,
    accessDeniedReason: reason,
    feature: known ? featureOf(entitlement) : null,
  };
}

/** The reason of a denial in the words that are known; null: it was none. */
export function deniedReason(answer: { allowed: boolean; reason: Reason }): string | null {
  return answer.allowed ? null : (DENIED[answer.reason] ?? "Unknown");
}

/** What is shown of a feature that is counted. */
export function usageOf(entitlement: Entitlement): Omit<MeteredEntitlement, keyof BooleanEntitlement | "requestedUsage"> {
  const limit = tightest(entitlement.limits);
  if (limit === undefined) {
    return {
      usageLimit: null,
      isUnlimited: entitlement.unlimited,
      hasSoftLimit: false,
      currentUsage: 0,
      resetPeriod: null,
      usagePeriodEnd: null,
    };
  }
  return {
    usageLimit: limit.limit === null ? null : plain(limit.limit, limit),
    isUnlimited: limit.limit === null,
    hasSoftLimit: limit.softLimit,
    currentUsage: plain(limit.used, limit),
    resetPeriod: RESETS[limit.per] ?? null,
    usagePeriodEnd: limit.resetsAt,
  };
}

/** What is shown as used after something was counted. */
export function usedAfter(decision: Decision): Pick<MeteredEntitlement, "currentUsage" | "usagePeriodEnd"> {
  const limit = tightest(decision.limits) ?? decision;
  return { currentUsage: plain(limit.used, limit), usagePeriodEnd: limit.resetsAt };
}

/** The window of the limit that is shown, when there are several. */
export function windowOf(entitlement: Entitlement): string {
  return entitlement.limits.length < 2 ? "" : (tightest(entitlement.limits)?.per || "lifetime");
}

/** The value of a feature that is a number; null: it has none. */
export function numberOf(entitlement: Entitlement): number | null {
  return WHOLE.test(entitlement.value) ? Number(entitlement.value) : null;
}

/** The words that are granted of a feature that is one of words. */
export function wordsOf(entitlement: Entitlement): readonly string[] {
  if (entitlement.values.length > 0) return entitlement.values;
  return entitlement.value === "" ? [] : [entitlement.value];
}

/** An entitlement of whatever kind. */
export function anyOf(entitlement: Entitlement): AnyEntitlement {
  const kind = kindOf(entitlement);
  const answer = answerOf(entitlement, kind);
  switch (kind) {
    case "boolean":
      return answer;
    case "numeric":
      return { ...answer, value: numberOf(entitlement), isUnlimited: false };
    case "enum":
      return { ...answer, enumValues: wordsOf(entitlement), requestedValues: [] };
    case "metered":
      return { ...answer, ...usageOf(entitlement), requestedUsage: 1 };
  }
}

function kindOf(entitlement: Entitlement): Kind {
  if (entitlement.featureType === "METERED") return "metered";
  if (entitlement.featureType !== "CONFIG") return "boolean";
  return entitlement.values.length === 0 && WHOLE.test(entitlement.value) ? "numeric" : "enum";
}

function featureOf(entitlement: Entitlement): EntitledFeature {
  const kind = kindOf(entitlement);
  const fluctuating = entitlement.gauge || entitlement.concurrency;
  return {
    id: entitlement.featureId,
    refId: entitlement.featureId,
    displayName: entitlement.name || entitlement.featureId,
    featureType: kind === "boolean" ? "BOOLEAN" : kind === "enum" ? "ENUM" : "NUMBER",
    meterType: kind !== "metered" ? "None" : fluctuating ? "Fluctuating" : "Incremental",
    isMetered: kind === "metered",
    featureUnits: entitlement.unit || null,
  };
}

/** The limit with the least room; what is in shadow or unlimited stands back. */
function tightest(limits: readonly LimitStatus[]): LimitStatus | undefined {
  const open = (each: LimitStatus) => (each.limit === null || each.shadow ? 1 : 0);
  const room = (each: LimitStatus) => plain(each.remaining, each);
  return [...limits].sort((a, b) => open(a) - open(b) || room(a) - room(b))[0];
}

function plain(amount: number, { decimals }: Amounts): number {
  return amount / 10 ** decimals;
}
