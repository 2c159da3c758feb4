// Callers in one process of Node, each waiting for its answer before it asks again; what it cost as JSON.
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { QuotaService } from "./dist/gen/quotad/v1/quota_pb.js";
import { LeasedClient, QuotadClient } from "./dist/index.js";

const [kind, address, callers, seconds] = process.argv.slice(2);
const CUSTOMERS = kind === "leases" ? 1 : 1000; // what is leased is asked for often
const FEATURE = "feature-api-calls";

let end = () => undefined;

function asking() {
  if (kind === "stub") {
    const stub = createClient(QuotaService, createGrpcTransport({ baseUrl: `http://${address}` }));
    return async (customerId) => {
      const asked = { customerId, featureId: FEATURE, quantity: 1n };
      return Number((await stub.checkAndConsume(asked, { timeoutMs: 20_000 })).granted);
    };
  }
  const options = { timeoutMs: 20_000, retries: 0 };
  if (kind === "leases") {
    const client = new LeasedClient(address, { ...options, tranche: 5_000_000 });
    end = () => client.close();
    return async (customerId) => (await client.consume(customerId, FEATURE)).granted;
  }
  const client = new QuotadClient(address, { ...options, coalesce: kind === "coalesce" });
  return async (customerId) => (await client.consume(customerId, FEATURE)).granted;
}

const ask = asking();
let allowed = 0;
let calls = 0;

async function run(ms) {
  const ends = performance.now() + ms;
  const one = async (number) => {
    for (let made = 0; performance.now() < ends; made++) {
      const granted = await ask(`c-${(number * 7919 + made) % CUSTOMERS}`);
      allowed += granted;
      calls++;
    }
  };
  await Promise.all(Array.from({ length: Number(callers) }, (_, number) => one(number)));
}

await run(500); // what is compiled while it warms up is not what calls cost
// Nor is what happens until a tranche has grown to what callers need.
for (let round = 0; kind === "leases" && round < 20; round++) {
  const before = calls;
  await run(100);
  if (calls - before > 10_000) break;
}
const warm = { calls, begun: performance.now(), cpu: process.cpuUsage() };
await run(Number(seconds) * 1000);
const { user, system } = process.cpuUsage(warm.cpu);
const took = performance.now() - warm.begun;
await end(); // what is leased and not spent comes back
const made = calls - warm.calls;
const spent = { calls: made, allowed, seconds: took / 1000 };
console.log(JSON.stringify({ ...spent, cpu_s: (user + system) / 1e6 }));
process.exit(0);
