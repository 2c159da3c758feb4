/** What is held before it is used: reservations and slots; requests and what comes back. */

import { create } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";

import * as answers from "./answers.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import { invalid, type Item, type Items, itemsOf, newId, type Quantity, quantity, text } from "./requests.js";
import type { ConsumeAllDecision, Decision, ItemsDecision } from "./results.js";
import type { Policy } from "./retries.js";

/** Until something that is held ends by itself. */
export const TTL_MS = 60_000;

/** How something is to be held. */
export interface HoldOptions {
  /** What of the customer's it is for; empty: the customer itself. */
  readonly resourceId?: string | undefined;
  /** Milliseconds until it ends by itself, 1 second to 24 hours; absent: 60,000. */
  readonly ttlMs?: number | undefined;
}

/** How several features are to be reserved. */
export interface ReserveAllOptions {
  /** Milliseconds until it ends by itself, 1 second to 24 hours; absent: 60,000. */
  readonly ttlMs?: number | undefined;
  /** The caller's own, which makes a repeat safe; absent: one is made. */
  readonly reservationId?: string | undefined;
}

/** How a quantity is to be reserved. */
export interface ReserveOptions extends HoldOptions, ReserveAllOptions {}

/** How a reservation of several features is to be settled. */
export interface CommitAllOptions {
  /** Count more than is held past every limit; else it is denied when there is no room. */
  readonly allowOverrun?: boolean | undefined;
}

/** How a reservation is to be settled. */
export interface CommitOptions extends CommitAllOptions {
  /** What was used; absent: all that is held. */
  readonly quantity?: Quantity | undefined;
}

/** How a slot is to be held. */
export interface SlotOptions extends HoldOptions {
  /** How much of the limit it holds; absent: 1. */
  readonly quantity?: Quantity | undefined;
  /** The caller's own, which makes a repeat safe; absent: one is made. */
  readonly slotId?: string | undefined;
  /** What is counted with it, all of it or nothing; at most 15. */
  readonly also?: Readonly<Record<string, Quantity>> | readonly Item[] | undefined;
}

/** The answer to a reserve. Look at `allowed`. */
export interface Reservation {
  /** Whether the quantity is held. */
  readonly allowed: boolean;
  readonly customerId: string;
  readonly reservationId: string;
  readonly decision: Decision;
  /** Null: nothing is held. */
  readonly expiresAt: Date | null;
}

/** The answer to a reserve of several features. Look at `allowed`. */
export interface JointReservation {
  /** Whether all of it is held; else nothing is. */
  readonly allowed: boolean;
  readonly customerId: string;
  readonly reservationId: string;
  readonly decision: ItemsDecision;
  /** Null: nothing is held. */
  readonly expiresAt: Date | null;
}

/** The answer to an acquire. Look at `allowed`. */
export interface AcquiredSlot {
  /** Whether the slot is held, and what comes with it counted; else nothing was taken. */
  readonly allowed: boolean;
  readonly customerId: string;
  readonly slotId: string;
  /** On all of it: `items` has the slot first, then what comes with it. */
  readonly decision: ConsumeAllDecision;
  /** Null: no slot is held. */
  readonly expiresAt: Date | null;
}

/** One of the slots that a customer holds of a feature. */
export interface HeldSlot {
  readonly slotId: string;
  readonly quantity: number;
  readonly expiresAt: Date | null;
}

/** A request that takes a quantity before the work; its id exists before the first try. */
export function reserving(
  customerId: string,
  featureId: string,
  held: Quantity,
  options: ReserveOptions,
): pb.ReserveRequest {
  return create(pb.ReserveRequestSchema, {
    customerId: text("customerId", customerId),
    featureId: text("featureId", featureId),
    quantity: quantity("quantity", held),
    resourceId: text("resourceId", options.resourceId ?? ""),
    reservationId: text("reservationId", options.reservationId ?? newId()),
    ttl: duration("ttlMs", options.ttlMs),
  });
}

/** What became of it. */
export function reservation(request: pb.ReserveRequest, message: pb.ReserveResponse): Reservation {
  const decision = answers.decision(message.decision ?? create(pb.CheckAndConsumeResponseSchema));
  const { customerId, reservationId } = request;
  return { allowed: decision.allowed, customerId, reservationId, decision, expiresAt: answers.time(message.expiresAt) };
}

