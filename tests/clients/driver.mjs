// Makes clients and calls for tests: one JSON object per line in, one per line out, by its id.
import { createInterface } from "node:readline";

import { EntitlementsClient } from "../../clients/typescript/dist/entitlements.js";
import { QuotadClient } from "../../clients/typescript/dist/index.js";

const clients = new Map();

function revive(_, value) {
  if (value?.$date !== undefined) return new Date(value.$date);
  if (value?.$bigint !== undefined) return BigInt(value.$bigint);
  return value;
}

function plain(value) {
  if (!(value instanceof Error)) return value;
  const { name, code, reason, message, retryAfterMs } = value;
  return { $error: { name, code, reason, message, retryAfterMs } };
}

async function perform({ client, make, method, args }) {
  if (make?.kind === "entitlements") {
    return void clients.set(client, new EntitlementsClient({ address: make.address, ...make.options }));
  }
  if (make !== undefined) return void clients.set(client, new QuotadClient(make.address, make.options));
  const answer = await clients.get(client)[method](...args);
  return Array.isArray(answer) ? answer.map(plain) : answer;
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const asked = JSON.parse(line, revive);
  const answer = await perform(asked).catch(plain);
  process.stdout.write(`${JSON.stringify({ id: asked.id, answer: answer ?? null })}\n`);
});
