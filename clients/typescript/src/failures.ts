/** From what a call failed with, on the wire or below it, to the errors of this package. */

import { Code, ConnectError } from "@connectrpc/connect";

import { type ErrorDetails, QuotaDeadline, type QuotaError, QuotaInvalid, QuotaServerError, QuotaUnavailable } from "./errors.js";

const REASON = "quotad-reason";
const RETRY_AFTER = "quotad-retry-after-ms";

/** More digits would be no time that anything waits for. */
const MILLISECONDS = /^\d{1,9}$/;

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
export function fromStatus(code: number, message: string, reason: string, details: ErrorDetails): QuotaError {
  switch (code) {
    case Code.InvalidArgument:
      return new QuotaInvalid(message, "INVALID_ARGUMENT", reason, details);
    case Code.Unavailable:
      return new QuotaUnavailable(message, reason, { ...details, mayRunLater: reason === "" });
    case Code.DeadlineExceeded:
      return new QuotaDeadline(message, reason, details);
    default:
      return new QuotaServerError(message, codeName(code), reason, details);
  }
}

/** What the words of Node and OpenSSL do not say: what to look at. */
const WORDS: Readonly<Record<string, string>> = {
  "ERR_HTTP2_ERROR Protocol error": "no server of gRPC is here; is it the port of HTTP, or of TLS?",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server does not speak TLS",
};

/** What a server of grpcio that ends makes of calls that it has not looked at yet. */
const CANCELLED = "CANCELLED";

/** How Connect words the end of a connection before the answer was whole. */
const BROKEN = /^(http\/2 .* closed with error code (CANCEL|REFUSED_STREAM|ENHANCE_YOUR_CALM)|protocol error: missing )/;

/** The error for a failed call. */
export function fromCall(error: unknown, address: string): QuotaError {
  const failed = ConnectError.from(error);
  const { code, metadata, rawMessage } = failed;
  if (code === Code.Canceled && rawMessage === CANCELLED && !metadata.has(REASON)) {
    return new QuotaUnavailable(rawMessage, "", { cause: failed, mayRunLater: true });
  }
  if (code === Code.DeadlineExceeded || metadata.has("grpc-status")) {
    const wait = metadata.get(RETRY_AFTER) ?? "";
    const retryAfterMs = MILLISECONDS.test(wait) ? Number(wait) : 0;
    return fromStatus(code, rawMessage, metadata.get(REASON) ?? "", { cause: failed, retryAfterMs });
  }
  const node = nodeCode(failed);
  if (node === undefined && !BROKEN.test(rawMessage)) return fromStatus(code, rawMessage, "", { cause: failed });
  // No server has answered. Node's own words may lack the address, or be none at all.
  const message = `${address}: ${WORDS[`${node} ${rawMessage}`] ?? WORDS[node ?? ""] ?? (rawMessage.trim() || node)}`;
  const mayRunLater = node === undefined || !NEVER_SENT.has(node);
  return new QuotaUnavailable(message, "", { cause: failed, mayRunLater });
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
