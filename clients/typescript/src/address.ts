/** Where a client connects to. */

import { connect, type Socket } from "node:net";

/** What is needed to connect: a URL, whose host is sent as `:authority`, and a socket if it is not of TCP. */
export interface Target {
  readonly url: string;
  readonly socket?: () => Socket;
}

const HOST_PORT = /^(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/[\]@?#]+)(?::(\d{1,5}))?$/;

/**
 * Reads an address: HOST:PORT or `unix:PATH`.
 *
 * @param secure - with TLS, whose port is 443 without another.
 * @throws RangeError it names no server.
 */
export function target(address: string, secure: boolean): Target {
  const scheme = secure ? "https" : "http";
  if (typeof address === "string") {
    const path = /^unix:(?:\/\/)?(.+)$/.exec(address)?.[1];
    if (path !== undefined) return { url: `${scheme}://localhost`, socket: () => connect(path) };
    const [, host, port] = HOST_PORT.exec(address) ?? [];
    if (host !== undefined && (port === undefined ? secure : Number(port) > 0 && Number(port) < 65_536)) {
      return { url: `${scheme}://${address}` };
    }
  }
  throw new RangeError(`address: must be HOST:PORT, such as 127.0.0.1:50051, or unix:PATH, not ${JSON.stringify(address)}`);
}