/** A request that takes quantities of several features before the work. */
export function reservingAll(customerId: string, items: Items, options: ReserveAllOptions): pb.ReserveRequest {
  const listed = itemsOf("items", items);
  // Without items a request is about one feature.
  if (listed.length === 0) throw invalid("items", "0 of them; must be 1 to 16");
  return create(pb.ReserveRequestSchema, {
    customerId: text("customerId", customerId),
    items: listed,
    reservationId: text("reservationId", options.reservationId ?? newId()),
    ttl: duration("ttlMs", options.ttlMs),
  });
}

/** What became of it. */
export function jointReservation(request: pb.ReserveRequest, message: pb.ReserveResponse): JointReservation {
  const decision = answers.decisionOnItems(message.decision ?? create(pb.CheckAndConsumeResponseSchema));
  const { customerId, reservationId } = request;
  return { allowed: decision.allowed, customerId, reservationId, decision, expiresAt: answers.time(message.expiresAt) };
}

/** A request that settles a reservation by what was used. */
export function committing(customerId: string, reservationId: string, options: CommitOptions): pb.CommitRequest {
  const used = options.quantity;
  return create(pb.CommitRequestSchema, {
    ...of(customerId, reservationId),
    ...(used === undefined ? {} : { quantity: quantity("quantity", used) }),
    allowOverrun: options.allowOverrun === true,
  });
}

/** A request that settles a reservation by what was used of each of several features. */
export function committingAll(
  customerId: string,
  reservationId: string,
  used: Items,
  options: CommitAllOptions,
): pb.CommitRequest {
  const items = itemsOf("items", used).map(({ featureId, resourceId, quantity: amount }) => {
    return create(pb.CommitItemSchema, { featureId, resourceId, ...(amount === undefined ? {} : { quantity: amount }) });
  });
  return create(pb.CommitRequestSchema, {
    ...of(customerId, reservationId),
    items,
    allowOverrun: options.allowOverrun === true,
  });
}

/** A request that settles a reservation by nothing. */
export function releasing(customerId: string, reservationId: string): pb.ReleaseRequest {
  return create(pb.ReleaseRequestSchema, of(customerId, reservationId));
}

/** A request that lets a reservation end later. */
export function extending(customerId: string, reservationId: string, ttlMs: number | undefined): pb.ExtendRequest {
  return create(pb.ExtendRequestSchema, { ...of(customerId, reservationId), ttl: duration("ttlMs", ttlMs) });
}

/** A request that holds a slot; its id exists before the first try. */
export function acquiring(
  policy: Policy,
  customerId: string,
  featureId: string,
  options: SlotOptions,
): pb.AcquireSlotRequest {
  const own = options.slotId;
  return create(pb.AcquireSlotRequestSchema, {
    ...(own === undefined ? { idempotencyTtl: durationFromMs(policy.keyTtlMs) } : {}),
    customerId: text("customerId", customerId),
    featureId: text("featureId", featureId),
    quantity: quantity("quantity", options.quantity ?? 1),
    resourceId: text("resourceId", options.resourceId ?? ""),
    slotId: text("slotId", own ?? newId()),
    ttl: duration("ttlMs", options.ttlMs),
    also: itemsOf("also", options.also ?? []),
  });
}

/** What became of it. */
export function acquired(request: pb.AcquireSlotRequest, message: pb.AcquireSlotResponse): AcquiredSlot {
  const decision = answers.decisionOnAll(message.decision ?? create(pb.CheckAndConsumeAllResponseSchema));
  const { customerId, slotId } = request;
  return { allowed: decision.allowed, customerId, slotId, decision, expiresAt: answers.time(message.expiresAt) };
}

/** A request that lets a slot end later. */
export function beating(customerId: string, slotId: string, ttlMs: number | undefined): pb.HeartbeatRequest {
  return create(pb.HeartbeatRequestSchema, {
    customerId: text("customerId", customerId),
    slotId: text("slotId", slotId),
    ttl: duration("ttlMs", ttlMs),
  });
}

/** A slot that is held. */
export function heldSlot(message: pb.Slot): HeldSlot {
  return {
    slotId: message.slotId,
    quantity: answers.exact(message.quantity),
    expiresAt: answers.time(message.expiresAt),
  };
}

function of(customerId: string, reservationId: string): { customerId: string; reservationId: string } {
  return {
    customerId: text("customerId", customerId),
    reservationId: text("reservationId", reservationId),
  };
}

/** A time of a request. */
export function duration(field: string, ms: number = TTL_MS): Duration {
  if (typeof ms !== "number" || !Number.isFinite(ms)) throw invalid(field, `must be a number of milliseconds, not ${ms}`);
  return durationFromMs(ms);
}
