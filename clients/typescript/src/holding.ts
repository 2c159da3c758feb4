/** The calls about what is held before it is used: reservations, slots and leases. */

import { create } from "@bufbuild/protobuf";

import * as answers from "./answers.js";
import { Calling } from "./calling.js";
import { clock } from "./clock.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import {
  acquired,
  type AcquiredSlot,
  acquiring,
  beating,
  type CommitAllOptions,
  type CommitOptions,
  committing,
  committingAll,
  extending,
  heldSlot,
  type HeldSlot,
  jointReservation,
  type JointReservation,
  releasing,
  reservation,
  type Reservation,
  type ReserveAllOptions,
  type ReserveOptions,
  reserving,
  reservingAll,
  type SlotOptions,
  TTL_MS,
} from "./holds.js";
import { type LeaseOptions, lending, leaseTerm, type LeaseTerm, type RenewOptions, renewing, returning } from "./leases.js";
import { type Items, type Quantity, text } from "./requests.js";
import type { Decision, ItemsDecision } from "./results.js";
import { type Beat, denied, ExtendedSlot, type LiveSlot } from "./slots.js";

const { method } = pb.QuotaService;

/** Reserves, holds slots and borrows. */
export class Holding extends Calling {
  /** Takes a quantity before the work, to settle it by what the work has really used. */
  async reserve(
    customerId: string,
    featureId: string,
    quantity: Quantity = 1,
    options: ReserveOptions = {},
  ): Promise<Reservation> {
    const request = reserving(customerId, featureId, quantity, options);
    return reservation(request, await this.call(method.reserve, request));
  }

  /** Takes quantities of several features before the work, all of it or nothing. */
  async reserveAll(customerId: string, items: Items, options: ReserveAllOptions = {}): Promise<JointReservation> {
    const request = reservingAll(customerId, items, options);
    return jointReservation(request, await this.call(method.reserve, request));
  }

  /** Settles a reservation by what was used; `granted` is the difference to what was held. */
  async commit(customerId: string, reservationId: string, options: CommitOptions = {}): Promise<Decision> {
    const request = committing(customerId, reservationId, options);
    return answers.decision(await this.call(method.commit, request));
  }

  /**
   * Settles a reservation of several features by what was used of each.
   *
   * @param used - of those that are left out, all that is held.
   */
  async commitAll(
    customerId: string,
    reservationId: string,
    used: Items = [],
    options: CommitAllOptions = {},
  ): Promise<ItemsDecision> {
    const request = committingAll(customerId, reservationId, used, options);
    return answers.decisionOnItems(await this.call(method.commit, request));
  }

  /** Settles a reservation by nothing: all of it comes back. */
  async release(customerId: string, reservationId: string): Promise<Decision> {
    const request = releasing(customerId, reservationId);
    return answers.decision(await this.call(method.release, request));
  }

  /** Settles as `release`; the answer has each of several features. */
  async releaseAll(customerId: string, reservationId: string): Promise<ItemsDecision> {
    const request = releasing(customerId, reservationId);
    return answers.decisionOnItems(await this.call(method.release, request));
  }

  /** Lets an open reservation end so many milliseconds from now; resolves to when. */
  async extend(customerId: string, reservationId: string, ttlMs?: number): Promise<Date | null> {
    const request = extending(customerId, reservationId, ttlMs);
    return answers.time((await this.call(method.extend, request)).expiresAt);
  }

  /**
   * Holds a slot of a feature that limits what is in flight, and counts what comes with it. The caller
   * extends it (`heartbeat`) and releases it.
   */
  async acquireSlot(customerId: string, featureId: string, options: SlotOptions = {}): Promise<AcquiredSlot> {
    const request = acquiring(this.policy, customerId, featureId, options);
    return acquired(request, await this.call(method.acquireSlot, request));
  }

  /**
   * Does work while it holds a slot, which is extended meanwhile and released after it, whatever comes of
   * the work. Where there is no slot the work is not begun: it rejects with QuotaDenied.
   *
   * @param work - its result is what this resolves to. `signal` of the slot is aborted when the slot has
   * ended all the same, as when no server could be reached for `ttlMs`.
   */
  async withSlot<T>(
    customerId: string,
    featureId: string,
    work: (slot: LiveSlot) => T | PromiseLike<T>,
    options: SlotOptions = {},
  ): Promise<T> {
    const sent = clock();
    const answer = await this.acquireSlot(customerId, featureId, options);
    if (!answer.allowed) throw denied(answer);
    const { slotId } = answer;
    const request = beating(customerId, slotId, options.ttlMs);
    const beat: Beat = (timeoutMs) =>
      this.callOnce(method.heartbeat, request, Math.min(timeoutMs, this.policy.timeoutMs));
    const slot = new ExtendedSlot(answer, options.ttlMs ?? TTL_MS, sent, beat, clock);
    try {
      return await work(slot);
    } finally {
      slot.leave();
      // Where no server is reached, it ends by itself.
      await this.releaseSlot(customerId, slotId).catch(() => undefined);
    }
  }

  /** Lets a slot end so many milliseconds from now, never earlier than before; resolves to when. */
  async heartbeat(customerId: string, slotId: string, ttlMs?: number): Promise<Date | null> {
    return answers.time((await this.call(method.heartbeat, beating(customerId, slotId, ttlMs))).expiresAt);
  }

  /** Frees a slot; resolves to whether it was held. */
  async releaseSlot(customerId: string, slotId: string): Promise<boolean> {
    const request = create(pb.ReleaseSlotRequestSchema, {
      customerId: text("customerId", customerId),
      slotId: text("slotId", slotId),
    });
    return (await this.call(method.releaseSlot, request)).released;
  }

  /** The slots of a feature that a customer holds now, those that end first. */
  async listSlots(customerId: string, featureId: string, resourceId = ""): Promise<HeldSlot[]> {
    const request = create(pb.ListSlotsRequestSchema, asked(customerId, featureId, resourceId));
    return (await this.call(method.listSlots, request)).slots.map(heldSlot);
  }

  /** Lends up to a quantity of a hard limit, to spend it without asking; `LeasedClient` does it by itself. */
  async acquireLease(
    customerId: string,
    featureId: string,
    quantity: Quantity,
    options: LeaseOptions = {},
  ): Promise<LeaseTerm> {
    const request = lending(customerId, featureId, quantity, options);
    return leaseTerm(request, await this.call(method.acquireLease, request));
  }

  /** Reports what was spent, and keeps, returns or refills what is lent, for a new term. */
  async renewLease(customerId: string, leaseId: string, options: RenewOptions): Promise<LeaseTerm> {
    const request = renewing(customerId, leaseId, options);
    return leaseTerm(request, await this.call(method.renewLease, request));
  }

  /**
   * Returns what was not spent of a lease; resolves to how much that was.
   *
   * @param spent - in all, since it was acquired.
   */
  async releaseLease(customerId: string, leaseId: string, spent: Quantity): Promise<number> {
    const request = returning(customerId, leaseId, spent);
    return answers.exact((await this.call(method.releaseLease, request)).returned);
  }
}

/** The fields of a request about one feature. */
export function asked(
  customerId: string,
  featureId: string,
  resourceId: string,
): { customerId: string; featureId: string; resourceId: string } {
  return {
    customerId: text("customerId", customerId),
    featureId: text("featureId", featureId),
    resourceId: text("resourceId", resourceId),
  };
}
