/** Watching what changes. A stream that breaks is opened again where it was. */

import { create } from "@bufbuild/protobuf";

import { exact, name, time } from "./answers.js";
import type { Connection } from "./connection.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import { reopened, type Reopening } from "./reopening.js";
import { text } from "./requests.js";

/** What has changed, without the prefix `CHANGE_KIND_`. */
export type ChangeKind = Exclude<keyof typeof pb.ChangeKind, "UNSPECIFIED" | "POSITION">;

/** One change; which fields it has depends on the kind. */
export interface WatchedChange {
  /** `REFETCH`: read again what is kept; it is the first, and comes where changes may have been missed. */
  readonly kind: ChangeKind;
  /** By the store's clock. */
  readonly at: Date | null;
  /** Empty: of all that are watched. */
  readonly customerId: string;
  /** Of the customer after the write. */
  readonly epoch: number;
  /** In force after a CATALOG_CHANGED. */
  readonly catalogVersion: number;
  /** Whose usage has changed; empty: of more than one, or of one that is not known. */
  readonly featureId: string;
  /** Of the customer's, whose usage has changed; empty: its own. */
  readonly resourceId: string;
  /** Whose doing it was, for callers with the right to read. */
  readonly actor: string;
  /** To go on from after this change, also with another client. */
  readonly position: string;
}

/** What is watched. */
export interface WatchOptions extends Reopening {
  /** Whose changes; empty: every customer's. */
  readonly customerId?: string | undefined;
  /** Changes of usage as well. */
  readonly usage?: boolean | undefined;
  /** Of a change, to go on after it; empty: from now on. */
  readonly position?: string | undefined;
}

const { watchEntitlements } = pb.QuotaService.method;

/** Changes as they come, until the signal, the client or the loop that reads them ends it. */
export async function* watch(connection: Connection, options: WatchOptions): AsyncGenerator<WatchedChange, void> {
  const request = create(pb.WatchEntitlementsRequestSchema, {
    customerId: text("customerId", options.customerId ?? ""),
    usage: options.usage === true,
    position: text("position", options.position ?? ""),
  });
  const open = (signal: AbortSignal) => connection.stream(watchEntitlements, request, signal);
  for await (const message of reopened(open, options, () => connection.closed)) {
    request.position = message.position;
    const change = changeOf(message);
    if (change !== null) yield change;
  }
}

/** A change; null: only a later position, or one of a kind that is not known here. */
function changeOf(message: pb.EntitlementChange): WatchedChange | null {
  const kind = name(pb.ChangeKind, message.kind, "");
  if (!(kind in pb.ChangeKind) || kind === "UNSPECIFIED" || kind === "POSITION") return null;
  return {
    kind: kind as ChangeKind,
    at: time(message.at),
    customerId: message.customerId,
    epoch: exact(message.epoch),
    catalogVersion: exact(message.catalogVersion),
    featureId: message.featureId,
    resourceId: message.resourceId,
    actor: message.actor,
    position: message.position,
  };
}
