/** Amounts of credit pools as people read them. */

import type { Amounts } from "./results.js";

/** Amounts in whole credits, exact: `"12.50"`. */
export interface Credits {
  /** Null: unlimited, or not counted. */
  readonly limit: string | null;
  readonly used: string;
  readonly remaining: string;
  readonly overage: string;
}

/** The amounts of a decision, a limit or an entitlement in whole credits; without `decimals` they are the same. */
export function credits(amounts: Pick<Amounts, "limit" | "used" | "remaining" | "overage" | "decimals">): Credits {
  const { limit, used, remaining, overage, decimals } = amounts;
  return {
    limit: limit === null ? null : scaled(limit, decimals),
    used: scaled(used, decimals),
    remaining: scaled(remaining, decimals),
    overage: scaled(overage, decimals),
  };
}

function scaled(amount: number, decimals: number): string {
  const digits = String(Math.abs(amount)).padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  const sign = amount < 0 ? "-" : "";
  return sign + digits.slice(0, point) + (decimals === 0 ? "" : `.${digits.slice(point)}`);
}
