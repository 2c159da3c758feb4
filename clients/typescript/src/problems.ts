/** From what a request over HTTP failed with to the errors of this package. */

import { QuotaDeadline, type QuotaError, QuotaInvalid, QuotaServerError, QuotaUnavailable } from "./errors.js";

const CODES: Readonly<Record<number, string>> = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  412: "FAILED_PRECONDITION",
  413: "RESOURCE_EXHAUSTED",
  429: "RESOURCE_EXHAUSTED",
};

/** Of servers that have no such operation. */
const ABSENT = new Set(["NO_SUCH_PATH", "METHOD_NOT_ALLOWED"]);

/** A problem of RFC 9457 as an error. */
export function fromProblem(status: number, body: unknown, retryAfterMs = 0): QuotaError {
  const { detail, reason } = Object(body) as { detail?: unknown; reason?: unknown };
  const word = typeof reason === "string" ? reason : "";
  const message = typeof detail === "string" ? detail : `the answer is ${status}`;
  if (ABSENT.has(word)) {
    return new QuotaServerError(`${message}; the server is of a version without this`, "UNIMPLEMENTED", word);
  }
  if (status === 400) return new QuotaInvalid(message, "INVALID_ARGUMENT", word);
  // A proxy in between answers 502 or 504 where it does not reach the server.
  if (status >= 502 && status <= 504) return new QuotaUnavailable(message, word, { retryAfterMs });
  return new QuotaServerError(message, CODES[status] ?? "INTERNAL", word, { retryAfterMs });
}

/** What is no problem of RFC 9457 and no answer either: something else is at the address. */
export function notQuotad(address: string, status: number): QuotaError {
  if (status >= 502 && status <= 504) return new QuotaUnavailable(`${address}: the answer is ${status}`);
  const message = `${address}: what answers (${status}) is not quotad; is this the address of its HTTP?`;
  return new QuotaServerError(message, "UNIMPLEMENTED");
}

/** What `fetch` has thrown; browsers do not let pages know why. */
export function fromFetch(error: unknown, address: string): QuotaError {
  if (error instanceof Error && error.name === "TimeoutError") {
    return new QuotaDeadline(`${address}: no answer in time`, "", { cause: error });
  }
  const message = `${address}: no server answers, or its cors_origins do not have this page's origin`;
  return new QuotaUnavailable(message, "", { cause: error });
}
