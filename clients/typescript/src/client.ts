/** The client: requests, retries and plain results. Decides and caches nothing. */

import { create } from "@bufbuild/protobuf";

import * as answers from "./answers.js";
import { consumeMany } from "./batches.js";
import { type CacheOptions, EntitlementCache } from "./cache.js";
import type { CallOptions } from "./calling.js";
import { Coalescer, mayShare } from "./coalescing.js";
import { customer, type Customer, type CustomerDetails, type ProvisionOptions, provisioning, updating } from "./customers.js";
import type { QuotaError } from "./errors.js";
import { AdminService } from "./gen/quotad/v1/admin_pb.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import { asked, Holding } from "./holding.js";
import {
  type CheckOptions,
  type ConsumeAllOptions,
  type ConsumeOptions,
  type Consumption,
  consumption,
  fact,
  type Items,
  joint,
  look,
  type Quantity,
  type RecordOptions,
  refund,
  type RefundAllOptions,
  refundOfAll,
  type RefundOptions,
  setting,
  type SetUsageOptions,
  text,
} from "./requests.js";
import type { ConsumeAllDecision, Decision, Entitlement, Entitlements, ItemsDecision } from "./results.js";
import { retried } from "./retries.js";
import { watch, type WatchedChange, type WatchOptions } from "./watching.js";

const { method } = pb.QuotaService;
const { method: admin } = AdminService;

/** How a client connects, how long it waits, and whether its calls travel together. */
export interface ClientOptions extends CallOptions {
  /** Send calls that wait at the same time as one message; for many callers in one process. */
  readonly coalesce?: boolean | undefined;
}

/**
 * Asks a quotad server. One is enough for a process: its calls share a connection, which opens with
 * the first of them.
 *
 * Every method rejects with a QuotaError when the call was wrong or no server could answer it; a
 * denial is an answer.
 */
export class QuotadClient extends Holding {
  readonly #coalescer: Coalescer | undefined;

  /**
   * @param address - HOST:PORT, several of them with commas between, or `unix:PATH`.
   * @throws RangeError an address or option that cannot be.
   */
  constructor(address = "127.0.0.1:50051", options: ClientOptions = {}) {
    super(address, options);
    this.#coalescer = options.coalesce === true ? new Coalescer(this.connection) : undefined;
  }

  /**
   * Decides and, when allowed, counts.
   *
   * @param quantity - negative gives back, for gauges only.
   */
  async consume(
    customerId: string,
    featureId: string,
    quantity: Quantity = 1,
    options: ConsumeOptions = {},
  ): Promise<Decision> {
    const request = consumption(this.policy, { ...options, customerId, featureId, quantity });
    return this.#decide(request);
  }

  /** Decides and counts nothing. */
  async check(
    customerId: string,
    featureId: string,
    quantity: Quantity = 1,
    options: CheckOptions = {},
  ): Promise<Decision> {
    return this.#decide(look({ ...options, customerId, featureId, quantity }));
  }

  /** Counts what has happened already, also past the limit; nothing more is admitted then. */
  async record(
    customerId: string,
    featureId: string,
    quantity: Quantity = 1,
    options: RecordOptions = {},
  ): Promise<Decision> {
    const request = fact(this.policy, customerId, featureId, quantity, options);
    return answers.decision(await this.call(method.checkAndConsume, request));
  }

  /**
   * Takes back what was counted, never below zero; `granted` is what came back, negative.
   *
   * @param quantity - with `takenUnder` all that was taken, and 0 here.
   */
  async refund(
    customerId: string,
    featureId: string,
    quantity: Quantity = 0,
    options: RefundOptions = {},
  ): Promise<Decision> {
    const request = refund(this.policy, customerId, featureId, quantity, options);
    return answers.decision(await this.call(method.refund, request));
  }

  /** Takes back all that a `consumeAll` took under its key; what came back before, does not. */
  async refundAll(customerId: string, takenUnder: string, options: RefundAllOptions = {}): Promise<ItemsDecision> {
    const request = refundOfAll(customerId, takenUnder, options);
    return answers.decisionOnItems(await this.call(method.refund, request));
  }

