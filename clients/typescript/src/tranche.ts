/**
 * A tranche of quota in this process: what may be spent without asking, and when to renew it.
 *
 * `take` decides. `tend` acquires, renews and releases, as is due; whoever has the tranche carries it out,
 * once at a time.
 */

import type { Clock } from "./clock.js";
import { QuotaDeadline, QuotaError, QuotaUnavailable } from "./errors.js";
import type { Holding } from "./holding.js";
import type { LeaseTerm } from "./leases.js";
import { LocalDecision } from "./local.js";
import { newId } from "./requests.js";

/** Calls within `AHEAD_MS` that a lease is worth its own. */
export const CALLS_MIN = 3;

/** A tranche is to last for so long, at the rate of late. */
export const AHEAD_MS = 5000;

/** Units that are wanted at least. */
const FIRST = 10;

/** How many times larger than the one before the next tranche may be, and `FIRST` more. */
const GROWTH = 4;

/** A lease of less is not worth its calls: near the limit the server decides. */
const HELD_MIN = 5;

/** Before a lease is asked for again that was refused; doubled each time. */
const PAUSE_MS = 1000;
const PAUSE_MAX_MS = 30_000;

/** Before a call is repeated whose outcome is not known. */
const RETRY_MS = 200;

/** How long after its end a server still takes a lease back. */
const GRACE_MS = 1000;

/** Quantities whose decisions are kept. */
const ANSWERS_MAX = 64;

/** What a lease is of. */
export interface Leased {
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId: string;
}

/** Who lends. */
export type Lender = Pick<Holding, "acquireLease" | "renewLease" | "releaseLease">;

/** What one process may spend of one feature of one customer. */
export class Tranche {
  readonly of: Leased;
  /** When it is to be tended, at the latest. */
  due = Infinity;

  readonly #lender: Lender;
  readonly #most: number;
  readonly #onDue: (tranche: Tranche) => void;
  readonly #clock: Clock;

  /** Empty: nothing is leased. */
  #leaseId = "";
  /** In all, since the lease was acquired; as the next two. */
  #spent = 0;
  /** What may be spent. */
  #allowed = 0;
  /** What the server knows to be spent. */
  #reported = 0;
  #ends = 0;
  /** Once so much is spent, more is fetched; never above what may be spent. */
  #low = -Infinity;
  /** Until then a decision needs nothing but room: not after the term, nor when it is to be tended. */
  #easyUntil = -Infinity;
  /** Whether it was asked to be tended since it last was. */
  #asked = false;
  #one: Promise<LocalDecision> | undefined;
  #term: LeaseTerm | undefined;
  /** By quantity. */
  #answers = new Map<number, Promise<LocalDecision>>();
  #sequence = 0;
  /** A call whose outcome is not known. */
  #repeat: (() => Promise<LeaseTerm>) | undefined;
  #returning = false;

  /** Whether it waits to be tended or is, and whether that is to be done once more. */
  #busy = false;
  #again = false;

  /** Of the numbers below. */
  #since: number;
  #spentBefore = 0;
  /** Calls that the server had to decide, their units, and those of the largest. */
  #calls = 0;
  #missed = 0;
  #largest = 0;
  /** By the last call. */
  #wanted = 0;
  /** By the last call that was answered: what could be spent after it. */
  #lent = 0;
  #pauseMs = PAUSE_MS;
  #blockedUntil = -Infinity;

  /**
   * @param most - units that are leased at a time.
   * @param onDue - called with it when it is to be tended now.
   */
  constructor(of: Leased, lender: Lender, most: number, onDue: (tranche: Tranche) => void, clock: Clock) {
    this.of = of;
    this.#lender = lender;
    this.#most = most;
    this.#onDue = onDue;
    this.#clock = clock;
    this.#since = clock();
  }

  /** Units that may be spent now. */
  get held(): number {
    return this.#clock() < this.#ends ? this.#allowed - this.#spent : 0;
  }

  /** Whether there is a lease, or may be. */
  get leased(): boolean {
    return this.#leaseId !== "";
  }

