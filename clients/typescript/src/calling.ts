/** What the calls of a client have in common: its connection, and how they are tried again. */

import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";

import { Connection, type ConnectionOptions } from "./connection.js";
import { type Policy, policy, retried } from "./retries.js";

/** How a client connects and how long it waits. */
export interface CallOptions extends ConnectionOptions {
  /** Milliseconds that one call may take, all its tries together; absent: 1000. */
  readonly timeoutMs?: number | undefined;
  /** Further tries after UNAVAILABLE, always under the same idempotency key; absent: 2. */
  readonly retries?: number | undefined;
}

/** Makes calls on one connection. */
export class Calling {
  /** @internal */
  protected readonly policy: Policy;
  /** @internal */
  protected readonly connection: Connection;

  /**
   * @param address - HOST:PORT, several of them with commas between, or `unix:PATH`.
   * @throws RangeError an address or option that cannot be.
   */
  constructor(address: string, options: CallOptions) {
    this.policy = policy(options.timeoutMs, options.retries);
    this.connection = new Connection(address, options);
  }

  /**
   * One call, tried again while no server answers.
   *
   * @internal
   */
  protected call<I extends DescMessage, O extends DescMessage>(
    called: DescMethodUnary<I, O>,
    request: MessageShape<I>,
  ): Promise<MessageShape<O>> {
    return retried(this.policy, (timeoutMs) => this.connection.call(called, request, timeoutMs));
  }

  /**
   * One call, tried once.
   *
   * @internal
   */
  protected callOnce<I extends DescMessage, O extends DescMessage>(
    called: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    timeoutMs: number = this.policy.timeoutMs,
  ): Promise<MessageShape<O>> {
    return this.connection.call(called, request, timeoutMs);
  }
}
