"use client";

import {
  answerOf,
  type AnyEntitlement,
  anyOf,
  type BooleanEntitlement,
  type Decision,
  deniedReason,
  type Entitlement,
  type Fallback,
  type LiveState,
  type MeteredEntitlement,
  type MeteredFallback,
  type QuotaError,
  usageOf,
} from "@quotad/client/browser";
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";

import { useQuotad } from "./provider.js";

/** How far it is known what an answer says. */
export interface Status {
  /** Nothing was read yet: the answer is the fallback, and without one a denial. */
  readonly isLoading: boolean;
  /** Why it cannot be read now; the answer is what was read last (`isFallback`), or the fallback. */
  readonly error: QuotaError | null;
}

/** Which feature. */
export interface FeatureQuery<Options> {
  readonly featureId: string;
  readonly options?: Options | undefined;
}

/** Options of every hook about one feature. */
export interface BooleanOptions {
  /** What is answered while nothing is known. */
  readonly fallback?: Fallback | undefined;
}

/** Options of hooks about what is counted. */
export interface UsageOptions {
  /** How much is about to be used; absent: 1. Another amount is a question to the server. */
  readonly requestedUsage?: number | undefined;
  readonly fallback?: MeteredFallback | undefined;
}

/** What the customer has. */
export interface CustomerEntitlements extends Status {
  /** Of every feature that the plan grants, in the catalog's order. */
  readonly entitlements: readonly AnyEntitlement[];
  /** Empty: none, or not known yet. */
  readonly planId: string;
  readonly planName: string;
  /** Read again now, rather than at the next change. */
  readonly refresh: () => void;
}

const UNKNOWN: LiveState = { entitlements: null, error: null };

const EMPTY = {
  usageLimit: null,
  isUnlimited: false,
  hasSoftLimit: false,
  currentUsage: 0,
  resetPeriod: null,
  usagePeriodEnd: null,
};

/** All that the customer may use. */
export function useEntitlements(): CustomerEntitlements {
  const { live } = useQuotad();
  const { entitlements, error } = useLive();
  const refresh = useCallback(() => live?.refresh(), [live]);
  const all = useMemo(() => entitlements?.entitlements.map(anyOf) ?? [], [entitlements]);
  return {
    entitlements: all,
    planId: entitlements?.planId ?? "",
    planName: entitlements?.planName ?? "",
    isLoading: entitlements === null && error === null,
    error,
    refresh,
  };
}

/** Whether a feature is on. */
export function useBooleanEntitlement(query: FeatureQuery<BooleanOptions>): BooleanEntitlement & Status {
  return useFeature(query, useLive(), (entitlement) => answerOf(entitlement, "boolean"));
}

/** What the customer may do with a feature of whatever kind. */
export function useEntitlement(query: FeatureQuery<UsageOptions>): AnyEntitlement & Status {
  const { state, decision } = useDecision(query);
  return useFeature<AnyEntitlement>(query, state, (entitlement) => decided(anyOf(entitlement), decision));
}

/** Whether there is room for what is about to be used, and how much of it was used; counts nothing. */
export function useMeteredEntitlement(query: FeatureQuery<UsageOptions>): MeteredEntitlement & Status {
  const { state, decision } = useDecision(query);
  const found = useFeature<BooleanEntitlement & Partial<MeteredEntitlement>>(query, state, (entitlement) =>
    decided({ ...answerOf(entitlement, "metered"), ...usageOf(entitlement) }, decision),
  );
  return { ...EMPTY, ...found, requestedUsage: query.options?.requestedUsage ?? 1 };
}

function useLive(): LiveState {
  const { live } = useQuotad();
  const subscribe = useCallback((listener: () => void) => live?.subscribe(listener) ?? (() => undefined), [live]);
  const state = () => live?.state ?? UNKNOWN;
  return useSyncExternalStore(subscribe, state, state);
}

/** An answer that is read, or made of the fallback while nothing is known. */
function useFeature<T extends BooleanEntitlement>(
  { featureId, options }: FeatureQuery<BooleanOptions>,
  { entitlements, error }: LiveState,
  answer: (entitlement: Entitlement) => T,
): T & Status {
  const { fallbacks } = useQuotad();
  const denied = { hasAccess: false, isFallback: true, accessDeniedReason: null, feature: null };
  const known = { isLoading: entitlements === null && error === null, error };
  if (entitlements === null) {
    return { ...denied, ...(options?.fallback ?? fallbacks[featureId]), ...known } as T & Status;
  }
  const found = entitlements.entitlements.find((each) => each.featureId === featureId);
  const accessDeniedReason = deniedReason({ allowed: false, reason: entitlements.deniedReason ?? "NOT_ENTITLED" });
  const answered = found === undefined ? ({ ...denied, accessDeniedReason } as T) : answer(found);
  return { ...answered, ...known, isFallback: error !== null };
}

interface Asked {
  readonly key: string;
  readonly decision?: Decision;
  readonly error: QuotaError | null;
}

/**
 * What is known, and where another amount than 1 is asked for, the server's decision on that: it alone knows
 * all limits. Asked again when something changes; nothing is known before the first answer.
 */
function useDecision({ featureId, options }: FeatureQuery<UsageOptions>): { state: LiveState; decision?: Decision | undefined } {
  const { client, customerId, resourceId } = useQuotad();
  const state = useLive();
  const { entitlements } = state;
  const quantity = options?.requestedUsage ?? 1;
  const found = entitlements?.entitlements.find((each) => each.featureId === featureId);
  const wanted = quantity !== 1 && found?.featureType === "METERED";
  const key = JSON.stringify([customerId, resourceId, featureId, quantity]);
  const [last, setLast] = useState<Asked>();
  useEffect(() => {
    if (!wanted) return;
    const gone = new AbortController();
    client.check(customerId, featureId, quantity, { resourceId, signal: gone.signal }).then(
      (decision) => !gone.signal.aborted && setLast({ key, decision, error: null }),
      (error: QuotaError) =>
        !gone.signal.aborted && setLast((before) => ({ ...(before?.key === key ? before : { key }), error })),
    );
    return () => gone.abort();
  }, [client, entitlements, wanted, key]);
  if (!wanted) return { state };
  const { decision, error = null }: Partial<Asked> = last?.key === key ? last : {};
  if (decision === undefined) return { state: { entitlements: null, error: error ?? state.error } };
  return { state: { entitlements, error: error ?? state.error }, decision };
}

function decided<T extends BooleanEntitlement>(answer: T, decision: Decision | undefined): T {
  if (decision === undefined) return answer;
  return { ...answer, hasAccess: decision.allowed, accessDeniedReason: deniedReason(decision) };
}
