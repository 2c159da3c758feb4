/** A stream that is opened again each time that it is lost, in Node and in browsers. */

import { QuotaDeadline, type QuotaError, QuotaUnavailable } from "./errors.js";

/** A server sends something each 15 s; after this time without anything the connection is lost. */
const SILENCE_MS = 45_000;

const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 5000;

/** What callers of a stream that is opened again may want to know. */
export interface Reopening {
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
  /** Called each time a stream has begun: from here on every change comes. */
  readonly onConnected?: (() => void) | undefined;
  /** Called with why, each time before a stream is opened again; undefined: a server that stops has ended it. */
  readonly onLost?: ((error: QuotaError | undefined) => void) | undefined;
}

/**
 * The messages of one stream after another, until the signal or the loop that reads them ends it.
 *
 * @param open - gives the messages of one stream; where it begins is its own business.
 * @param over - whether no further one is to be opened.
 * @throws QuotaError that no other stream would be without.
 */
export async function* reopened<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  options: Reopening,
  over = () => false,
): AsyncGenerator<T, void> {
  const ended = new AbortController();
  const signal = options.signal === undefined ? ended.signal : AbortSignal.any([options.signal, ended.signal]);
  const done = () => signal.aborted || over();
  let failures = 0;
  try {
    while (!done()) {
      let lost: QuotaError | undefined;
      try {
        let begun = false;
        for await (const message of unlessSilent(open, signal)) {
          if (!begun) options.onConnected?.();
          begun = true;
          failures = 0;
          yield message;
        }
      } catch (error) {
        if (done()) return;
        if (!(error instanceof QuotaUnavailable || error instanceof QuotaDeadline)) throw error;
        lost = error;
      }
      if (done()) return;
      options.onLost?.(lost);
      const longest = Math.min(PAUSE_MIN_MS * 2 ** Math.min(failures++, 16), PAUSE_MAX_MS);
      await pause(longest * (0.5 + Math.random() / 2), signal);
    }
  } finally {
    ended.abort();
  }
}

/** The messages of one stream, which ends with an error when a server is silent for too long. */
async function* unlessSilent<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  const silent = new AbortController();
  const wait = () => {
    const timer = setTimeout(() => silent.abort(), SILENCE_MS);
    timer.unref?.(); // browsers have no such thing
    return timer;
  };
  let timer = wait();
  try {
    for await (const message of open(AbortSignal.any([signal, silent.signal]))) {
      clearTimeout(timer);
      timer = wait();
      yield message;
    }
  } catch (error) {
    if (silent.signal.aborted) throw new QuotaUnavailable("nothing was heard of the server");
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after a time, or as soon as the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
