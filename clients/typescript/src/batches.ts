/** Many requests, in batches as large as the server takes. */

import { setTimeout as pause } from "node:timers/promises";

import { create } from "@bufbuild/protobuf";

import { batchOutcome } from "./answers.js";
import type { Connection } from "./connection.js";
import { QuotaError, QuotaServerError, QuotaUnavailable } from "./errors.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import { type Consumption, consumption } from "./requests.js";
import type { Decision } from "./results.js";
import { pauseAfter, type Policy } from "./retries.js";

/** Most requests of one message. */
export const BATCH_MAX = 1000;

type Outcome = Decision | QuotaError;

/** An outcome for each request, in order. */
export async function consumeMany(
  connection: Connection,
  policy: Policy,
  requests: readonly Consumption[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let start = 0; start < requests.length; start += BATCH_MAX) {
    outcomes.push(...(await oneBatch(connection, policy, requests.slice(start, start + BATCH_MAX))));
  }
  return outcomes;
}

/** What came back UNAVAILABLE is sent again, alone and under the same keys. */
async function oneBatch(
  connection: Connection,
  policy: Policy,
  requests: readonly Consumption[],
): Promise<Outcome[]> {
  const outcomes = new Map<number, Outcome>();
  let pending = new Map<number, pb.CheckAndConsumeRequest>();
  requests.forEach((asked, place) => {
    const built = attempt(() => consumption(policy, asked));
    if (built instanceof QuotaError) outcomes.set(place, built);
    else pending.set(place, built);
  });
  const ends = performance.now() + policy.timeoutMs;
  for (let tries = 0; pending.size > 0; tries++) {
    const fresh = await send(connection, [...pending.values()], ends - performance.now());
    const again = new Map<number, pb.CheckAndConsumeRequest>();
    let failed: QuotaUnavailable | undefined;
    [...pending].forEach(([place, request], index) => {
      const outcome = fresh[index]!;
      outcomes.set(place, outcome);
      if (outcome instanceof QuotaUnavailable) {
        failed = outcome;
        again.set(place, request);
      }
    });
    pending = again;
    if (failed === undefined || tries >= policy.retries) break;
    const pauseMs = pauseAfter(tries, failed);
    if (performance.now() + pauseMs >= ends) break;
    await pause(pauseMs);
  }
  return requests.map((_, place) => outcomes.get(place)!);
}

/** Sends a batch once: an outcome per request. When the call fails, all have its error. */
async function send(
  connection: Connection,
  requests: pb.CheckAndConsumeRequest[],
  timeoutMs: number,
): Promise<Outcome[]> {
  const batch = create(pb.BatchCheckAndConsumeRequestSchema, { requests });
  let failure: QuotaError;
  try {
    const { results } = await connection.call(pb.QuotaService.method.batchCheckAndConsume, batch, timeoutMs);
    if (results.length === requests.length) return results.map((each) => attempt(() => batchOutcome(each)));
    failure = new QuotaServerError(`${results.length} results for ${requests.length} requests`, "INTERNAL");
  } catch (error) {
    if (!(error instanceof QuotaError)) throw error;
    failure = error;
  }
  return requests.map(() => failure);
}

function attempt<T>(make: () => T): T | QuotaError {
  try {
    return make();
  } catch (error) {
    if (error instanceof QuotaError) return error;
    throw error;
  }
}
