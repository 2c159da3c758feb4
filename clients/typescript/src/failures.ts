/** From what a call failed with, on the wire or below it, to the errors of this package. */

import { Code, ConnectError } from "@connectrpc/connect";

import { QuotaDeadline, type QuotaError, QuotaInvalid, QuotaServerError, QuotaUnavailable } from "./errors.js";

const REASON = "quotad-reason";

/** What Node calls the end of an attempt to connect: nothing was sent. */
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "EACCES",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** The error for a status code by number, as answers and the results of a batch carry it. */
export function fromStatus(code: number, message: string, reason: string, cause?: unknown): QuotaError {
  switch (code) {
    case Code.InvalidArgument:
      return new QuotaInvalid(message, "INVALID_ARGUMENT", reason, cause);
    case Code.Unavailable:
      return new QuotaUnavailable(message, reason, cause, reason === "");
    case Code.DeadlineExceeded:
      return new QuotaDeadline(message, reason, cause);
    default:
      return new QuotaServerError(message, codeName(code), reason, cause);
  }
}

/** The error for a failed call. */
export function fromCall(error: unknown, address: string): QuotaError {
  const failed = ConnectError.from(error);
  const reason = failed.metadata.get(REASON) ?? "";
  const node = nodeCode(failed);
  if (node === undefined || failed.code === Code.DeadlineExceeded) {
    return fromStatus(failed.code, failed.rawMessage, reason, failed);
  }
  // Node's own words have no address for a socket file, and none at all for an empty reply.
  const message = `${address}: ${failed.rawMessage || node}`;
  return new QuotaUnavailable(message, "", failed, !NEVER_SENT.has(node));
}

function codeName(code: number): string {
  const name = Code[code] ?? "Unknown";
  return name === "Canceled" ? "CANCELLED" : name.replace(/(?!^)[A-Z]/g, "_$&").toUpperCase();
}

/** The code of the error of Node that a call failed with; undefined when a server answered. */
function nodeCode(error: ConnectError): string | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  }
  return undefined;
}