  /** Sets what was really used of a limit in its current period; `granted` is the difference. */
  async setUsage(
    customerId: string,
    featureId: string,
    used: Quantity,
    options: SetUsageOptions = {},
  ): Promise<Decision> {
    const request = setting(this.policy, customerId, featureId, used, options);
    return answers.decision(await this.call(method.setUsage, request));
  }

  /**
   * Decides and counts independent requests, answered in order, in batches of 1,000, each with the
   * whole timeout. Never rejects with a QuotaError: a request that could not be decided has its error
   * in its place, also one of a wrong shape.
   */
  async consumeMany(requests: readonly Consumption[]): Promise<(Decision | QuotaError)[]> {
    return consumeMany(this.connection, this.policy, requests);
  }

  /** Decides several features together, and counts all of it or nothing. */
  async consumeAll(customerId: string, items: Items, options: ConsumeAllOptions = {}): Promise<ConsumeAllDecision> {
    const request = joint(this.policy, customerId, items, options);
    return answers.decisionOnAll(await this.call(method.checkAndConsumeAll, request));
  }

  /** Decides as `consumeAll`, and counts nothing. */
  async checkAll(
    customerId: string,
    items: Items,
    options: Pick<ConsumeAllOptions, "explain"> = {},
  ): Promise<ConsumeAllDecision> {
    const request = joint(null, customerId, items, options);
    return answers.decisionOnAll(await this.call(method.checkAndConsumeAll, request));
  }

  /** What the customer may do with one feature now. */
  async entitlement(customerId: string, featureId: string, resourceId = ""): Promise<Entitlement> {
    const request = create(pb.GetEntitlementRequestSchema, asked(customerId, featureId, resourceId));
    return answers.entitlement((await this.call(method.getEntitlement, request)).entitlement);
  }

  /** What the customer may do with every feature that its plan grants. */
  async entitlements(customerId: string, resourceId = ""): Promise<Entitlements> {
    const request = create(pb.GetEntitlementsRequestSchema, {
      customerId: text("customerId", customerId),
      resourceId: text("resourceId", resourceId),
    });
    return answers.entitlements(await this.call(method.getEntitlements, request));
  }

  /**
   * Watches what changes, to read again what is kept of it: `for await (const change of quotad.watch())`.
   * A connection that is lost is opened again by itself, and nothing is missed: what came meanwhile
   * follows, or a REFETCH.
   */
  watch(options: WatchOptions = {}): AsyncGenerator<WatchedChange, void> {
    return watch(this.connection, options);
  }

  /** Entitlements in memory, kept fresh by a watch of every customer; close it when it is not used any more. */
  cache(options: CacheOptions = {}): EntitlementCache {
    return new EntitlementCache(this, options);
  }

  /**
   * Creates the customer or puts its subscription on a plan; brings an archived one back. Needs a token
   * with the right to manage customers, where there are tokens. Is not tried again.
   */
  async provision(customerId: string, planId: string, options: ProvisionOptions = {}): Promise<Customer> {
    return customer(await this.callOnce(admin.provisionCustomer, provisioning(customerId, planId, options)));
  }

  /**
   * Changes what a customer is known by; as `provision`. One without a record gets it, with the default
   * plan as its subscription.
   */
  async updateCustomer(customerId: string, details: CustomerDetails): Promise<Customer> {
    return customer(await this.callOnce(admin.updateCustomer, updating(customerId, details)));
  }

  /** Resolves when a server has answered and takes the token; rejects when none does. */
  async ready(): Promise<void> {
    await this.call(method.batchCheckAndConsume, create(pb.BatchCheckAndConsumeRequestSchema));
  }

  /** Closes the connection; calls in flight fail. A process ends without it, too. */
  close(): void {
    this.connection.close();
  }

  async #decide(request: pb.CheckAndConsumeRequest): Promise<Decision> {
    const coalescer = this.#coalescer;
    if (coalescer === undefined || !mayShare(request)) {
      return answers.decision(await this.call(method.checkAndConsume, request));
    }
    const answer = await retried(this.policy, (timeoutMs) => coalescer.call(request, timeoutMs));
    return answers.decision(answer);
  }
}
