/** Builds requests. What a field cannot hold is the caller's mistake, and is refused by its name. */

import { randomBytes } from "node:crypto";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";

import { QuotaInvalid } from "./errors.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import type { Policy } from "./retries.js";

/** As the server has it, which refuses what is above; what does not fit into 64 bits cannot be sent. */
const QUANTITY_MAX = 10n ** 15n;

/** An amount: a whole number, at most 10^15. */
export type Quantity = number | bigint;

/** What of the customer's a call is for, and whether to explain. */
export interface CheckOptions {
  /** A workspace or a project with subscriptions and counters of its own; empty: the customer itself. */
  readonly resourceId?: string | undefined;
  /** Of a config feature that lists its values: all must be granted. */
  readonly requestedValues?: readonly string[] | undefined;
  /** Return where the entitlement comes from; costs several times as much. */
  readonly explain?: boolean | undefined;
}

/** How one request is to be counted. */
export interface ConsumeOptions extends CheckOptions {
  /** Take what there is room for, if that is less; `granted` is how much. */
  readonly bestEffort?: boolean | undefined;
  /**
   * The caller's own, which makes a repeat of this call safe for as long as the server remembers
   * it. Without one the client makes a key for its retries.
   */
  readonly idempotencyKey?: string | undefined;
}

/** The key of what is counted though it is past a limit, or taken back. */
export interface KeyOptions {
  /** As of `consume`. */
  readonly idempotencyKey?: string | undefined;
  /** How long the server remembers it, in milliseconds, at most 7 days; absent: as long as any key. */
  readonly idempotencyTtlMs?: number | undefined;
}

/** How something that has happened already is to be counted. */
export interface RecordOptions extends KeyOptions {
  readonly resourceId?: string | undefined;
  /** When: counted in the periods of that moment, as far as their counters are still kept. */
  readonly occurredAt?: Date | undefined;
}

/** Why something is taken back. */
export interface RefundAllOptions {
  /** Why, and whose doing it is; with either, it is kept among the customer's corrections. */
  readonly reason?: string | undefined;
  readonly actor?: string | undefined;
}

/** How something is to be taken back. */
export interface RefundOptions extends RecordOptions, RefundAllOptions {
  /** The idempotency key of the call that is undone; with it all that was taken comes back, once. */
  readonly takenUnder?: string | undefined;
}

/** How usage is to be set. */
export interface SetUsageOptions extends KeyOptions {
  /** Which of several limits, by its window: `month`, `5 hours`, `lifetime`. */
  readonly per?: string | undefined;
  readonly resourceId?: string | undefined;
  /** Why, and whose doing it is; kept among the customer's corrections. */
  readonly reason?: string | undefined;
  readonly actor?: string | undefined;
}

/** One feature of `consumeAll`. */
export interface Item {
  readonly featureId: string;
  /** Absent: 1. */
  readonly quantity?: Quantity | undefined;
  readonly resourceId?: string | undefined;
  readonly requestedValues?: readonly string[] | undefined;
}

/** Several features: quantities by feature, or items; at most 16. */
export type Items = Readonly<Record<string, Quantity>> | readonly Item[];

/** How several features are to be counted together. */
export interface ConsumeAllOptions {
  readonly explain?: boolean | undefined;
  /** Of the whole, as of `consume`. */
  readonly idempotencyKey?: string | undefined;
}

/** One request of `consumeMany`. */
export interface Consumption extends ConsumeOptions {
  readonly customerId: string;
  readonly featureId: string;
  /** Absent: 1. */
  readonly quantity?: Quantity | undefined;
}

type Fields = MessageInitShape<typeof pb.CheckAndConsumeRequestSchema>;

/**
 * A request that is safe to send again: it has a key, the caller's or one made here. The key exists
 * before the first try. Without retries none is made: it would cost the store a key for nothing.
 */
export function consumption(policy: Policy, asked: Consumption): pb.CheckAndConsumeRequest {
  const mode = asked.bestEffort === true ? pb.Mode.BEST_EFFORT : pb.Mode.UNSPECIFIED;
  return request(asked, { mode, ...key(policy, asked.idempotencyKey) });
}

/** A request that counts nothing. */
export function look(asked: Consumption): pb.CheckAndConsumeRequest {
  return request(asked, { mode: pb.Mode.CHECK_ONLY });
}

/** A request that counts past every limit. */
export function fact(
  policy: Policy,
  customerId: string,
  featureId: string,
  quantity: Quantity,
  options: RecordOptions,
): pb.CheckAndConsumeRequest {
  const { occurredAt, resourceId } = options;
  return request(
    { customerId, featureId, quantity, resourceId },
    {
      mode: pb.Mode.ADJUST_ONLY,
      ...key(policy, options.idempotencyKey, options.idempotencyTtlMs),
      ...(occurredAt === undefined ? {} : { occurredAt: moment("occurredAt", occurredAt) }),
    },
  );
}

/** A request about several features, counted together or not at all; without a policy nothing is. */
export function joint(
  policy: Policy | null,
  customerId: string,
  items: Items,
  options: ConsumeAllOptions,
): pb.CheckAndConsumeAllRequest {
  return create(pb.CheckAndConsumeAllRequestSchema, {
    ...(policy === null ? { mode: pb.Mode.CHECK_ONLY } : key(policy, options.idempotencyKey)),
    customerId: text("customerId", customerId),
    items: itemsOf("items", items),
    explain: options.explain === true,
  });
}

