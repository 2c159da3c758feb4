/** What pages use of this package: no gRPC, nothing of Node. */

export { QuotaDeadline, QuotaError, QuotaInvalid, QuotaServerError, QuotaUnavailable } from "./errors.js";
export { BrowserClient, type BrowserOptions } from "./http.js";
export { LiveEntitlements, type LiveOptions, type LiveState } from "./live.js";
export type { Decision, Entitlement, Entitlements, LimitStatus } from "./results.js";
export { answerOf, anyOf, deniedReason, numberOf, usageOf, wordsOf } from "./shapes.js";
export type {
  AnyEntitlement,
  BooleanEntitlement,
  EntitledFeature,
  EnumEntitlement,
  EnumFallback,
  Fallback,
  MeteredEntitlement,
  MeteredFallback,
  NumericEntitlement,
  NumericFallback,
} from "./shapes.js";
