import { QuotaDeadline, QuotaUnavailable } from "@quotad/client";

/**
 * Middleware that takes what a route uses before the route runs, in one atomic act, so that no number of
 * requests at once passes the limit. What the route does not do (5xx) is given back.
 */
export function metered(quotad, featureId, customerOf, quantity = 1) {
  return async (request, response, next) => {
    const customerId = customerOf(request);
    let decision;
    try {
      decision = await quotad.consume(customerId, featureId, quantity);
    } catch (error) {
      if (!(error instanceof QuotaUnavailable || error instanceof QuotaDeadline)) throw error;
      // Nobody knows whether there is room. This route stays closed; `return next()` would open it.
      response.set("Retry-After", seconds(error.retryAfterMs ?? 1000));
      return response.status(503).json({ error: "Not possible now. Try again." });
    }
    if (!decision.allowed) return refuse(response, decision);
    response.once("finish", () => {
      if (response.statusCode < 500) return;
      quotad.refund(customerId, featureId, decision.granted).catch((error) => console.error("not given back:", error));
    });
    next();
  };
}

function refuse(response, decision) {
  // Of what is not part of the plan there will be none later either.
  const status = decision.reason === "LIMIT_EXCEEDED" ? 429 : 403;
  if (decision.retryAfterMs !== null) response.set("Retry-After", seconds(decision.retryAfterMs));
  response.status(status).json({ error: decision.reason, limit: decision.limit, resetsAt: decision.resetsAt });
}

function seconds(ms) {
  return String(Math.ceil(ms / 1000));
}
