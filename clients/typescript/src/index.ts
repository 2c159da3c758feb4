/** The TypeScript client of quotad. */

export { type CacheOptions, EntitlementCache, type Read } from "./cache.js";
export type { CallOptions } from "./calling.js";
export { type ClientOptions, QuotadClient } from "./client.js";
export type { Clock } from "./clock.js";
export { credits, type Credits } from "./credits.js";
export type { Customer, CustomerDetails, ProvisionOptions, Subscription } from "./customers.js";
export type { ConnectionOptions, TlsOptions } from "./connection.js";
export { QuotaDeadline, QuotaDenied, QuotaError, QuotaInvalid, QuotaServerError, QuotaUnavailable } from "./errors.js";
export type {
  AcquiredSlot,
  CommitAllOptions,
  CommitOptions,
  HeldSlot,
  HoldOptions,
  JointReservation,
  Reservation,
  ReserveAllOptions,
  ReserveOptions,
  SlotOptions,
} from "./holds.js";
export { LeasedClient, type LeasedClientOptions } from "./leased.js";
export { LocalDecision } from "./local.js";
export type { LeaseOptions, LeaseTerm, LeaseTermOptions, RenewOptions } from "./leases.js";
export type {
  CheckOptions,
  ConsumeAllOptions,
  ConsumeOptions,
  Consumption,
  Item,
  Items,
  KeyOptions,
  Quantity,
  RecordOptions,
  RefundAllOptions,
  RefundOptions,
  SetUsageOptions,
} from "./requests.js";
export type {
  Amounts,
  ConsumeAllDecision,
  Decision,
  Entitlement,
  Entitlements,
  EntitlementSource,
  Explanation,
  FeatureType,
  ItemsDecision,
  LimitStatus,
  OveragePrice,
  Reason,
  SourceKind,
} from "./results.js";
export type { LiveSlot } from "./slots.js";
export type { ChangeKind, WatchedChange, WatchOptions } from "./watching.js";
