/** Decisions that were taken in this process. */

import type { Decision } from "./results.js";

/** What a `LeasedClient` has decided by itself: `decision instanceof LocalDecision`. */
export interface LocalDecision extends Decision {
  readonly allowed: true;
}

/**
 * Decided in this process, from a lease. Amounts are as the server last knew them: `used` has all that is
 * lent.
 */
export class LocalDecision {
  /**
   * @param answer - the server's, to the lease.
   * @param granted - how much was taken.
   */
  constructor(answer: Decision, granted: number) {
    const reason = answer.unlimited ? "UNLIMITED" : "WITHIN_LIMIT";
    Object.assign(this, answer, { allowed: true, reason, granted, retryAfterMs: null, replayed: false });
    Object.freeze(this); // one is the answer to many calls
  }
}
