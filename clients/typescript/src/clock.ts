/** Time that never goes back and goes on while the machine sleeps. */

/** Milliseconds since some moment. */
export type Clock = () => number;

/** More than this apart, in milliseconds, the two clocks below have not run alike. */
const APART_MS = 2;

/**
 * Makes a clock of one that never jumps and one that counts sleep, as Node has none that does both: what
 * the clock on the wall goes ahead of the other was sleep, or somebody has set it. What ends by this clock
 * ends early then, and never late. One that is an hour off makes no difference.
 *
 * @param steady - milliseconds, never jumps.
 * @param wall - milliseconds, counts sleep, may be set.
 */
export function sleepless(steady: Clock = () => performance.now(), wall: Clock = Date.now): Clock {
  let slept = 0;
  let apart = wall() - steady();
  return () => {
    const now = steady();
    const ahead = wall() - now - apart;
    if (ahead > APART_MS || ahead < -APART_MS) {
      apart += ahead;
      if (ahead > 0) slept += ahead;
    }
    return now + slept;
  };
}

/** One for all. */
export const clock: Clock = sleepless();
