/** The client that decides in its own process, from leases. */

import { type ClientOptions, QuotadClient } from "./client.js";
import { clock, type Clock } from "./clock.js";
import type { ConsumeOptions, Quantity } from "./requests.js";
import type { Decision } from "./results.js";
import { type Leased, Tranche } from "./tranche.js";

/** Most units that are leased at a time. */
const TRANCHE = 1000;

/** Most features of customers that are leased, or looked at whether they are worth it. */
const TRANCHES_MAX = 10_000;

/** How often it is looked for what is due, in milliseconds. */
const LOOK_MS = 100;

/** How often it is looked for what is not asked for any more. */
const FORGET_MS = 5000;

/** How many leases are tended, or given back, at a time. */
const TENDED_MAX = 16;

/** How a client leases. */
export interface LeasedClientOptions extends ClientOptions {
  /** Most units of one feature of one customer that are leased at a time; absent: 1,000. */
  readonly tranche?: number | undefined;
  /** Milliseconds, that never jump and go on while the machine sleeps; absent: the machine's. */
  readonly clock?: Clock | undefined;
}

/** Those that hold leases, to give them back when the process ends. */
const lenders = new Set<LeasedClient>();

/**
 * Decides from leases where it can, and asks the server for the rest.
 *
 * Close it, and wait until it is: `await quotad.close()` returns what is leased and not spent.
 */
export class LeasedClient extends QuotadClient {
  readonly #most: number;
  readonly #clock: Clock;
  /** By customer, then by feature and resource. */
  readonly #tranches = new Map<string, Map<string, Tranche>>();
  #size = 0;
  readonly #urgent: Tranche[] = [];
  readonly #tended = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #forgot = 0;
  #stopping = false;

  /**
   * @param address - HOST:PORT, several of them with commas between, or `unix:PATH`.
   * @throws RangeError an address or option that cannot be.
   */
  constructor(address?: string, options: LeasedClientOptions = {}) {
    super(address, options);
    this.#most = options.tranche ?? TRANCHE;
    if (!(Number.isSafeInteger(this.#most) && this.#most >= 1)) {
      throw new RangeError(`tranche: must be a whole number, 1 or more, not ${this.#most}`);
    }
    this.#clock = options.clock ?? clock;
  }

  /**
   * Decides and, when allowed, counts.
   *
   * A call with nothing but ids and a quantity above 0 is decided here when a lease has room for it, and
   * then is a `LocalDecision`.
   *
   * @param quantity - negative gives back, for gauges only.
   */
  override consume(
    customerId: string,
    featureId: string,
    quantity: Quantity = 1,
    options?: ConsumeOptions,
  ): Promise<Decision> {
    const amount = typeof quantity === "bigint" ? Number(quantity) : quantity;
    if (Number.isInteger(amount) && amount > 0 && (!options || isPlain(options))) {
      const resourceId = options?.resourceId ?? "";
      const tranche = this.#tranches.get(customerId)?.get(nameOf(featureId, resourceId));
      const decision = tranche?.take(amount);
      if (decision !== undefined) return decision;
      if (!this.#stopping) this.#missed({ customerId, featureId, resourceId }, tranche, amount);
    }
    return super.consume(customerId, featureId, quantity, options);
  }

  /** Returns what is leased and not spent; from now on the server decides. */
  async giveAllBack(): Promise<void> {
    this.#stopping = true;
    this.#rest();
    this.#urgent.length = 0;
    await Promise.all(this.#tended);
    const held = this.#all().filter((each) => each.leased);
    while (held.length > 0) {
      const some = held.splice(0, TENDED_MAX);
      await Promise.all(some.map((each) => each.giveBack()));
      if (some.some((each) => each.leased)) break; // no server answers; what is left counts as used
    }
  }

  /** Returns what is leased and not spent, and closes the connection. */
  override async close(): Promise<void> {
    try {
      if (!this.connection.closed) await this.giveAllBack();
    } finally {
      super.close();
    }
  }

  #missed(of: Leased, known: Tranche | undefined, quantity: number): void {
    if (quantity > this.#most) return;
    const tranche = known ?? this.#add(of);
    tranche?.miss(quantity);
  }

  #add(of: Leased): Tranche | undefined {
    const { customerId, featureId, resourceId } = of;
    if (this.#size >= TRANCHES_MAX) return undefined;
    // What is no text is refused by its field.
    if (![customerId, featureId, resourceId].every((each) => typeof each === "string")) return undefined;
    const tranche = new Tranche(of, this, this.#most, (due) => this.#put(due), this.#clock);
    let features = this.#tranches.get(customerId);
    if (features === undefined) this.#tranches.set(customerId, (features = new Map()));
    features.set(nameOf(featureId, resourceId), tranche);
    this.#size++;
    if (this.#timer === undefined) {
      this.#forgot = this.#clock();
      this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
      if (lenders.size === 0) process.on("beforeExit", giveBackAtTheEnd);
      lenders.add(this);
    }
    return tranche;
  }

  #put(tranche: Tranche): void {
    if (this.#stopping) return;
    this.#urgent.push(tranche);
    this.#tend();
  }

  /** Tends what is due, a few at a time. */
  #tend(): void {
    while (this.#tended.size < TENDED_MAX) {
      const tranche = this.#urgent.shift();
      if (tranche === undefined) return;
      const done: Promise<void> = tranche
        .tend()
        .catch(() => undefined) // the client was closed meanwhile
        .then(() => {
          this.#tended.delete(done);
          this.#tend();
        });
      this.#tended.add(done);
    }
  }

  /** Finds what is due, and forgets what is not asked for any more. */
  #look(): void {
    const now = this.#clock();
    for (const each of this.#all()) if (each.claim(now)) this.#put(each);
    if (now - this.#forgot < FORGET_MS) return;
    this.#forgot = now;
    for (const [customerId, features] of this.#tranches) {
      for (const [name, tranche] of features) {
        if (!tranche.forgetIfIdle(now)) continue;
        features.delete(name);
        this.#size--;
      }
      if (features.size === 0) this.#tranches.delete(customerId);
    }
    if (this.#size === 0) this.#rest();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    lenders.delete(this);
    if (lenders.size === 0) process.off("beforeExit", giveBackAtTheEnd);
  }

  #all(): Tranche[] {
    return [...this.#tranches.values()].flatMap((features) => [...features.values()]);
  }
}

function giveBackAtTheEnd(): void {
  for (const each of lenders) void each.giveAllBack().catch(() => undefined);
}

function nameOf(featureId: string, resourceId: string): string {
  return resourceId === "" ? featureId : `${featureId}\n${resourceId}`;
}

/** Whether a call has nothing that only a server can do. */
function isPlain(options: ConsumeOptions): boolean {
  const { idempotencyKey, explain, bestEffort, requestedValues } = options;
  return idempotencyKey === undefined && explain !== true && bestEffort !== true && !requestedValues?.length;
}
