/** Where a client connects to. */

import { connect, type Socket } from "node:net";

/** What is needed to connect: a URL, whose host is sent as `:authority`, and a socket if it is not of TCP. */
export interface Target {
  readonly address: string;
  readonly url: string;
  readonly socket?: () => Socket;
}

const HOST_PORT = /^(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/[\]@?#]+)(?::(\d{1,5}))?$/;

/**
 * Reads an address: HOST:PORT, several of them with commas between, or `unix:PATH`.
 *
 * @param secure - with TLS, whose port is 443 without another.
 * @throws RangeError it names no server.
 */
export function targets(address: string, secure: boolean): Target[] {
  const scheme = secure ? "https" : "http";
  const path = /^unix:(?:\/\/)?(.+)$/.exec(address)?.[1];
  if (path !== undefined) return [{ address, url: `${scheme}://localhost`, socket: () => connect(path) }];
  return String(address)
    .split(",")
    .map((each) => {
      const [, host, port] = HOST_PORT.exec(each) ?? [];
      if (host !== undefined && (port === undefined ? secure : Number(port) > 0 && Number(port) < 65_536)) {
        return { address: each, url: `${scheme}://${each}` };
      }
      const shown = JSON.stringify(address);
      throw new RangeError(`address: must be HOST:PORT, such as 127.0.0.1:50051, or unix:PATH, not ${shown}`);
    });
}
