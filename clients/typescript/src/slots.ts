/** A slot that is held while work goes on: extended by itself, and released after it. */

import type { Clock } from "./clock.js";
import { QuotaDenied, QuotaError } from "./errors.js";
import type { AcquiredSlot } from "./holds.js";

/** Heartbeats per `ttlMs`, so that one may fail. */
const BEATS = 3;

/** The part of the `ttlMs` after which one that has failed is sent again. */
const AGAIN = 10;

/** Reasons of a server that does not hold the slot. */
const GONE = ["NOT_FOUND", "NOT_OPEN"];

/** What work may know of the slot that it holds. */
export interface LiveSlot {
  readonly slotId: string;
  /** The server's answer to the acquire. */
  readonly answer: AcquiredSlot;
  /**
   * Whether it has ended under its holder: it was not extended in time, or a server does not hold it.
   * Another may be at work in its place: stop.
   */
  readonly lost: boolean;
  /** Aborted when it is lost. */
  readonly signal: AbortSignal;
}

/** Extends a slot once; takes the milliseconds that it may take. */
export type Beat = (timeoutMs: number) => Promise<unknown>;

/** Extends what was acquired until it is left. Its timer keeps no process alive: the work does. */
export class ExtendedSlot implements LiveSlot {
  readonly answer: AcquiredSlot;
  readonly #ttlMs: number;
  readonly #beat: Beat;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  #ends: number;
  #timer: NodeJS.Timeout | undefined;
  #left = false;

  /**
   * @param answer - to the acquire, which has allowed it.
   * @param asked - when that was sent, by the clock.
   */
  constructor(answer: AcquiredSlot, ttlMs: number, asked: number, beat: Beat, clock: Clock) {
    this.answer = answer;
    this.#ttlMs = ttlMs;
    this.#beat = beat;
    this.#clock = clock;
    this.#ends = asked + ttlMs;
    // Of one that was held before it is not known here when it ends.
    this.#wait(answer.decision.replayed ? asked : asked + ttlMs / BEATS);
  }

  get slotId(): string {
    return this.answer.slotId;
  }

  get lost(): boolean {
    if (!this.#left && this.#clock() >= this.#ends) this.#lost.abort();
    return this.#lost.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Extends it no more. */
  leave(): void {
    this.#left = true;
    clearTimeout(this.#timer);
  }

  #wait(until: number): void {
    const now = this.#clock();
    const when = Math.max(Math.min(until, this.#ends) - now, 0);
    this.#timer = setTimeout(() => void this.#extend(), when).unref();
  }

  async #extend(): Promise<void> {
    if (this.lost) return;
    const sent = this.#clock();
    let next: number;
    try {
      await this.#beat(Math.min(this.#ttlMs / BEATS, this.#ends - sent));
      this.#ends = Math.max(this.#ends, sent + this.#ttlMs);
      next = sent + this.#ttlMs / BEATS;
    } catch (error) {
      if (!(error instanceof QuotaError) || GONE.includes(error.reason)) {
        if (!this.#left) this.#lost.abort(); // also when the client was closed
        return;
      }
      next = this.#clock() + this.#ttlMs / AGAIN;
    }
    if (!this.#left) this.#wait(next);
  }
}

/** The exception for a slot that there is not. */
export function denied(answer: AcquiredSlot): QuotaDenied {
  const { stoppedBy, reason, retryAfterMs } = answer.decision;
  const what = stoppedBy === null || stoppedBy === 0 ? "the slot" : `also[${stoppedBy - 1}]`;
  const wait = retryAfterMs === null ? "" : `; try again in ${(retryAfterMs / 1000).toFixed(1)} s`;
  return new QuotaDenied(`${what} was denied: ${reason}${wait}`, answer);
}
