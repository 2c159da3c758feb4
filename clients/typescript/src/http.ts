/** What a page asks quotad: over HTTP, by `fetch`, in browsers and wherever else there is one. */

import type { QuotaError } from "./errors.js";
import { changes } from "./event-stream.js";
import { decisionOf, entitlementsOf } from "./json.js";
import { fromFetch, fromProblem, notQuotad } from "./problems.js";
import { reopened } from "./reopening.js";
import type { Decision, Entitlements } from "./results.js";
import type { WatchedChange, WatchOptions } from "./watching.js";

/** How a page reaches quotad. */
export interface BrowserOptions {
  /** Where quotad serves HTTP: `https://quotad.example`; absent or empty: where the page comes from. */
  readonly address?: string | undefined;
  /** A token of the role `client`: no secret. Absent: the server asks for none. */
  readonly token?: string | undefined;
  /** Proves the customer: the HMAC that your backend has made of its id. */
  readonly customerKey?: string | undefined;
  /** Milliseconds for one answer; absent: 10,000. */
  readonly timeoutMs?: number | undefined;
}

const PRINTABLE = /^[!-~]*$/;

/** Ids that a browser would take out of a path: `.`, `..`, and those that are read as them. */
const DOTS = /^~*\.{1,2}$/;

/**
 * Reads what one customer may use; counts nothing, as a page can prove nothing.
 *
 * @throws RangeError of the constructor: an option that cannot be right.
 */
export class BrowserClient {
  readonly #address: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  constructor(options: BrowserOptions = {}) {
    const { address = "", token = "", customerKey = "", timeoutMs = 10_000 } = options;
    if (!/^(https?:\/\/[^\s?#]+)?$/.test(address)) {
      throw new RangeError(`address: must be https://HOST or http://HOST:PORT, not ${JSON.stringify(address)}`);
    }
    if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs: must be above 0, not ${timeoutMs}`);
    if (!(PRINTABLE.test(token) && PRINTABLE.test(customerKey))) {
      throw new RangeError("token, customerKey: must be as quotad and your backend have made them");
    }
    if (token !== "" && customerKey === "") {
      // No client token goes without; any other is a secret, and is not to be in a page.
      throw new RangeError("customerKey: missing; a token for pages has the role client, and comes with the customer's key");
    }
    this.#address = address.replace(/\/+$/, "");
    this.#timeoutMs = timeoutMs;
    this.#headers = token === "" ? {} : { "x-api-key": token, "x-customer-key": customerKey };
  }

  /** What the customer may do with every feature that its plan grants. */
  async entitlements(customerId: string, resourceId = "", signal?: AbortSignal): Promise<Entitlements> {
    const query = resourceId === "" ? "" : `?${new URLSearchParams({ resource_id: resourceId })}`;
    return entitlementsOf(await this.#json(`/v1/customers/${segment(customerId)}/entitlements${query}`, {}, signal));
  }

  /** Whether the customer may use so much of a feature now. */
  async check(
    customerId: string,
    featureId: string,
    quantity = 1,
    options: { readonly resourceId?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Decision> {
    const { resourceId = "", signal } = options;
    const asked = { customer_id: customerId, feature_id: featureId, quantity, ...(resourceId && { resource_id: resourceId }) };
    return decisionOf(await this.#json("/v1/check", { method: "POST", body: JSON.stringify(asked) }, signal));
  }

  /** The customer's changes as they come, until the signal or the loop that reads them ends it. */
  async *watch(options: WatchOptions): AsyncGenerator<WatchedChange, void> {
    let position = options.position ?? "";
    const { customerId = "", usage = false } = options;
    const open = (signal: AbortSignal) => this.#stream({ customer_id: customerId, usage: `${usage}`, position }, signal);
    for await (const change of reopened(open, options)) {
      position = change?.position ?? position;
      if (change !== null) yield change;
    }
  }

  async *#stream(query: Record<string, string>, signal: AbortSignal): AsyncGenerator<WatchedChange | null, void> {
    const response = await this.#fetch(`/v1/events?${new URLSearchParams(query)}`, {}, signal);
    if (!response.ok || !isOf(response, "text/event-stream") || response.body === null) {
      throw await this.#failure(response);
    }
    try {
      yield* changes(response.body);
    } catch (error) {
      throw error instanceof TypeError ? fromFetch(error, this.#address) : error;
    }
  }

  async #json(path: string, init: RequestInit, signal: AbortSignal | undefined): Promise<unknown> {
    const late = AbortSignal.timeout(this.#timeoutMs);
    const response = await this.#fetch(path, init, signal === undefined ? late : AbortSignal.any([signal, late]));
    if (!response.ok || !isOf(response, "application/json")) throw await this.#failure(response);
    try {
      return await response.json();
    } catch (error) {
      throw fromFetch(error, this.#address);
    }
  }

  async #fetch(path: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    const headers = init.body === undefined ? this.#headers : { ...this.#headers, "content-type": "application/json" };
    try {
      return await fetch(this.#address + path, { ...init, headers, signal, credentials: "omit" });
    } catch (error) {
      throw fromFetch(error, this.#address || "this page's server");
    }
  }

  async #failure(response: Response): Promise<QuotaError> {
    const { status } = response;
    if (!isOf(response, "application/problem+json")) {
      await response.body?.cancel();
      return notQuotad(this.#address || "this page's server", status);
    }
    const seconds = Number(response.headers.get("retry-after") ?? 0);
    return fromProblem(status, await response.json().catch(() => null), seconds > 0 ? seconds * 1000 : 0);
  }
}

function isOf(response: Response, type: string): boolean {
  return (response.headers.get("content-type") ?? "").startsWith(type);
}

function segment(id: string): string {
  if (typeof id !== "string" || id === "") throw new RangeError("customerId: missing");
  return encodeURIComponent(DOTS.test(id) ? `~${id}` : id);
}