/** Several features of a request. */
export function itemsOf(field: string, items: Items): pb.ConsumeItem[] {
  const listed: readonly Item[] = Array.isArray(items)
    ? (items as readonly Item[])
    : Object.entries(items as Readonly<Record<string, Quantity>>).map(([featureId, quantity]) => ({
        featureId,
        quantity,
      }));
  return listed.map((item, place) => {
    const at = `${field}[${place}]`;
    return create(pb.ConsumeItemSchema, {
      featureId: text(`${at}.featureId`, item.featureId),
      quantity: quantity(`${at}.quantity`, item.quantity ?? 1),
      resourceId: text(`${at}.resourceId`, item.resourceId ?? ""),
      requestedValues: texts(`${at}.requestedValues`, item.requestedValues),
    });
  });
}

/** A request that takes back what was counted, never below zero. */
export function refund(
  policy: Policy,
  customerId: string,
  featureId: string,
  back: Quantity,
  options: RefundOptions,
): pb.RefundRequest {
  const takenUnder = text("takenUnder", options.takenUnder ?? "");
  // What was taken under a key comes back once anyway.
  const once = takenUnder === "" ? key(policy, options.idempotencyKey, options.idempotencyTtlMs) : {};
  return create(pb.RefundRequestSchema, {
    ...once,
    ...(options.occurredAt === undefined ? {} : { occurredAt: moment("occurredAt", options.occurredAt) }),
    customerId: text("customerId", customerId),
    featureId: text("featureId", featureId),
    quantity: quantity("quantity", back),
    takenUnder,
    resourceId: text("resourceId", options.resourceId ?? ""),
    reason: text("reason", options.reason ?? ""),
    actor: text("actor", options.actor ?? ""),
  });
}

/** A request that takes back all that was taken together under a key. */
export function refundOfAll(customerId: string, takenUnder: string, options: RefundAllOptions): pb.RefundRequest {
  return create(pb.RefundRequestSchema, {
    customerId: text("customerId", customerId),
    takenUnder: text("takenUnder", takenUnder),
    reason: text("reason", options.reason ?? ""),
    actor: text("actor", options.actor ?? ""),
  });
}

/** A request that sets what was really used of a limit in its current period. */
export function setting(
  policy: Policy,
  customerId: string,
  featureId: string,
  used: Quantity,
  options: SetUsageOptions,
): pb.SetUsageRequest {
  return create(pb.SetUsageRequestSchema, {
    ...key(policy, options.idempotencyKey, options.idempotencyTtlMs),
    customerId: text("customerId", customerId),
    featureId: text("featureId", featureId),
    used: quantity("used", used),
    per: text("per", options.per ?? ""),
    resourceId: text("resourceId", options.resourceId ?? ""),
    reason: text("reason", options.reason ?? ""),
    actor: text("actor", options.actor ?? ""),
  });
}

/** An id, or a key, of the client's making. */
export function newId(): string {
  return randomBytes(16).toString("hex");
}

/** A text of a request. */
export function text(field: string, value: unknown): string {
  if (typeof value !== "string") throw invalid(field, `must be a text, not ${shown(value)}`);
  if (!value.isWellFormed()) throw invalid(field, "is not valid Unicode");
  return value;
}

function request(asked: Consumption, fields: Fields): pb.CheckAndConsumeRequest {
  return create(pb.CheckAndConsumeRequestSchema, {
    ...fields,
    customerId: text("customerId", asked.customerId),
    featureId: text("featureId", asked.featureId),
    quantity: quantity("quantity", asked.quantity ?? 1),
    resourceId: text("resourceId", asked.resourceId ?? ""),
    requestedValues: texts("requestedValues", asked.requestedValues),
    explain: asked.explain === true,
  });
}

function key(
  policy: Policy,
  own: string | undefined,
  ownTtlMs?: number,
): { idempotencyKey: string; idempotencyTtl?: Duration } {
  if (own !== undefined) {
    const idempotencyKey = text("idempotencyKey", own);
    return ownTtlMs === undefined ? { idempotencyKey } : { idempotencyKey, idempotencyTtl: durationFromMs(ownTtlMs) };
  }
  if (policy.retries === 0) return { idempotencyKey: "" };
  return { idempotencyKey: newId(), idempotencyTtl: durationFromMs(policy.keyTtlMs) };
}

function texts(field: string, values: readonly string[] | undefined): string[] {
  if (values === undefined) return [];
  if (!Array.isArray(values)) throw invalid(field, `must be a list of texts, not ${shown(values)}`);
  return values.map((value: unknown, place) => text(`${field}[${place}]`, value));
}

/** An amount of a request. */
export function quantity(field: string, value: unknown): bigint {
  if (typeof value !== "bigint" && !(typeof value === "number" && Number.isInteger(value))) {
    throw invalid(field, `must be a whole number, not ${shown(value)}`);
  }
  const amount = BigInt(value);
  if (BigInt.asIntN(64, amount) !== amount) {
    throw invalid(field, `${amount} is out of range; at most ${QUANTITY_MAX.toLocaleString("en")}`);
  }
  return amount;
}

/** A moment of a request. */
export function moment(field: string, value: unknown): { seconds: bigint; nanos: number } {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) {
    throw invalid(field, `must be a Date that is valid, not ${shown(value)}`);
  }
  const ms = value.getTime();
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1e6 };
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value).slice(0, 60) : String(value).slice(0, 60);
}

/** A refusal of what a field of a request holds. */
export function invalid(field: string, problem: string): QuotaInvalid {
  return new QuotaInvalid(`${field}: ${problem}`);
}
