/** How long a call may take, and how it is tried again when no server answers. */

import { setTimeout as pause } from "node:timers/promises";

import { QuotaUnavailable } from "./errors.js";

const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 1000;

/**
 * Before a call is repeated whose connection broke under way: a server takes nothing for it any more
 * after its `store_timeout_ms` (250 by default), and 50 ms are for getting there.
 */
const GIVEN_UP_MS = 300;

/**
 * How long the server remembers a key that the client made. Its only use is the retries of one call,
 * so the server's own time to live (made for callers' keys) would fill the store for nothing.
 */
const KEY_TTL_MIN_MS = 60_000;

/** Longest wait that a server may ask for. */
const WAIT_MAX_MS = 5000;

/** Of all calls of one client. */
export interface Policy {
  /** Of one call, all its tries together. */
  readonly timeoutMs: number;
  /** Further tries after UNAVAILABLE. */
  readonly retries: number;
  /** How long the server has to remember a key of the client's making. */
  readonly keyTtlMs: number;
}

/** A policy of what a caller has set. */
export function policy(timeoutMs = 1000, retries = 2): Policy {
  if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs: must be above 0, not ${timeoutMs}`);
  if (!(Number.isInteger(retries) && retries >= 0)) {
    throw new RangeError(`retries: must be a whole number, 0 or more, not ${retries}`);
  }
  return { timeoutMs, retries, keyTtlMs: Math.max(KEY_TTL_MIN_MS, Math.ceil(2 * timeoutMs)) };
}

/** One call, tried again while no server answers and time is left; throws the last try's error. */
export async function retried<T>(policy: Policy, call: (timeoutMs: number) => Promise<T>): Promise<T> {
  const ends = performance.now() + policy.timeoutMs;
  for (let attempt = 0; ; attempt++) {
    let pauseMs: number;
    try {
      return await call(ends - performance.now());
    } catch (error) {
      if (!(error instanceof QuotaUnavailable) || attempt >= policy.retries) throw error;
      pauseMs = pauseAfter(attempt, error);
      if (performance.now() + pauseMs >= ends) throw error;
    }
    await pause(pauseMs);
  }
}

/**
 * The pause after a failed try (0 is the first): doubled each time, half of it random, so that callers
 * that failed together do not come back together. After a call that a server may still process, it is
 * long enough for that to end, and after one that a server has asked not to repeat for a while, it begins
 * after that.
 */
export function pauseAfter(attempt: number, error: QuotaUnavailable): number {
  const longest = Math.min(PAUSE_MIN_MS * 2 ** Math.min(attempt, 16), PAUSE_MAX_MS);
  const drawn = longest * (0.5 + Math.random() / 2);
  if (error.mayRunLater) return GIVEN_UP_MS + drawn;
  return Math.min(error.retryAfterMs ?? 0, WAIT_MAX_MS) + drawn;
}
