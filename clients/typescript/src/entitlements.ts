/**
 * The method names that people know who come from Stigg: check, work, report. `consume` of QuotadClient
 * does it in one act; these are for code that is there already.
 */

import { randomUUID } from "node:crypto";

import { type ClientOptions, QuotadClient } from "./client.js";
import type { CacheOptions, EntitlementCache, Read } from "./cache.js";
import type { Customer, CustomerDetails, Subscription } from "./customers.js";
import { QuotaDeadline, QuotaInvalid, QuotaServerError, QuotaUnavailable } from "./errors.js";
import type { Decision, Entitlement } from "./results.js";
import {
  type AnyEntitlement,
  answerOf,
  anyOf,
  type BooleanEntitlement,
  deniedReason,
  type EntitlementOptions,
  type EntitlementQuery,
  type EnumEntitlement,
  type EnumOptions,
  type Fallback,
  type FeatureQuery,
  type MeteredEntitlement,
  type MeteredOptions,
  numberOf,
  type NumericEntitlement,
  type NumericFallback,
  usageOf,
  usedAfter,
  windowOf,
  wordsOf,
} from "./shapes.js";

export type * from "./shapes.js";

/** How long the key of a report is remembered. */
const KEY_KEPT_MS = 7 * 86_400_000;

/** How the client connects. */
export interface EntitlementsOptions extends ClientOptions {
  /** A token of quotad (`qd_...`); a key of another service is not sent anywhere. */
  readonly apiKey?: string | undefined;
  /** HOST:PORT, several of them with commas between, or `unix:PATH`; absent: the variable QUOTAD_SERVER, or 127.0.0.1:50051. */
  readonly address?: string | undefined;
  /** What checks answer when no server does, by feature; one of the call itself goes before it. */
  readonly entitlementsFallback?: Readonly<Record<string, Fallback>> | undefined;
  /**
   * Keep entitlements in memory, fresh by the change feed, for processes that live long. A token needs the
   * right to read. Absent: every check asks a server.
   */
  readonly cache?: CacheOptions | boolean | undefined;
}

/** What was used. */
export interface UsageReport extends FeatureQuery {
  /** A whole number; below 0: given back. */
  readonly value: number;
  /** `DELTA` (absent): so much more; `SET`: all that was used. */
  readonly updateBehavior?: "DELTA" | "SET" | undefined;
  /** When; absent: now. */
  readonly createdAt?: Date | undefined;
  /** Makes a repeat safe for 7 days. */
  readonly idempotencyKey?: string | undefined;
}

/** What became of a report. */
export interface UsageMeasurement {
  readonly id: string;
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId: string | null;
  readonly value: number;
  readonly currentUsage: number;
  readonly usagePeriodEnd: Date | null;
  readonly timestamp: Date;
}

/** What a customer is put on. */
export interface SubscriptionParams {
  readonly planId: string;
  readonly unitQuantity?: number | undefined;
  /** Another name of `unitQuantity`. */
  readonly priceUnitAmount?: number | undefined;
  readonly addons?: readonly { readonly addonId: string; readonly quantity?: number | undefined }[] | undefined;
  readonly resourceId?: string | undefined;
  readonly startDate?: Date | undefined;
  readonly cancellationDate?: Date | undefined;
}

/** A customer, and what it is put on. */
export interface ProvisionedCustomer {
  readonly customerId: string;
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly billingId?: string | undefined;
  /** Absent: the default plan, for a customer that is new. */
  readonly subscriptionParams?: SubscriptionParams | undefined;
}

/** What became of it. */
export interface Provisioned {
  readonly customer: {
    readonly refId: string;
    readonly customerId: string;
    readonly name: string | null;
    readonly email: string | null;
    readonly metadata: Readonly<Record<string, string>>;
  };
  readonly subscription: {
    readonly planId: string;
    /** `ACTIVE`, `IN_TRIAL` or `NOT_STARTED`. */
    readonly status: string;
    readonly unitQuantity: number;
    readonly resourceId: string | null;
    readonly startDate: Date | null;
    readonly endDate: Date | null;
  } | null;
}

/** Fields that would change what a customer may use, and are not had. */
const REFUSED = [
  "entitlements",
  "subscriptionEntitlements",
  "budget",
  "billingCycleAnchor",
  "trialOverrideConfiguration",
  "scheduleStrategy",
];

const STATUSES: Readonly<Record<string, string>> = { SCHEDULED: "NOT_STARTED", ENDED: "EXPIRED" };

/**
 * Checks entitlements and reports usage by the names that Stigg's users know.
 *
 * A denial is an answer. Where no server answers, a check answers with its fallback (`isFallback`), and
 * without one with a denial; what writes rejects with a QuotaError then, and everything does that can
 * never work.
 */
