"use client";

/** What a customer may use, in React. */

export type {
  AnyEntitlement,
  BooleanEntitlement,
  EntitledFeature,
  Entitlements,
  Fallback,
  MeteredEntitlement,
  MeteredFallback,
} from "@quotad/client/browser";
export { QuotaError } from "@quotad/client/browser";
export { Gate, type GateProps } from "./gate.js";
export {
  type BooleanOptions,
  type CustomerEntitlements,
  type FeatureQuery,
  type Status,
  type UsageOptions,
  useBooleanEntitlement,
  useEntitlement,
  useEntitlements,
  useMeteredEntitlement,
} from "./hooks.js";
export { UsageMeter, type UsageMeterProps } from "./meter.js";
export type { Plan, PlanFeature, PlanLimit, PlanPrice } from "./plans.js";
export { PricingTable, type PricingTableProps } from "./pricing.js";
export { QuotadProvider, type QuotadProviderProps } from "./provider.js";
