/** Connections to one server or several, which open when they are needed and again when they were lost. */

import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { ClientHttp2Stream, Http2Session, SecureClientSessionOptions } from "node:http2";

import { type Target, targets } from "./address.js";
import { QuotaDeadline, type QuotaError, QuotaServerError, QuotaUnavailable } from "./errors.js";
import { fromCall } from "./failures.js";

/** Files of TLS in PEM, as text or bytes. */
export interface TlsOptions {
  /** The CA of the server's certificate; absent: those that Node trusts. */
  readonly ca?: string | Uint8Array | undefined;
  /** The client's own certificate, for servers that ask for one. */
  readonly cert?: string | Uint8Array | undefined;
  /** Its key. */
  readonly key?: string | Uint8Array | undefined;
}

/** How to connect. */
export interface ConnectionOptions {
  readonly tls?: TlsOptions | undefined;
  readonly token?: string | undefined;
}

/** Sessions whose late errors are caught, each once. */
const guarded = new WeakSet<Http2Session>();

/**
 * Connections of Connect, which stops listening to one that it has replaced. An error that Node raises
 * of it afterwards, such as after a server's GOAWAY, would end the process
 * (https://github.com/connectrpc/connect-es/issues/1768).
 */
class Sessions extends Http2SessionManager {
  override async request(...args: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...args);
    const { session } = stream;
    if (session !== undefined && !guarded.has(session)) {
      guarded.add(session);
      session.on("error", () => undefined);
    }
    return stream;
  }
}

/**
 * A connection that was idle for so long is tried by a ping before a call goes over it, and replaced if it
 * does not answer in time: what is between may have forgotten it, as of a function that was frozen.
 */
const PINGS = { pingIntervalMs: 20_000, pingTimeoutMs: 500 };

/** A message of answers may be as large: an explained batch, a catalog. */
const READ_MAX_BYTES = 32 * 1024 * 1024;

/** `grpc-timeout` has whole milliseconds, at most eight digits of them. */
const TIMEOUT_MAX_MS = 99_999_999;

/** How long a server that has not answered is left out, in milliseconds, where there are others. */
const REST_MS = 1000;

/** One of the servers. */
class Server {
  readonly sessions: Http2SessionManager;
  readonly transport: Transport;
  /** By the monotonic clock. */
  restsUntil = -Infinity;
  readonly #address: string;

  constructor({ address, url, socket }: Target, node: SecureClientSessionOptions) {
    this.#address = address;
    const options = socket === undefined ? node : { ...node, createConnection: socket };
    this.sessions = new Sessions(url, { ...PINGS }, options);
    this.transport = createGrpcTransport({
      baseUrl: url,
      sessionManager: this.sessions,
      readMaxBytes: READ_MAX_BYTES,
    });
  }

  /** The error of a call that failed here. */
  failed(error: unknown): QuotaError {
    const failed = fromCall(error, this.#address);
    const silent = failed.reason === "" && (failed instanceof QuotaUnavailable || failed instanceof QuotaDeadline);
    if (silent) this.restsUntil = performance.now() + REST_MS;
    return failed;
  }
}

/** What a client calls. Of several servers each takes the next call, but for those that have not answered of late. */
export class Connection {
  readonly #servers: readonly Server[];
  readonly #headers: Record<string, string>;
  #next = 0;
  #closed = false;

  constructor(address: string, options: ConnectionOptions) {
    const { tls } = options;
    const node: SecureClientSessionOptions = {};
    for (const part of ["ca", "cert", "key"] as const) {
      const pem = tls?.[part];
      if (pem !== undefined) node[part] = typeof pem === "string" ? pem : Buffer.from(pem);
    }
    this.#headers = withToken(options.token ?? "");
    this.#servers = targets(address, tls !== undefined).map((each) => new Server(each, node));
  }

  /** One call, tried once; throws a QuotaError, or an Error of a client that is closed. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    timeoutMs: number,
  ): Promise<MessageShape<O>> {
    if (this.#closed) throw new Error("the client is closed");
    // Connect takes a time that is over for none at all.
    if (!(timeoutMs > 0)) throw new QuotaDeadline("the time was over before the call was sent");
    const server = this.#pick();
    try {
      const wholeMs = Math.min(Math.ceil(timeoutMs), TIMEOUT_MAX_MS);
      const answer = await server.transport.unary(method, undefined, wholeMs, this.#headers, request as never);
      return answer.message;
    } catch (error) {
      if (this.#closed) throw new QuotaServerError("the client was closed", "CANCELLED", "", { cause: error });
      throw server.failed(error);
    }
  }

  /** A call that is answered by a stream; throws as `call`. */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<O>, void> {
    if (this.#closed) throw new Error("the client is closed");
    const server = this.#pick();
    try {
      const asked = (async function* () {
        yield request as never;
      })();
      const answer = await server.transport.stream(method, signal, undefined, this.#headers, asked);
      yield* answer.message;
    } catch (error) {
      throw server.failed(error);
    }
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Closes it; calls in flight fail. */
  close(): void {
    this.#closed = true;
    for (const { sessions } of this.#servers) sessions.abort();
  }

  #pick(): Server {
    const [first] = this.#servers;
    if (this.#servers.length === 1) return first!;
    const now = performance.now();
    for (let tried = 0; tried < this.#servers.length; tried++) {
      const server = this.#servers[this.#next++ % this.#servers.length]!;
      if (server.restsUntil <= now) return server;
    }
    // None has answered of late: the one that has rested longest.
    return this.#servers.reduce((best, each) => (each.restsUntil < best.restsUntil ? each : best));
  }
}

function withToken(token: string): Record<string, string> {
  if (token === "") return {};
  if (!/^qd_[!-~]+$/.test(token)) {
    throw new RangeError("token: must be as `quotad tokens create` has printed it, qd_...");
  }
  return { authorization: `Bearer ${token}` };
}
