import { QuotaDeadline, QuotaUnavailable, type QuotadClient } from "@quotad/client";

/** A route handler of Next.js: what `export const POST` is. */
type Handler<Context> = (request: Request, context: Context) => Promise<Response> | Response;

/** What a route takes, and from whom: the customer is who is signed in, never what the request says. */
interface Metered {
  readonly quotad: QuotadClient;
  readonly featureId: string;
  readonly quantity?: number;
  readonly customerOf: (request: Request) => Promise<string> | string;
}

/**
 * A handler that takes what it uses before it runs, in one atomic act, so that no number of requests at once
 * passes the limit. What it does not do (it throws, or answers 5xx) is given back.
 */
export function metered<Context>(
  { quotad, featureId, quantity = 1, customerOf }: Metered,
  handler: Handler<Context>,
): Handler<Context> {
  return async (request, context) => {
    const customerId = await customerOf(request);
    let decision;
    try {
      decision = await quotad.consume(customerId, featureId, quantity);
    } catch (error) {
      if (!(error instanceof QuotaUnavailable || error instanceof QuotaDeadline)) throw error;
      // Nobody knows whether there is room. This route stays closed; `return handler(...)` would open it.
      return refused(503, "Not possible now. Try again.", error.retryAfterMs ?? 1000);
    }
    if (!decision.allowed) {
      // Of what is not part of the plan there will be none later either.
      return refused(decision.reason === "LIMIT_EXCEEDED" ? 429 : 403, decision.reason, decision.retryAfterMs);
    }
    let done = false;
    try {
      const response = await handler(request, context);
      done = response.status < 500;
      return response;
    } finally {
      if (!done) await quotad.refund(customerId, featureId, decision.granted).catch(console.error);
    }
  };
}

function refused(status: number, error: string, retryAfterMs: number | null): Response {
  const headers: Record<string, string> = retryAfterMs === null ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return Response.json({ error }, { status, headers });
}
