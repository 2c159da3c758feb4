// Makes clients and calls for tests: one JSON object per line in, one per line out, by its id.
import { createInterface } from "node:readline";

import { BrowserClient } from "../../clients/typescript/dist/browser.js";
import { EntitlementsClient } from "../../clients/typescript/dist/entitlements.js";
import * as exported from "../../clients/typescript/dist/index.js";
import { clocked, dry, fuzz } from "./leasing.mjs";

const { QuotadClient } = exported;
const clients = new Map();

function revive(_, value) {
  if (value?.$date !== undefined) return new Date(value.$date);
  if (value?.$bigint !== undefined) return BigInt(value.$bigint);
  return value;
}

function plain(value) {
  if (!(value instanceof Error)) return value;
  const { name, code, reason, message, retryAfterMs, answer } = value;
  return { $error: { name, code, reason, message, retryAfterMs, answer } };
}

// What a watch has brought, for tests to ask.
class Watching {
  #client;
  #ended = new AbortController();
  #seen = [];
  #lost = 0;

  constructor(client, options) {
    this.#client = client;
    options = { ...options, signal: this.#ended.signal };
    this.#follow(client.watch({ ...options, onLost: () => this.#lost++ })).catch((error) => this.#seen.push(plain(error)));
  }

  async #follow(changes) {
    for await (const change of changes) this.#seen.push(change);
    this.#seen.push("ended");
  }

  seen = async () => this.#seen;
  lost = async () => this.#lost;
  close = async () => this.#client.close();
  end = async () => this.#ended.abort();
}

class Cached {
  #client;
  #cache;
  #errors = [];

  constructor(client, options) {
    this.#client = client;
    this.#cache = client.cache({ ...options, onLost: (error) => this.#errors.push(error?.name ?? null) });
  }

  read = async (...args) => this.#cache.read(...args);
  readAll = async (...args) => this.#cache.readAll(...args);
  connected = async () => this.#cache.connected;
  errors = async () => this.#errors;

  async close() {
    this.#cache.close();
    this.#client.close();
  }
}

// Work that holds slots, begun and ended by tests.
class Holding {
  #client;
  #held = new Map();

  constructor(client) {
    this.#client = client;
  }

  // Resolves when the work has begun.
  begin(name, customerId, featureId, options) {
    return new Promise((resolve, reject) => {
      const held = {};
      const ended = new Promise((end, fail) => Object.assign(held, { end, fail }));
      const work = async (slot) => {
        held.slot = slot;
        this.#held.set(name, held);
        resolve(slot.answer);
        return ended;
      };
      held.done = this.#client.withSlot(customerId, featureId, work, options);
      held.done.catch(reject);
    });
  }

  async end(name, result) {
    const held = this.#held.get(name);
    held.end(result);
    return held.done;
  }

  async fail(name, message) {
    const held = this.#held.get(name);
    held.fail(new TypeError(message));
    return held.done;
  }

  lost = async (name) => this.#held.get(name).slot.lost;
  aborted = async (name) => this.#held.get(name).slot.signal.aborted;
  listSlots = (...args) => this.#client.listSlots(...args);
  releaseSlot = (...args) => this.#client.releaseSlot(...args);
  close = async () => this.#client.close();
}

class Leasing {
  #client;

  constructor(client) {
    this.#client = client;
  }

  async consume(...args) {
    const decision = await this.#client.consume(...args);
    return { ...decision, local: decision instanceof exported.LocalDecision };
  }

  // Until a decision is the client's own; resolves to what was taken.
  async warm(customerId, featureId) {
    for (let taken = 1; ; taken++) if ((await this.consume(customerId, featureId)).local) return taken;
  }

  // By several callers, one after the other each, until they are denied or so much was taken by each.
  async spend(customerId, featureId, quantities, enough = Infinity) {
    const one = async (quantity) => {
      let [taken, local] = [0, 0];
      while (taken < enough) {
        const decision = await this.consume(customerId, featureId, quantity);
        if (!decision.allowed) break;
        taken += decision.granted;
        local += decision.local;
      }
      return [taken, local];
    };
    const spent = await Promise.all(quantities.map(one));
    return spent.reduce((sum, each) => [sum[0] + each[0], sum[1] + each[1]], [0, 0]);
  }

  entitlement = (...args) => this.#client.entitlement(...args);
  giveAllBack = () => this.#client.giveAllBack();
  close = () => this.#client.close();
}

// The public methods of a class, and of those that it extends.
function methodsOf(kind) {
  const own = Object.entries(Object.getOwnPropertyDescriptors(kind.prototype));
  const found = own.filter(([name, { value }]) => name !== "constructor" && typeof value === "function").map(([name]) => name);
  const parent = Object.getPrototypeOf(kind);
  return parent === Function.prototype ? found : [...found, ...methodsOf(parent)];
}

const KINDS = {
  methods: () => ({ of: async (name) => [...new Set(methodsOf({ ...exported, EntitlementsClient }[name]))].sort() }),
  quotad: ({ address, options }) => new QuotadClient(address, options),
  slots: ({ address, options }) => new Holding(new QuotadClient(address, options)),
  leased: ({ address, options }) => new Leasing(new exported.LeasedClient(address, options)),
  functions: () => ({ credits: async (amounts) => exported.credits(amounts) }),
  leasing: () => ({ fuzz, dry, clocked: async (moves) => clocked(moves) }),
  entitlements: ({ address, options }) => new EntitlementsClient({ address, ...options }),
  watch: ({ address, options: { watch, ...options } }) => new Watching(new QuotadClient(address, options), watch),
  browser: ({ address, options }) => new BrowserClient({ address, ...options }),
  "browser watch": ({ address, options: { watch, ...options } }) => new Watching(new BrowserClient({ address, ...options }), watch),
  cache: ({ address, options: { cache, ...options } }) => new Cached(new QuotadClient(address, options), cache),
};

async function perform({ client, make, method, args }) {
  if (make !== undefined) return void clients.set(client, KINDS[make.kind](make));
  const answer = await clients.get(client)[method](...args);
  return Array.isArray(answer) ? answer.map(plain) : answer;
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const asked = JSON.parse(line, revive);
  const answer = await perform(asked).catch(plain);
  process.stdout.write(`${JSON.stringify({ id: asked.id, answer: answer ?? null })}\n`);
});
