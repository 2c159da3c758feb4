// A function as platforms run it: a line in is an event, a line out its response, and between two events the
// process may be frozen. The first argument is the address of a server, the second what the clock is off by.
import { createInterface } from "node:readline";

const [address, offMs] = process.argv.slice(2);
let aheadMs = Number(offMs);

// Of everything that asks, also of what is imported from here on.
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...args) {
    super(...(args.length === 0 ? [Real.now() + aheadMs] : args));
  }
  static now() {
    return Real.now() + aheadMs;
  }
};

const { LeasedClient, LocalDecision, QuotadClient } = await import("../../clients/typescript/dist/index.js");

const quotad = new QuotadClient(address, { timeoutMs: 20_000 });
const kinds = () => process.getActiveResourcesInfo().filter((kind) => kind !== "PipeWrap");

const handlers = {
  connected: async () => kinds(),
  consume: async (customerId, featureId) => await quotad.consume(customerId, featureId),
  // With the date of the caller's clock.
  record: async (customerId, featureId) => {
    const recorded = quotad.record(customerId, featureId, 1, { occurredAt: new Date() });
    return recorded.then(({ granted }) => [granted, ""], ({ name, message }) => [0, `${name} ${message}`]);
  },
  // What is left over when the response is there.
  kinds: async () => kinds(),
  // As if it was frozen for so long.
  freeze: async (ms) => void (aheadMs += ms),
  cached: async (customerId, featureId) => {
    const cache = quotad.cache();
    while (!cache.connected) await new Promise((resolve) => setTimeout(resolve, 10));
    const read = [];
    for (let i = 0; i < 3; i++) read.push(await cache.entitlement(customerId, featureId));
    cache.close();
    return [read[0].used, read[0] === read[1], read[1] === read[2]];
  },
  leased: async (customerId, featureId) => {
    const leased = new LeasedClient(address, { timeoutMs: 20_000 });
    let taken = 1;
    while (!((await leased.consume(customerId, featureId)) instanceof LocalDecision)) taken++;
    await leased.close();
    return taken;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify((await handlers[name](...args)) ?? null)}\n`);
}
