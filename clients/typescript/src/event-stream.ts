/** Server-sent events of `/v1/events`, as changes. */

import { fromProblem } from "./problems.js";
import { plain } from "./json.js";
import type { ChangeKind, WatchedChange } from "./watching.js";

/** Of kinds that are known here; a server of a later version may send others. */
const KINDS: ReadonlySet<string> = new Set<ChangeKind>([
  "REFETCH",
  "CUSTOMER_CHANGED",
  "CUSTOMER_ERASED",
  "CATALOG_CHANGED",
  "USAGE_CHANGED",
]);

const NOTHING = { at: null, customerId: "", epoch: 0, catalogVersion: 0, featureId: "", resourceId: "", actor: "" };

/**
 * What an answer brings, event by event; null: only a sign of life, or what is not known here.
 *
 * @throws QuotaError with which the server ends the stream.
 */
export async function* changes(body: ReadableStream<Uint8Array>): AsyncGenerator<WatchedChange | null, void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop() ?? "";
      for (const each of events) yield changeOf(each);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function changeOf(event: string): WatchedChange | null {
  const fields = new Map(event.split("\n").map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
  const kind = fields.get("event") ?? "";
  const data = fields.get("data") ?? "";
  if (kind === "end") {
    const problem = JSON.parse(data) as { status?: number };
    throw fromProblem(problem.status ?? 500, problem);
  }
  return KINDS.has(kind) ? { ...NOTHING, ...(plain(JSON.parse(data)) as WatchedChange) } : null;
}
