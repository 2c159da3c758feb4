/** Leases: requests and what comes back. */

import { create } from "@bufbuild/protobuf";

import * as answers from "./answers.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import { duration } from "./holds.js";
import { newId, type Quantity, quantity, text } from "./requests.js";
import type { Decision } from "./results.js";

/** How long a lease is wanted for. */
export interface LeaseTermOptions {
  /** Longest term in milliseconds, at least 100; absent: as long as the server lends. */
  readonly ttlMs?: number | undefined;
}

/** How quota is to be lent. */
export interface LeaseOptions extends LeaseTermOptions {
  /** What of the customer's it is for; empty: the customer itself. */
  readonly resourceId?: string | undefined;
  /** The caller's own, which makes a repeat safe; absent: one is made. */
  readonly leaseId?: string | undefined;
}

/** What is reported of a lease, and wanted of it. */
export interface RenewOptions extends LeaseTermOptions {
  /** 1, 2 and so on; the same one repeats a call. */
  readonly sequence: Quantity;
  /** In all, since the lease was acquired. */
  readonly spent: Quantity;
  /**
   * What may be spent from now on. Less than what is left returns the rest, which must not be spent any
   * more from before the call on.
   */
  readonly quantity: Quantity;
}

/** What may be spent of a lease, and for how long. */
export interface LeaseTerm {
  readonly customerId: string;
  readonly leaseId: string;
  /** Of what was lent or renewed; else what asking for one unit would be answered. */
  readonly decision: Decision;
  /** In all, since the lease was acquired. */
  readonly granted: number;
  /**
   * Milliseconds from before the request was sent, on a clock that counts sleep; null: nothing is lent, or
   * the lease is not renewed: stop spending and release it.
   */
  readonly termMs: number | null;
  /** The same moment by the server's clock. */
  readonly expiresAt: Date | null;
  /** The term ends with the period, and no renewal goes beyond. */
  readonly last: boolean;
}

/** A request that lends up to a quantity; its id exists before the first try. */
export function lending(
  customerId: string,
  featureId: string,
  wanted: Quantity,
  options: LeaseOptions,
): pb.AcquireLeaseRequest {
  return create(pb.AcquireLeaseRequestSchema, {
    ...ttl(options),
    customerId: text("customerId", customerId),
    featureId: text("featureId", featureId),
    quantity: quantity("quantity", wanted),
    resourceId: text("resourceId", options.resourceId ?? ""),
    leaseId: text("leaseId", options.leaseId ?? newId()),
  });
}

/** A request that reports what was spent, for a new term. */
export function renewing(customerId: string, leaseId: string, options: RenewOptions): pb.RenewLeaseRequest {
  return create(pb.RenewLeaseRequestSchema, {
    ...ttl(options),
    customerId: text("customerId", customerId),
    leaseId: text("leaseId", leaseId),
    sequence: quantity("sequence", options.sequence),
    spent: quantity("spent", options.spent),
    quantity: quantity("quantity", options.quantity),
  });
}

/** A request that returns what was not spent. */
export function returning(customerId: string, leaseId: string, spent: Quantity): pb.ReleaseLeaseRequest {
  return create(pb.ReleaseLeaseRequestSchema, {
    customerId: text("customerId", customerId),
    leaseId: text("leaseId", leaseId),
    spent: quantity("spent", spent),
  });
}

/** What was lent. */
export function leaseTerm(asked: { customerId: string; leaseId: string }, message: pb.LeaseResponse): LeaseTerm {
  return {
    customerId: asked.customerId,
    leaseId: asked.leaseId,
    decision: answers.decision(message.decision ?? create(pb.CheckAndConsumeResponseSchema)),
    granted: answers.exact(message.granted),
    termMs: answers.milliseconds(message.term),
    expiresAt: answers.time(message.expiresAt),
    last: message.last,
  };
}

function ttl({ ttlMs }: LeaseTermOptions): { ttl?: ReturnType<typeof duration> } {
  return ttlMs === undefined ? {} : { ttl: duration("ttlMs", ttlMs) };
}
