/** Customers and their subscriptions: requests and what comes back. */

import { create } from "@bufbuild/protobuf";

import { exact, name, time } from "./answers.js";
import * as pb from "./gen/quotad/v1/admin_pb.js";
import { invalid, moment, type Quantity, quantity, text } from "./requests.js";

/** What a customer is known by; what is left out stays, an empty text is none any more. */
export interface CustomerDetails {
  /** For people. */
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  /** Of the tz database: `Europe/Berlin`. */
  readonly timezone?: string | undefined;
  /** For callers; keys that are left out stay, an empty value removes one. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Ids in other systems, by system: `{ stripe: "cus_1" }`; as with metadata. */
  readonly externalIds?: Readonly<Record<string, string>> | undefined;
  /** Why, for the history. */
  readonly comment?: string | undefined;
}

/** What a customer is put on, besides the plan. */
export interface ProvisionOptions extends CustomerDetails {
  /** What of the customer's it is for; empty: the customer itself. */
  readonly resourceId?: string | undefined;
  /** Sets several of one customer apart. */
  readonly subscriptionId?: string | undefined;
  /** What is bought of the plan, such as 50 seats; absent: as it is, or 1. */
  readonly unitQuantity?: Quantity | undefined;
  /** Quantity by add-on. */
  readonly addons?: Readonly<Record<string, number>> | undefined;
  /** Absent: a new one starts now, a known one keeps its start. */
  readonly start?: Date | undefined;
  /** Absent: it goes on. */
  readonly end?: Date | undefined;
}

/** One phase of a customer's contract for a plan. */
export interface Subscription {
  readonly planId: string;
  readonly subscriptionId: string;
  readonly resourceId: string;
  /** Of the plan. */
  readonly revision: number;
  readonly addons: Readonly<Record<string, number>>;
  readonly start: Date | null;
  /** Null: it goes on. */
  readonly end: Date | null;
  /** `SCHEDULED`, `ACTIVE`, `IN_TRIAL` or `ENDED`, at the time of the answer. */
  readonly status: string;
  readonly unitQuantity: number;
}

/** A provisioned customer. */
export interface Customer {
  readonly customerId: string;
  /** `ACTIVE` or `ARCHIVED`. */
  readonly status: string;
  readonly name: string;
  readonly email: string;
  readonly timezone: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly externalIds: Readonly<Record<string, string>>;
  readonly subscriptions: readonly Subscription[];
  /** Grows with every write. */
  readonly epoch: number;
}

/** A request that creates a customer or puts its subscription on a plan. */
export function provisioning(
  customerId: string,
  planId: string,
  options: ProvisionOptions,
): pb.ProvisionCustomerRequest {
  const { start, end, unitQuantity } = options;
  return create(pb.ProvisionCustomerRequestSchema, {
    ...details(options),
    ...(start === undefined ? {} : { start: moment("start", start) }),
    ...(end === undefined ? {} : { end: moment("end", end) }),
    ...(unitQuantity === undefined ? {} : { unitQuantity: quantity("unitQuantity", unitQuantity) }),
    customerId: text("customerId", customerId),
    planId: text("planId", planId),
    resourceId: text("resourceId", options.resourceId ?? ""),
    subscriptionId: text("subscriptionId", options.subscriptionId ?? ""),
    addons: addons(options.addons ?? {}),
  });
}

/** A request that changes what a customer is known by. */
export function updating(customerId: string, options: CustomerDetails): pb.UpdateCustomerRequest {
  return create(pb.UpdateCustomerRequestSchema, {
    ...details(options),
    customerId: text("customerId", customerId),
  });
}

/** The customer as it is after a write. */
export function customer(message: pb.Customer): Customer {
  return {
    customerId: message.customerId,
    status: name(pb.CustomerStatus, message.status, "CUSTOMER_STATUS_"),
    name: message.name,
    email: message.email,
    timezone: message.timezone,
    metadata: message.metadata,
    externalIds: message.externalIds,
    subscriptions: message.subscriptions.map((each) => ({
      planId: each.planId,
      subscriptionId: each.subscriptionId,
      resourceId: each.resourceId,
      revision: each.revision,
      addons: each.addons,
      start: time(each.start),
      end: time(each.end),
      status: name(pb.SubscriptionStatus, each.status, "SUBSCRIPTION_STATUS_"),
      unitQuantity: exact(each.unitQuantity),
    })),
    epoch: exact(message.epoch),
  };
}

function details(options: CustomerDetails): {
  name?: string;
  email?: string;
  timezone?: string;
  metadata: Record<string, string>;
  externalIds: Record<string, string>;
  comment: string;
} {
  const given = (["name", "email", "timezone"] as const).filter((field) => options[field] !== undefined);
  return {
    ...Object.fromEntries(given.map((field) => [field, text(field, options[field])])),
    metadata: textsByName("metadata", options.metadata),
    externalIds: textsByName("externalIds", options.externalIds),
    comment: text("comment", options.comment ?? ""),
  };
}

function textsByName(field: string, values: Readonly<Record<string, string>> = {}): Record<string, string> {
  const read = ([key, value]: [string, unknown]) => [text(field, key), text(`${field}.${key}`, value)] as const;
  return Object.fromEntries(Object.entries(values).map(read));
}

function addons(quantities: Readonly<Record<string, number>>): Record<string, number> {
  const read = ([key, value]: [string, unknown]) => {
    const field = `addons.${text("addons", key)}`;
    const count = Number(quantity(field, value));
    if (Math.abs(count) >= 2 ** 31) throw invalid(field, `${count} is out of range; at most 1,000,000`);
    return [key, count] as const;
  };
  return Object.fromEntries(Object.entries(quantities).map(read));
}
