/** Entitlements in memory, kept fresh by the change feed. */

import { clock } from "./clock.js";
import { QuotaDeadline, type QuotaError, QuotaUnavailable } from "./errors.js";
import type { Entitlement, Entitlements } from "./results.js";
import type { WatchedChange, WatchOptions } from "./watching.js";

/** How much is kept, and for how long. */
export interface CacheOptions {
  /** Customers (and resources) that are kept; absent: 1,000. Those that were not asked for longest go first. */
  readonly customersMax?: number | undefined;
  /** Milliseconds that a copy is good for without a change, as news of usage may be lost; absent: 30,000. */
  readonly maxAgeMs?: number | undefined;
  /** Called when the change feed is lost, and with an error that ends it for good. */
  readonly onLost?: ((error: QuotaError | Error | undefined) => void) | undefined;
}

/** What the cache asks. */
export interface Source {
  entitlement(customerId: string, featureId: string, resourceId?: string): Promise<Entitlement>;
  entitlements(customerId: string, resourceId?: string): Promise<Entitlements>;
  watch(options: WatchOptions): AsyncGenerator<WatchedChange, void>;
}

/** What is read, and whether it is a copy that may be old since no server answered. */
export interface Read<T> {
  readonly value: T;
  readonly stale: boolean;
}

interface Copy {
  readonly customerId: string;
  readonly all: Promise<Entitlements>;
  /** Features that the customer has not, by id, with the reason. */
  readonly others: Map<string, Promise<Entitlement>>;
  /** By the clock; 0: not good any more. */
  goodUntil: number;
}

/**
 * Reads from memory while the change feed is connected, and else from a server. A change of a customer, of
 * usage or of the catalog drops what it is about, so that the next read is fresh. When no server answers,
 * what was read last is returned as stale.
 */
export class EntitlementCache {
  readonly #source: Source;
  readonly #customersMax: number;
  readonly #maxAgeMs: number;
  readonly #onLost: CacheOptions["onLost"];
  readonly #ended = new AbortController();
  readonly #copies = new Map<string, Copy>();
  #connected = false;
  /** What the store's clock is ahead of the clock here, by the latest change: the one on the wall may be an hour off. */
  #ahead = -Infinity;

  constructor(source: Source, options: CacheOptions = {}) {
    this.#source = source;
    this.#customersMax = options.customersMax ?? 1000;
    this.#maxAgeMs = options.maxAgeMs ?? 30_000;
    this.#onLost = options.onLost;
    void this.#follow();
  }

  /** Whether reads come from memory now. */
  get connected(): boolean {
    return this.#connected;
  }

  /** What the customer may do with every feature that its plan grants. */
  async entitlements(customerId: string, resourceId = ""): Promise<Entitlements> {
    return (await this.readAll(customerId, resourceId)).value;
  }

  /** What the customer may do with one feature. */
  async entitlement(customerId: string, featureId: string, resourceId = ""): Promise<Entitlement> {
    return (await this.read(customerId, featureId, resourceId)).value;
  }

  /** As `entitlements`, and whether it is stale. */
  async readAll(customerId: string, resourceId = ""): Promise<Read<Entitlements>> {
    return this.#or(customerId, resourceId, (copy) => copy.all);
  }

  /** As `entitlement`, and whether it is stale. */
  async read(customerId: string, featureId: string, resourceId = ""): Promise<Read<Entitlement>> {
    return this.#or(customerId, resourceId, async (copy) => {
      const found = (await copy.all).entitlements.find((each) => each.featureId === featureId);
      if (found !== undefined) return found;
      let other = copy.others.get(featureId);
      if (other === undefined) {
        other = this.#source.entitlement(customerId, featureId, resourceId);
        if (copy.others.size < 1000) copy.others.set(featureId, other);
        other.catch(() => copy.others.delete(featureId));
      }
      return other;
    });
  }

  /** Reads again what is kept of a customer the next time; for what this process has changed itself. */
  drop(customerId: string): void {
    for (const copy of this.#copies.values()) if (copy.customerId === customerId) copy.goodUntil = 0;
  }

  /** Ends the change feed. */
  close(): void {
    this.#ended.abort();
    this.#connected = false;
    this.#copies.clear();
  }

  async #or<T>(customerId: string, resourceId: string, read: (copy: Copy) => Promise<T>): Promise<Read<T>> {
    const key = `${customerId}\n${resourceId}`;
    const last = this.#copies.get(key);
    try {
      return { value: await read(this.#copy(key, customerId, resourceId)), stale: false };
    } catch (error) {
      if (last === undefined || !(error instanceof QuotaUnavailable || error instanceof QuotaDeadline)) throw error;
      try {
        const value = await read(last);
        if (!this.#copies.has(key)) this.#copies.set(key, last);
        return { value, stale: true };
      } catch {
        throw error;
      }
    }
  }

  #copy(key: string, customerId: string, resourceId: string): Copy {
    const known = this.#copies.get(key);
    if (known !== undefined && this.#connected && clock() < known.goodUntil) {
      this.#copies.delete(key); // the order is that of use
      this.#copies.set(key, known);
      return known;
    }
    const all = this.#source.entitlements(customerId, resourceId);
    // Good from now on, not from the answer on: a change in between makes it bad, if one can be heard of.
    const goodUntil = this.#connected ? clock() + this.#maxAgeMs : 0;
    const copy: Copy = { customerId, all, others: new Map(), goodUntil };
    this.#copies.delete(key);
    this.#copies.set(key, copy);
    all.then(
      ({ entitlements }) => {
        for (const { resetsAt } of entitlements) {
          if (resetsAt !== null) copy.goodUntil = Math.min(copy.goodUntil, resetsAt.getTime() - this.#ahead);
        }
      },
      () => {
        if (this.#copies.get(key) === copy) this.#copies.delete(key);
      },
    );
    for (const oldest of this.#copies.keys()) {
      if (this.#copies.size <= this.#customersMax) break;
      this.#copies.delete(oldest);
    }
    return copy;
  }

  #dropAll(): void {
    for (const copy of this.#copies.values()) copy.goodUntil = 0;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ended;
    const onConnected = () => {
      this.#connected = true;
    };
    const onLost = (error: QuotaError | Error | undefined) => {
      this.#connected = false;
      this.#dropAll();
      this.#onLost?.(error);
    };
    try {
      for await (const change of this.#source.watch({ usage: true, signal, onConnected, onLost })) {
        if (change.at !== null) this.#ahead = change.at.getTime() - clock();
        if (change.customerId === "") this.#dropAll();
        else this.drop(change.customerId);
      }
    } catch (error) {
      onLost(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
