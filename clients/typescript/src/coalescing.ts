/**
 * Calls that wait in one client travel as one message.
 *
 * No timer: a call that finds a lane free leaves at the end of the event loop's turn, with all that this
 * turn asks; those that come meanwhile leave together when a message has been answered. There are two
 * lanes, each with one message under way, so that the client works on the answers to one while the server
 * works on the other. Calls of a customer are under way in one lane at a time, so they are decided in the
 * order in which they were made, but for those that are tried again.
 */

import { create } from "@bufbuild/protobuf";

import { errorOf } from "./answers.js";
import { BATCH_MAX } from "./batches.js";
import type { Connection } from "./connection.js";
import { QuotaDeadline, QuotaError, QuotaServerError } from "./errors.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";

/** How many of the calls that wait are looked at for one message. */
const LOOK_MAX = 2 * BATCH_MAX;

/** A request of more characters travels alone: 1,000 of these stay below the largest message a server takes. */
const CHARACTERS_MAX = 1000;

const { checkAndConsume, batchCheckAndConsume } = pb.QuotaService.method;

interface Waiting {
  readonly request: pb.CheckAndConsumeRequest;
  readonly ends: number;
  readonly resolve: (answer: pb.CheckAndConsumeResponse) => void;
  readonly reject: (error: unknown) => void;
  settled: boolean;
}

/** A place for one message under way. */
class Lane {
  calls: Waiting[] = [];
  readonly customers = new Set<string>();
  busy = false;
}

/** Whether a request may travel with others: neither it nor its answer makes a batch too large. */
export function mayShare(request: pb.CheckAndConsumeRequest): boolean {
  const texts = [request.customerId, request.featureId, request.resourceId, request.idempotencyKey];
  return !request.explain && [...texts, ...request.requestedValues].join("").length <= CHARACTERS_MAX;
}

/** Sends what the callers of one client ask. */
export class Coalescer {
  readonly #connection: Connection;
  readonly #lanes = [new Lane(), new Lane()] as const;
  #waiting: Waiting[] = [];
  #due = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** One call, tried once; throws the error of this call alone. */
  call(request: pb.CheckAndConsumeRequest, timeoutMs: number): Promise<pb.CheckAndConsumeResponse> {
    return new Promise((resolve, reject) => {
      const ends = performance.now() + timeoutMs;
      this.#waiting.push({ request, ends, resolve, reject, settled: false });
      if (!this.#due && this.#lanes.some((lane) => !lane.busy)) {
        this.#due = true;
        // When all that this turn asks is waiting.
        setImmediate(() => this.#sendByFreeLanes());
      }
      if (ends < this.#timerAt) this.#wakeAt(ends);
    });
  }

  #sendByFreeLanes(): void {
    this.#due = false;
    for (const lane of this.#lanes) if (!lane.busy) void this.#send(lane);
  }

  async #send(lane: Lane): Promise<void> {
    this.#take(lane);
    if (lane.calls.length === 0) return;
    lane.busy = true;
    const { calls } = lane;
    const timeoutMs = Math.max(...calls.map((call) => call.ends)) - performance.now();
    try {
      const outcomes = await this.#ask(calls, timeoutMs);
      calls.forEach((call, place) => settle(call, outcomes[place]!));
    } catch (error) {
      for (const call of calls) settle(call, error instanceof Error ? error : new Error(String(error)));
    }
    lane.busy = false;
    lane.calls = [];
    lane.customers.clear();
    if (this.#waiting.length > 0 || this.#lanes.every((each) => !each.busy)) this.#due = true;
    // What was answered may ask again, and travels with those that wait.
    setImmediate(() => this.#sendByFreeLanes());
  }

  /**
   * Fills the message of a lane: half of all calls, so that the next message has as many, and those that
   * cannot be in the other, its customers'.
   */
  #take(lane: Lane): void {
    const other = this.#lanes[0] === lane ? this.#lanes[1] : this.#lanes[0];
    const half = Math.min((this.#waiting.length + other.calls.length + 1) >> 1, BATCH_MAX);
    const left: Waiting[] = [];
    for (const call of this.#waiting.slice(0, LOOK_MAX)) {
      if (call.settled) continue;
      const { customerId } = call.request;
      const room = lane.calls.length < half || (lane.customers.has(customerId) && lane.calls.length < BATCH_MAX);
      if (!room || other.customers.has(customerId)) {
        left.push(call);
      } else {
        lane.customers.add(customerId);
        lane.calls.push(call);
      }
    }
    this.#waiting = [...left, ...this.#waiting.slice(LOOK_MAX)];
  }

  async #ask(calls: Waiting[], timeoutMs: number): Promise<(pb.CheckAndConsumeResponse | QuotaError)[]> {
    if (calls.length === 1) return [await this.#connection.call(checkAndConsume, calls[0]!.request, timeoutMs)];
    const batch = create(pb.BatchCheckAndConsumeRequestSchema, { requests: calls.map((call) => call.request) });
    const { results } = await this.#connection.call(batchCheckAndConsume, batch, timeoutMs);
    if (results.length !== calls.length) {
      throw new QuotaServerError(`${results.length} results for ${calls.length} requests`, "INTERNAL");
    }
    return results.map(({ result }) => (result.case === "response" ? result.value : errorOf(result.value)));
  }

  /** One timer for all calls, at or before the first of their deadlines: nearly every call is answered in time. */
  #wakeAt(when: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = when;
    this.#timer = when === Infinity ? undefined : setTimeout(() => this.#expire(), when - performance.now()).unref();
  }

  #expire(): void {
    const now = performance.now();
    let first = Infinity;
    for (const [calls, said] of [
      [this.#waiting, "the timeout ran out before the call was sent; nothing is taken"],
      ...this.#lanes.map((lane) => [lane.calls, "the timeout ran out"] as const),
    ] as const) {
      for (const call of calls) {
        if (call.settled) continue;
        if (call.ends <= now) settle(call, new QuotaDeadline(said));
        else first = Math.min(first, call.ends);
      }
    }
    this.#wakeAt(first);
  }
}

function settle(call: Waiting, outcome: pb.CheckAndConsumeResponse | Error): void {
  if (call.settled) return;
  call.settled = true;
  if (outcome instanceof Error) call.reject(outcome);
  else call.resolve(outcome);
}