export class EntitlementsClient {
  readonly #quotad: QuotadClient;
  readonly #fallbacks: Readonly<Record<string, Fallback>>;
  readonly #cache: EntitlementCache | undefined;

  constructor(options: EntitlementsOptions = {}) {
    const { apiKey = "", address = process.env["QUOTAD_SERVER"] } = options;
    const token = apiKey.startsWith("qd_") ? apiKey : options.token;
    this.#quotad = new QuotadClient(address || undefined, { ...options, token });
    this.#fallbacks = options.entitlementsFallback ?? {};
    const { cache } = options;
    if (cache !== undefined && cache !== false) this.#cache = this.#quotad.cache(cache === true ? {} : cache);
  }

  /** The same as `new EntitlementsClient`. */
  static initialize(options: EntitlementsOptions = {}): EntitlementsClient {
    return new EntitlementsClient(options);
  }

  /** Resolves when a server has answered and takes the token. */
  waitForInitialization(): Promise<void> {
    return this.#quotad.ready();
  }

  /** Whether a feature is on. */
  getBooleanEntitlement(query: EntitlementQuery<EntitlementOptions<Fallback>>): Promise<BooleanEntitlement> {
    return this.#orFallback(query, {}, async () => {
      const { value, stale } = await this.#read(query);
      return { ...answerOf(value, "boolean"), isFallback: stale };
    });
  }

  /** The number that a feature is configured with. */
  getNumericEntitlement(
    query: EntitlementQuery<EntitlementOptions<NumericFallback>>,
  ): Promise<NumericEntitlement> {
    return this.#orFallback(query, { value: null, isUnlimited: false }, async () => {
      const { value: entitlement, stale } = await this.#read(query);
      const answer = { ...answerOf(entitlement, "numeric"), isFallback: stale };
      return { ...answer, value: numberOf(entitlement), isUnlimited: false };
    });
  }

  /** The words that a feature is configured with, and whether those that are asked for are among them. */
  getEnumEntitlement(query: EntitlementQuery<EnumOptions>): Promise<EnumEntitlement> {
    const requestedValues = query.options?.requestedValues ?? [];
    return this.#orFallback(query, { enumValues: [], requestedValues }, async () => {
      const { value: entitlement, stale } = await this.#read(query);
      const enumValues = wordsOf(entitlement);
      const answer = { ...answerOf(entitlement, "enum"), isFallback: stale };
      const missing = answer.hasAccess && !requestedValues.every((each) => enumValues.includes(each));
      const denial = { hasAccess: false, accessDeniedReason: "RequestedValuesMismatch" };
      return { ...answer, ...(missing ? denial : {}), enumValues, requestedValues };
    });
  }

  /** Whether there is room for what is about to be used; counts nothing. */
  getMeteredEntitlement(query: EntitlementQuery<MeteredOptions>): Promise<MeteredEntitlement> {
    const requestedUsage = query.options?.requestedUsage ?? 1;
    const unknown = {
      usageLimit: null,
      isUnlimited: false,
      hasSoftLimit: false,
      currentUsage: 0,
      requestedUsage,
      resetPeriod: null,
      usagePeriodEnd: null,
    };
    return this.#orFallback(query, unknown, async () => {
      const [{ value: entitlement, stale }, decision] = await Promise.all([
        this.#read(query),
        requestedUsage === 1 ? undefined : this.#check(query, requestedUsage),
      ]);
      const answer = { ...answerOf(entitlement, "metered"), isFallback: stale };
      const shape = { ...answer, ...usageOf(entitlement), requestedUsage };
      if (decision === undefined || entitlement.featureType !== "METERED") return shape;
      const accessDeniedReason = deniedReason(decision);
      const isFallback = decision.isFallback;
      return { ...shape, isFallback, hasAccess: accessDeniedReason === null, accessDeniedReason };
    });
  }

  /** What the customer has, feature by feature; none for a customer that may use nothing. */
  async getEntitlements(query: { customerId: string; resourceId?: string | undefined }): Promise<AnyEntitlement[]> {
    const { entitlements } = await (this.#cache ?? this.#quotad).entitlements(query.customerId, query.resourceId);
    return entitlements.map(anyOf);
  }

  /** Counts what was used; never refused for a limit. */
  async reportUsage(report: UsageReport): Promise<UsageMeasurement> {
    const { customerId, featureId, resourceId, value, idempotencyKey } = report;
    const counted = await this.#count(report);
    this.#cache?.drop(customerId);
    if (!counted.allowed) {
      throw new QuotaServerError(`value: not counted, ${deniedReason(counted)}`, "NOT_FOUND", counted.reason);
    }
    if (counted.reason === "FEATURE_ENABLED") {
      throw new QuotaInvalid(`featureId: ${JSON.stringify(featureId)} is not metered; nothing to count`);
    }
    return {
      id: idempotencyKey ?? randomUUID(),
      customerId,
      featureId,
      resourceId: resourceId ?? null,
      value,
      ...usedAfter(counted),
      timestamp: report.createdAt ?? new Date(),
    };
  }

  /** Creates a customer, and puts it on a plan; a customer that is there is changed. */
  async provisionCustomer(wanted: ProvisionedCustomer): Promise<Provisioned> {
    const { customerId, name, email, metadata, billingId } = wanted;
    const externalIds = billingId === undefined ? undefined : { stripe: billingId };
    const details = { name, email, metadata, externalIds };
    const made = await this.#provision(wanted, details);
    this.#cache?.drop(customerId);
    return made;
  }

  /** Ends the change feed and closes the connection. */
  close(): void {
    this.#cache?.close();
    this.#quotad.close();
  }

  async #provision(wanted: ProvisionedCustomer, details: CustomerDetails): Promise<Provisioned> {
    const { customerId, subscriptionParams } = wanted;
    if (subscriptionParams === undefined) {
      return provisioned(await this.#quotad.updateCustomer(customerId, details), "");
    }
    for (const field of REFUSED) {
      if (field in subscriptionParams) {
        throw new QuotaInvalid(`subscriptionParams.${field}: is not supported; see docs/stigg.md`);
      }
    }
    const { planId, addons = [], resourceId, startDate, cancellationDate } = subscriptionParams;
    const customer = await this.#quotad.provision(customerId, planId, {
      ...details,
      resourceId,
      unitQuantity: subscriptionParams.unitQuantity ?? subscriptionParams.priceUnitAmount,
      addons: Object.fromEntries(addons.map((each) => [each.addonId, each.quantity ?? 1])),
      start: startDate,
      end: cancellationDate,
    });
    return provisioned(customer, resourceId ?? "");
  }

  async #read({ customerId, featureId, resourceId }: FeatureQuery): Promise<Read<Entitlement>> {
    if (this.#cache !== undefined) return this.#cache.read(customerId, featureId, resourceId);
    return { value: await this.#quotad.entitlement(customerId, featureId, resourceId), stale: false };
  }

  #check(query: FeatureQuery, quantity: number): Promise<Decision> {
    const { customerId, featureId, resourceId } = query;
    return this.#quotad.check(customerId, featureId, quantity, { resourceId });
  }

  async #count(report: UsageReport): Promise<Decision> {
    const { customerId, featureId, resourceId, value, createdAt: occurredAt, idempotencyKey } = report;
    const key = idempotencyKey === undefined ? {} : { idempotencyKey, idempotencyTtlMs: KEY_KEPT_MS };
    const options = { resourceId, ...key };
    if (report.updateBehavior === "SET") {
      const per = windowOf((await this.#read(report)).value);
      return this.#quotad.setUsage(customerId, featureId, value, { ...options, per });
    }
    // Of a gauge, what is negative is counted as such.
    if (value < 0 && !(await this.#read(report)).value.gauge) {
      return this.#quotad.refund(customerId, featureId, -value, { ...options, occurredAt });
    }
    return this.#quotad.record(customerId, featureId, value, { ...options, occurredAt });
  }

  async #orFallback<T extends BooleanEntitlement>(
    query: EntitlementQuery<EntitlementOptions<Fallback>>,
    unknown: Omit<T, keyof BooleanEntitlement>,
    ask: () => Promise<T>,
  ): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof QuotaUnavailable || error instanceof QuotaDeadline)) throw error;
      const fallback = query.options?.fallback ?? this.#fallbacks[query.featureId] ?? { hasAccess: false };
      const base: BooleanEntitlement = { hasAccess: false, isFallback: true, accessDeniedReason: null, feature: null };
      return { ...base, ...unknown, ...fallback } as T;
    }
  }
}

function provisioned(customer: Customer, resourceId: string): Provisioned {
  const current = customer.subscriptions.filter((each) => each.resourceId === resourceId && each.status !== "ENDED");
  return {
    customer: {
      refId: customer.customerId,
      customerId: customer.customerId,
      name: customer.name || null,
      email: customer.email || null,
      metadata: customer.metadata,
    },
    subscription: current[0] === undefined ? null : subscription(current[0]),
  };
}

function subscription(phase: Subscription): NonNullable<Provisioned["subscription"]> {
  return {
    planId: phase.planId,
    status: STATUSES[phase.status] ?? phase.status,
    unitQuantity: phase.unitQuantity,
    resourceId: phase.resourceId || null,
    startDate: phase.start,
    endDate: phase.end,
  };
}