  /** Spends a quantity above 0; undefined: the server has to decide. */
  take(quantity: number): Promise<LocalDecision> | undefined {
    const spent = this.#spent + quantity;
    const now = this.#clock();
    if (spent < this.#low && now < this.#easyUntil) {
      this.#spent = spent; // nearly always
      return quantity === 1 ? this.#one : this.#answer(quantity);
    }
    if (spent > this.#allowed || now >= this.#ends) return undefined;
    this.#spent = spent;
    if ((spent >= this.#low || now >= this.due) && !this.#asked) {
      this.#asked = true;
      this.#call();
    }
    const answer = this.#answer(quantity);
    // A caller that asks again and again would leave no turn to the call that fetches more.
    return this.#busy ? new Promise((resolve) => setImmediate(() => resolve(answer))) : answer;
  }

  /** Notes that the server has to decide about a quantity. */
  miss(quantity: number): void {
    const now = this.#clock();
    if (!this.leased && now - this.#since > AHEAD_MS) this.#reset(now);
    this.#calls += 1;
    this.#missed += quantity;
    this.#largest = Math.max(this.#largest, quantity);
    if (this.#asked || !(this.leased ? this.#isShort() : this.#isWanted(now))) return;
    this.#asked = true;
    this.#call();
  }

  /** Whether it is to be tended now, by the caller. */
  claim(now: number): boolean {
    if (this.#busy || now < this.due) return false;
    this.#busy = true;
    this.#easyUntil = -Infinity;
    return true;
  }

  /** Whether it holds nothing and was not asked for of late; then it never leases again. */
  forgetIfIdle(now: number): boolean {
    const late = now - this.#since > AHEAD_MS && now >= this.#blockedUntil;
    if (!late || this.#busy || this.leased) return false;
    this.#blockedUntil = Infinity;
    return true;
  }

  /** Acquires, renews or releases, as is due; rejects with what is no QuotaError. */
  async tend(): Promise<void> {
    try {
      await this.#step();
    } finally {
      this.#busy = this.#again;
      this.#again = false;
      this.#easyUntil = Math.min(this.#ends, this.due);
      if (this.#busy) this.#onDue(this);
    }
  }

  /** Stops spending and releases the lease. */
  async giveBack(): Promise<void> {
    const now = this.#clock();
    this.#allowed = 0;
    this.#ends = Math.min(this.#ends, now);
    this.#low = -Infinity;
    this.#returning = true;
    const ended = now >= this.#ends + GRACE_MS;
    if (this.leased) {
      try {
        await this.#lender.releaseLease(this.of.customerId, this.#leaseId, this.#spent);
      } catch (error) {
        if (!(error instanceof QuotaError)) throw error;
        if ((error instanceof QuotaUnavailable || error instanceof QuotaDeadline) && !ended) {
          this.due = this.#clock() + RETRY_MS;
          return;
        } // else it has ended, and what was left of it counts as used
      }
    }
    this.#forget();
  }

  async #step(): Promise<void> {
    const now = this.#clock();
    const moved = this.#spent !== this.#spentBefore;
    const ended = this.#returning || now >= this.#ends;
    const idle = now >= this.due && !moved && this.#repeat === undefined;
    this.#asked = false;
    if (!this.leased) {
      if (this.#isWanted(now)) return this.#acquire();
      this.due = Infinity;
      return;
    }
    if (!ended && now < this.due && !this.#isShort()) return;
    if (!ended && !idle) return this.#renew();
    if (idle && this.#missed > 0) this.#block(); // what is asked for is not what is held
    await this.giveBack();
    if (moved && !this.leased && this.#clock() >= this.#blockedUntil) await this.#acquire();
  }

  async #acquire(): Promise<void> {
    const leaseId = newId();
    const now = this.#clock();
    this.#forget();
    this.#leaseId = leaseId;
    this.#ends = now + AHEAD_MS; // to be given up by then, if it is not answered
    const wanted = this.#want(now);
    const { customerId, featureId, resourceId } = this.of;
    await this.#settle(() => this.#lender.acquireLease(customerId, featureId, wanted, { resourceId, leaseId }));
  }

  async #renew(): Promise<void> {
    if (this.#repeat !== undefined) return this.#settle(this.#repeat);
    const spent = this.#spent;
    const quantity = this.#want(this.#clock());
    const sequence = ++this.#sequence;
    // What is returned must not be spent any more, from now on.
    this.#allowed = Math.min(this.#allowed, spent + quantity);
    this.#low = Math.min(this.#low, this.#allowed);
    this.#reported = spent;
    const leaseId = this.#leaseId;
    return this.#settle(() => this.#lender.renewLease(this.of.customerId, leaseId, { sequence, spent, quantity }));
  }

  /** Carries out a call, whose outcome must be known before the next one. */
  async #settle(call: () => Promise<LeaseTerm>): Promise<void> {
    this.#repeat = call;
    const sent = this.#clock();
    let term: LeaseTerm;
    try {
      term = await call();
    } catch (error) {
      if (!(error instanceof QuotaError)) throw error;
      if (error instanceof QuotaUnavailable || error instanceof QuotaDeadline) {
        this.due = this.#clock() + RETRY_MS;
        return;
      }
      this.#block(error.code === "UNIMPLEMENTED" ? PAUSE_MAX_MS : 0);
      return this.giveBack();
    }
    this.#repeat = undefined;
    if (term.termMs !== null) {
      this.#adopt(term, sent, sent + term.termMs);
      if (this.#lent >= Math.min(HELD_MIN, this.#wanted)) return;
    }
    this.#block();
    await this.giveBack();
  }

  /** Spends by the answer from now on. */
  #adopt(term: LeaseTerm, sent: number, ends: number): void {
    this.#term = term;
    this.#one = Promise.resolve(new LocalDecision(term.decision, 1));
    this.#answers = new Map([[1, this.#one]]);
    this.#allowed = term.granted;
    this.#ends = ends;
    this.#lent = term.granted - this.#reported;
    this.#low = term.granted - Math.floor(this.#lent / 2);
    this.#asked = false;
    this.#again ||= this.#spent >= this.#low; // it was spent while this was fetched
    if (this.#spent > 0) this.#pauseMs = PAUSE_MS;
    this.due = term.last ? ends : (sent + ends) / 2;
  }

  /** How much is wanted, at the rate since this was last called. */
  #want(now: number): number {
    const units = this.#spent - this.#spentBefore + this.#missed;
    const rate = units / Math.max(now - this.#since, 1);
    const grown = GROWTH * this.#wanted + FIRST;
    let wanted = Math.min(Math.max(Math.ceil(rate * AHEAD_MS), FIRST, 2 * this.#largest), grown, this.#most);
    const left = this.#allowed - this.#spent;
    // A moment does not show that less is needed.
    if (this.#allowed > 0 && now < this.due) wanted = Math.max(wanted, this.#wanted);
    if (wanted < left && left <= 2 * wanted) wanted = left;
    this.#wanted = wanted;
    this.#reset(now);
    return wanted;
  }

  #isWanted(now: number): boolean {
    return this.#calls >= CALLS_MIN && now >= this.#blockedUntil;
  }

  /** Whether a lease has too little left, and more may be lent. */
  #isShort(): boolean {
    if (this.#spent >= this.#low) return true;
    // Where less was lent than was wanted, asking again would not bring more.
    return this.#largest > this.#allowed - this.#spent && this.#lent >= this.#wanted;
  }

  #reset(now: number): void {
    this.#since = now;
    this.#spentBefore = this.#spent;
    this.#calls = this.#missed = this.#largest = 0;
  }

  /** Asks for no lease for a while. */
  #block(leastMs = 0): void {
    const now = this.#clock();
    this.#blockedUntil = now + Math.max(this.#pauseMs, leastMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MAX_MS);
    this.#reset(now);
  }

  #forget(): void {
    this.#leaseId = "";
    this.#repeat = undefined;
    this.#sequence = this.#spent = this.#spentBefore = this.#reported = this.#allowed = this.#ends = 0;
    this.#low = this.#easyUntil = -Infinity;
    this.due = Infinity;
    this.#returning = this.#asked = false;
  }

  /** Has it tended now, or once more. */
  #call(): void {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.#easyUntil = -Infinity;
    this.#onDue(this);
  }

  #answer(quantity: number): Promise<LocalDecision> {
    const known = this.#answers.get(quantity);
    if (known !== undefined) return known;
    const answer = Promise.resolve(new LocalDecision(this.#term!.decision, quantity));
    if (this.#answers.size < ANSWERS_MAX) this.#answers.set(quantity, answer);
    return answer;
  }
}
