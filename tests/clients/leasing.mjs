// What holders of leases spend, on a clock that only the test moves and with answers that get lost: drawn
// from a seed. Throws where a holder spends what it has not, or the sums do not agree.
import assert from "node:assert/strict";

import { sleepless } from "../../clients/typescript/dist/clock.js";
import { QuotaServerError, QuotaUnavailable } from "../../clients/typescript/dist/errors.js";
import { Tranche } from "../../clients/typescript/dist/tranche.js";

const TERM_MS = 5000;
const GRACE_MS = 1000;

// Mulberry32.
function drawing(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) / 4294967296) * below;
  };
}

// A server with one limit, which lends by the rules of docs/leases.md.
class Lender {
  used = 0;
  lost = 0; // lent, and not returned in time
  leases = new Map();
  trouble = 0; // the part of calls that something happens to
  inFlight = [];

  constructor(limit, now, draw) {
    Object.assign(this, { limit, now, draw });
  }

  consume(quantity) {
    if (this.used + quantity > this.limit) return false;
    this.used += quantity;
    return true;
  }

  acquireLease = (_customer, _feature, quantity, { leaseId }) =>
    this.#later(() => {
      if (!this.leases.has(leaseId)) {
        this.leases.set(leaseId, { granted: 0, counted: 0, sequence: 0, ends: this.now() + TERM_MS, asked: "" });
        return this.#lend(leaseId, 0, quantity);
      }
      return this.#answer(leaseId);
    });

  renewLease = (_customer, leaseId, { sequence, spent, quantity }) =>
    this.#later(() => {
      const lease = this.#open(leaseId);
      const asked = `${sequence} ${spent} ${quantity}`;
      if (sequence === lease.sequence) {
        assert.equal(lease.asked, asked, "a renewal is repeated as it was");
        return this.#answer(leaseId);
      }
      assert.equal(sequence, lease.sequence + 1);
      Object.assign(lease, { sequence, asked, ends: this.now() + TERM_MS });
      if (this.draw(1) < this.trouble / 4) return { ...this.#answer(leaseId), termMs: null };
      return this.#lend(leaseId, spent, quantity);
    });

  releaseLease = (_customer, leaseId, spent) =>
    this.#later(() => {
      const lease = this.#open(leaseId, GRACE_MS);
      this.#check(lease, spent);
      this.used -= lease.granted - spent;
      this.leases.delete(leaseId);
      return lease.granted - spent;
    });

  // What ends now is used, all of it.
  expire() {
    for (const [id, lease] of this.leases) {
      if (this.now() < lease.ends + GRACE_MS) continue;
      this.lost += lease.granted - lease.counted;
      this.leases.delete(id);
    }
  }

  #open(leaseId, graceMs = 0) {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) throw new QuotaServerError("not known", "NOT_FOUND", "NOT_FOUND");
    if (this.now() >= lease.ends + graceMs) throw new QuotaServerError("ended", "FAILED_PRECONDITION", "NOT_OPEN");
    return lease;
  }

  #check(lease, spent) {
    assert.equal(spent, lease.counted, "what is reported is what was spent");
    assert.ok(spent <= lease.granted, "no more is spent than was lent");
  }

  #lend(leaseId, spent, quantity) {
    const lease = this.leases.get(leaseId);
    assert.ok(spent <= lease.counted, "no more is reported than was spent");
    const left = lease.granted - spent;
    const room = Math.max(0, this.limit - this.used);
    const lent = Math.min(quantity, left + Math.max(1, Math.floor(room / 10)), left + room);
    this.used += lent - left;
    lease.granted = spent + lent;
    return this.#answer(leaseId);
  }

  #answer(leaseId) {
    const { granted, ends } = this.leases.get(leaseId);
    const decision = { allowed: true, reason: "WITHIN_LIMIT", granted, unlimited: false };
    return { leaseId, decision, granted, termMs: Math.max(0, ends - this.now()), last: false };
  }

  // Answers when the test lets it: the call arrives at once or later, and its answer may get lost.
  #later(act) {
    return new Promise((resolve, reject) => {
      const arrive = () => {
        const drawn = this.draw(1);
        if (drawn < this.trouble / 3) return reject(new QuotaUnavailable("not sent"));
        let answer;
        try {
          answer = act();
        } catch (error) {
          return this.inFlight.push(() => reject(error));
        }
        if (drawn < this.trouble) return this.inFlight.push(() => reject(new QuotaUnavailable("lost")));
        this.inFlight.push(() => resolve(answer));
      };
      this.inFlight.push(arrive);
    });
  }
}

