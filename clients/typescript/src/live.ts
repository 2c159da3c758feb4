/** What one customer may use, kept fresh by the change feed: for what shows it, in a page. */

import { QuotaError } from "./errors.js";
import type { BrowserClient } from "./http.js";
import { withDates } from "./json.js";
import type { Entitlements } from "./results.js";

/** How it is kept fresh. */
export interface LiveOptions {
  readonly resourceId?: string | undefined;
  /**
   * What is known before the first answer, such as from the server that has made the page, also as it was in
   * JSON; what is another customer's is not taken.
   */
  readonly initial?: Entitlements | undefined;
  /** Milliseconds between two reads at least, however much changes; absent: 1,000. */
  readonly refreshMs?: number | undefined;
  /** Milliseconds after which it is read again without a change, as news of usage may be lost; absent: 30,000. */
  readonly maxAgeMs?: number | undefined;
}

/** What is known now; each change is another object. */
export interface LiveState {
  /** As they were read last; null: not yet. */
  readonly entitlements: Entitlements | null;
  /** Why the last read has failed; null: it has not. */
  readonly error: QuotaError | null;
}

/** Errors that no further attempt will be without. */
const LASTING = new Set(["UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT"]);

type Page = {
  readonly hidden: boolean;
  addEventListener(type: "visibilitychange", listener: () => void, options: { signal: AbortSignal }): void;
};

/**
 * Reads a customer's entitlements, and again at each change while it is started. A page that is not looked
 * at keeps no connection: browsers have few for one server.
 */
export class LiveEntitlements {
  readonly #client: BrowserClient;
  readonly #customerId: string;
  readonly #options: LiveOptions;
  readonly #listeners = new Set<() => void>();
  #state: LiveState;
  #starts = 0;
  #looking: AbortController | undefined;
  #following = false;
  #reading = false;
  /** Asked for while one was under way. */
  #again = false;
  #readAt = Number.NEGATIVE_INFINITY;
  #next: ReturnType<typeof setTimeout> | undefined;
  #nextAt = 0;

  constructor(client: BrowserClient, customerId: string, options: LiveOptions = {}) {
    this.#client = client;
    this.#customerId = customerId;
    this.#options = options;
    const { initial, resourceId = "" } = options;
    const known = initial?.customerId === customerId && initial.resourceId === resourceId;
    this.#state = { entitlements: known ? withDates(initial) : null, error: null };
  }

  /** What is known now; the same object until something changes. */
  get state(): LiveState {
    return this.#state;
  }

  /** Calls a listener after each change; returns what ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Begins to read; returns what ends it, and with the last one all requests. */
  start(): () => void {
    const started = new AbortController();
    if (this.#starts++ === 0) this.#look();
    const { document } = globalThis as { document?: Page };
    document?.addEventListener("visibilitychange", () => this.#look(), { signal: started.signal });
    return () => {
      if (started.signal.aborted) return;
      started.abort();
      if (--this.#starts === 0) this.#lookAway();
    };
  }

  /** Reads again, soon. */
  refresh(): void {
    const { refreshMs = 1000 } = this.#options;
    this.#readIn(Math.max(0, this.#readAt + refreshMs - performance.now()));
  }

  #look(): void {
    const { document } = globalThis as { document?: Page };
    if (document?.hidden === true) return this.#lookAway();
    if (this.#looking !== undefined) return;
    this.#looking = new AbortController();
    this.refresh();
  }

  #lookAway(): void {
    this.#looking?.abort();
    this.#looking = undefined;
    this.#following = false;
    clearTimeout(this.#next);
    this.#next = undefined;
  }

  #readIn(ms: number): void {
    const at = performance.now() + ms;
    if (this.#looking === undefined || (this.#next !== undefined && this.#nextAt <= at)) return;
    clearTimeout(this.#next);
    this.#nextAt = at;
    this.#next = setTimeout(() => void this.#read(), ms);
  }

  async #read(): Promise<void> {
    this.#next = undefined;
    const signal = this.#looking?.signal;
    if (signal === undefined) return;
    if (this.#reading) return void (this.#again = true);
    if (!this.#following) void this.#follow(signal);
    this.#reading = true;
    this.#readAt = performance.now();
    try {
      const entitlements = await this.#client.entitlements(this.#customerId, this.#options.resourceId, signal);
      if (!signal.aborted) this.#set({ entitlements, error: null });
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
    this.#reading = false;
    if (this.#again) this.refresh();
    else if (!LASTING.has(this.#state.error?.code ?? "")) this.#readIn(this.#options.maxAgeMs ?? 30_000);
    this.#again = false;
  }

  /** Reads again at each change. Where a server has no feed, it is asked for one at each read. */
  async #follow(signal: AbortSignal): Promise<void> {
    this.#following = true;
    try {
      for await (const _ of this.#client.watch({ customerId: this.#customerId, usage: true, signal })) this.refresh();
    } catch (error) {
      if (!signal.aborted && error instanceof QuotaError && LASTING.has(error.code)) this.#failed(error);
    }
    if (this.#looking?.signal === signal) this.#following = false;
  }

  #failed(error: unknown): void {
    const known = error instanceof QuotaError ? error : new QuotaError(String(error));
    this.#set({ entitlements: this.#state.entitlements, error: known });
  }

  #set(state: LiveState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
