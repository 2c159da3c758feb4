/**
 * What a call can fail with; a denied decision is not among them.
 *
 *     QuotaError
 *     ├── QuotaInvalid        the request can never work: INVALID_ARGUMENT; fix the caller
 *     ├── QuotaUnavailable    no server, or its store is away, after every retry: UNAVAILABLE
 *     ├── QuotaDeadline       the timeout ran out; the quantity may have been taken all the same
 *     └── QuotaServerError    everything else: a token that is refused, an older server, a bug
 *
 * `QuotaDenied` is none of them.
 */

import type { AcquiredSlot } from "./holds.js";

/** What else is known of an error. */
export interface ErrorDetails {
  readonly cause?: unknown;
  /** 0: the server does not ask to wait. */
  readonly retryAfterMs?: number;
  /** Of an unavailable server: whether it may still be at work on the call. */
  readonly mayRunLater?: boolean;
}

/** Base of every error of a call; `name` is that of its class. */
export class QuotaError extends Error {
  /** Name of the gRPC status code: `INVALID_ARGUMENT`. */
  readonly code: string;
  /** The server's stable word for the cause (`IDEMPOTENCY_MISMATCH`); empty when no server answered. */
  readonly reason: string;
  /** Milliseconds that the server asks its callers to wait before they repeat the call; null: it does not. */
  readonly retryAfterMs: number | null;

  constructor(message: string, code = "UNKNOWN", reason = "", details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = details.retryAfterMs || null;
  }
}

/** The request can never work; the message starts with the name of the field. */
export class QuotaInvalid extends QuotaError {
  constructor(message: string, code = "INVALID_ARGUMENT", reason = "INVALID_REQUEST", details: ErrorDetails = {}) {
    super(message, code, reason, details);
  }
}

/** No server answered, or it has no store or catalog now; trying later is right. */
export class QuotaUnavailable extends QuotaError {
  /**
   * Whether a server may still process the call: the connection broke under way. Where a server
   * has answered or none was reached, nothing is taken any more.
   */
  readonly mayRunLater: boolean;

  constructor(message: string, reason = "", details: ErrorDetails = {}) {
    super(message, "UNAVAILABLE", reason, details);
    this.mayRunLater = details.mayRunLater ?? false;
  }
}

/** The timeout ran out. Whether the quantity was taken is unknown: repeat with the same key. */
export class QuotaDeadline extends QuotaError {
  constructor(message: string, reason = "", details: ErrorDetails = {}) {
    super(message, "DEADLINE_EXCEEDED", reason, details);
  }
}

/** The server failed in another way; `code` and `reason` name it. */
export class QuotaServerError extends QuotaError {}

/** Work that needs a slot was not begun, as there was none. No failure of a call, so no QuotaError. */
export class QuotaDenied extends Error {
  /** With the decision: its `reason`, and `retryAfterMs` when waiting helps. */
  readonly answer: AcquiredSlot;

  constructor(message: string, answer: AcquiredSlot) {
    super(message);
    this.name = "QuotaDenied";
    this.answer = answer;
  }
}