// One tranche, and what a client does for it.
class Holder {
  due = [];
  taken = 0;
  local = 0;
  calls = 0;

  constructor(name, lender, now) {
    this.lender = lender;
    this.now = now;
    const lends = Object.fromEntries(
      ["acquireLease", "renewLease", "releaseLease"].map((method) => [method, (...args) => this.#call(method, args)]),
    );
    const of = { customerId: "acme", featureId: name, resourceId: "" };
    this.tranche = new Tranche(of, lends, 200, (tranche) => this.due.push(tranche), now);
  }

  async #call(method, args) {
    if (method === "acquireLease") this.leaseId = args[3].leaseId;
    assert.equal(++this.calls, 1, "one call at a time");
    try {
      return await this.lender[method](...args);
    } finally {
      this.calls--;
    }
  }

  consume(quantity) {
    const decision = this.tranche.take(quantity);
    if (decision !== undefined) {
      const lease = this.lender.leases.get(this.leaseId);
      assert.ok(lease !== undefined && this.now() < lease.ends, "what is spent is lent, and its term goes on");
      lease.counted += quantity;
      assert.ok(lease.counted <= lease.granted, "no more is spent than is lent");
      this.taken += quantity;
      this.local += quantity;
      return decision;
    }
    this.tranche.miss(quantity);
    if (this.lender.consume(quantity)) this.taken += quantity;
    return undefined;
  }

  tend() {
    const due = this.due.splice(0);
    if (due.length === 0 && this.tranche.claim(this.now())) due.push(this.tranche);
    for (const tranche of due) tranche.tend().catch((error) => (this.failed = error));
    if (this.failed !== undefined) throw this.failed;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function deliver(lender, draw, all) {
  while (lender.inFlight.length > 0 && (all || draw(1) < 0.7)) {
    const [each] = lender.inFlight.splice(Math.floor(draw(lender.inFlight.length)), 1);
    each();
    await turn();
  }
}

// Some thousand calls of several holders; what was taken, and what came of it.
export async function fuzz(seed, steps) {
  const draw = drawing(seed);
  let now = 1_000_000;
  const clock = () => now;
  const limit = Math.floor(2000 + draw(20_000));
  const lender = new Lender(limit, clock, draw);
  const holders = ["a", "b", "c", "d"].map((name) => new Holder(name, lender, clock));
  const sum = (name) => holders.reduce((all, each) => all + each[name], 0);
  for (let step = 0; step < steps; step++) {
    if (step % 500 === 0) lender.trouble = draw(1) < 0.5 ? 0 : draw(0.6);
    const holder = holders[Math.floor(draw(holders.length))];
    for (let calls = Math.floor(draw(30)); calls > 0; calls--) holder.consume(1 + Math.floor(draw(draw(1) < 0.1 ? 60 : 3)));
    now += draw(1) < 0.02 ? draw(20_000) : draw(40);
    lender.expire();
    for (const each of holders) each.tend();
    await deliver(lender, draw, false);
    assert.ok(lender.used <= limit, "never past the limit");
    const lent = [...lender.leases.values()].reduce((all, each) => all + each.granted - each.counted, 0);
    assert.equal(lender.used, sum("taken") + lent + lender.lost, "every unit is taken, lent or lost");
  }
  lender.trouble = 0;
  await deliver(lender, draw, true);
  for (const each of holders) {
    const given = each.tranche.giveBack();
    await turn();
    await deliver(lender, draw, true);
    await given;
  }
  now += TERM_MS + GRACE_MS;
  lender.expire();
  assert.equal(lender.used, sum("taken") + lender.lost);
  return { limit, used: lender.used, local: sum("local"), lost: lender.lost };
}

// How often one caller that asks without a pause has to ask the server, once its tranche has grown.
export async function dry(calls) {
  let now = 0;
  const lender = new Lender(1e9, () => now, () => 1);
  const holder = new Holder("a", lender, () => now);
  const ask = () => {
    now += 0.001;
    return holder.consume(1);
  };
  holder.due.push = (tranche) => void tranche.tend();
  lender.inFlight.push = (each) => setImmediate(each);
  while (holder.tranche.held < 100) await (ask() ?? turn());
  let dry = 0;
  for (let call = 0; call < calls; call++) dry += (await ask()) === undefined;
  return dry;
}

// What a clock has measured while the two below were set.
export function clocked(moves) {
  let steady = 50;
  let wall = 1_700_000_000_000;
  const clock = sleepless(
    () => steady,
    () => Math.floor(wall),
  );
  const begun = clock();
  return moves.map(([ran, slept, set]) => {
    steady += ran;
    wall += ran + slept + set;
    return Math.round(clock() - begun);
  });
}
