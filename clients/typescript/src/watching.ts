/** Watching what changes. A stream that breaks is opened again where it was. */

import { setTimeout as pause } from "node:timers/promises";

import { create } from "@bufbuild/protobuf";

import { exact, name, time } from "./answers.js";
import type { Connection } from "./connection.js";
import { QuotaDeadline, type QuotaError, QuotaUnavailable } from "./errors.js";
import * as pb from "./gen/quotad/v1/quota_pb.js";
import { text } from "./requests.js";

/** A server sends something each 15 s; after this time without anything the connection is lost. */
const SILENCE_MS = 45_000;

const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 5000;

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
export interface WatchOptions {
  /** Whose changes; empty: every customer's. */
  readonly customerId?: string | undefined;
  /** Changes of usage as well. */
  readonly usage?: boolean | undefined;
  /** Of a change, to go on after it; empty: from now on. */
  readonly position?: string | undefined;
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined;
  /** Called each time a stream has begun: from here on every change comes. */
  readonly onConnected?: (() => void) | undefined;
  /** Called with why, each time before a stream is opened again; undefined: a server that stops has ended it. */
  readonly onLost?: ((error: QuotaError | undefined) => void) | undefined;
}

const { watchEntitlements } = pb.QuotaService.method;

/** Changes as they come, until the signal, the client or the loop that reads them ends it. */
export async function* watch(connection: Connection, options: WatchOptions): AsyncGenerator<WatchedChange, void> {
  const request = create(pb.WatchEntitlementsRequestSchema, {
    customerId: text("customerId", options.customerId ?? ""),
    usage: options.usage === true,
    position: text("position", options.position ?? ""),
  });
  const ended = new AbortController();
  const signal = options.signal === undefined ? ended.signal : AbortSignal.any([options.signal, ended.signal]);
  let failures = 0;
  try {
    while (!signal.aborted && !connection.closed) {
      let lost: QuotaError | undefined;
      try {
        let begun = false;
        for await (const message of unlessSilent(connection, request, signal)) {
          if (!begun) options.onConnected?.();
          begun = true;
          failures = 0;
          request.position = message.position;
          const change = changeOf(message);
          if (change !== null) yield change;
        }
      } catch (error) {
        if (signal.aborted || connection.closed) return;
        if (!(error instanceof QuotaUnavailable || error instanceof QuotaDeadline)) throw error;
        lost = error;
      }
      if (signal.aborted || connection.closed) return;
      options.onLost?.(lost);
      const longest = Math.min(PAUSE_MIN_MS * 2 ** Math.min(failures++, 16), PAUSE_MAX_MS);
      await pause(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  } finally {
    ended.abort();
  }
}

/** The messages of one stream, which ends with an error when a server is silent for too long. */
async function* unlessSilent(
  connection: Connection,
  request: pb.WatchEntitlementsRequest,
  signal: AbortSignal,
): AsyncGenerator<pb.EntitlementChange, void> {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(), SILENCE_MS).unref();
  try {
    const either = AbortSignal.any([signal, silent.signal]);
    for await (const message of connection.stream(watchEntitlements, request, either)) {
      timer.refresh();
      yield message;
    }
  } catch (error) {
    if (silent.signal.aborted) throw new QuotaUnavailable("nothing was heard of the server");
    throw error;
  } finally {
    clearTimeout(timer);
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
