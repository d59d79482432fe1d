/**
 * A producer's own end: numbers what it appends, has some of it on the way at once, and sends again what is not answered, so that each is stored once
 * and in order.
 *
 * 1. Appends to a topic are numbered 0, 1, 2, … as they are asked for, within an epoch that is registered before the first. Up to WINDOW of a topic
 *    are on the way at once: as many as the other end knows the answers of.
 * 2. What fails in a way that may pass (a connection, a full disk) is sent again under its number, for a while.
 * 3. What overtook another one on the way is refused as out of sequence, and is sent again when it is the first that is not answered. If it was so
 *    already, it is sent again once: what it has overtaken may be an earlier copy of its own.
 * 4. What is refused for good leaves its number unused, so that nothing behind it could be stored; and it may still be on its way, in a copy. So the
 *    epoch ends: nothing more is sent, all that is on the way is waited for, a new epoch is registered, which keeps late copies out, and what is left
 *    is numbered anew.
 * 5. A newer instance with the same id has registered: all is refused (fenced), and everything that comes later.
 */
import { type EvertError, toEvertError } from "./errors.ts";

const WINDOW = 5;
/** Epochs begun one after the other because the other end does not know the numbers before. */
const LOST_MAX = 3;

export interface Place {
  readonly epoch: number;
  readonly seq: number;
}

/** The way to the other end. */
export interface SequencerLink<Body, Answer> {
  /** Begins an epoch. @throws EvertError when that cannot be done */
  register(): Promise<number>;
  send(topic: string, body: Body, place: Place): Promise<Answer>;
  /** Before a request is sent again for the n-th time; `sinceMs`: since it was sent first. False: it is given up. */
  again(attempt: number, sinceMs: number): Promise<boolean>;
}

interface Entry<Body, Answer> {
  readonly topic: string;
  readonly body: Body;
  /** So many numbers are its own. */
  readonly count: number;
  /** In the epoch, the first of them; -1: not yet numbered. */
  seq: number;
  /** Entries numbered before it in the epoch. */
  nth: number;
  /** early: it was refused because of those before it. */
  state: "waiting" | "sent" | "early";
  /** Refused because of those before it, of which none was without an answer. */
  isDoubtful: boolean;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

interface Lane<Body, Answer> {
  /** Not yet answered, in order. */
  readonly queue: Entry<Body, Answer>[];
  next: number;
  numbered: number;
}

export class Sequencer<Body, Answer> {
  readonly #link: SequencerLink<Body, Answer>;
  readonly #lanes = new Map<string, Lane<Body, Answer>>();
  /** null: one has to be registered. */
  #epoch: number | null = null;
  #isRegistering = false;
  #isEnding = false;
  #underWay = 0;
  /** Epochs that have ended because numbers were lost, since anything was stored. */
  #lost = 0;
  #ended: EvertError | null = null;
  #idle: (() => void)[] = [];

  constructor(link: SequencerLink<Body, Answer>) {
    this.#link = link;
  }

  /** The epoch that appends are numbered in; null: none yet. */
  get epoch(): number | null {
    return this.#epoch;
  }

  /** `count`: what it holds counts as so many, each with a number of its own. */
  append(topic: string, body: Body, count = 1): Promise<Answer> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      let lane = this.#lanes.get(topic);
      if (lane === undefined) this.#lanes.set(topic, (lane = { queue: [], next: 0, numbered: 0 }));
      lane.queue.push({
        topic,
        body,
        count,
        seq: -1,
        nth: -1,
        state: "waiting",
        isDoubtful: false,
        resolve,
        reject,
      });
      this.#pump();
    });
  }

  /** Resolves when everything that was asked for has been answered or refused. */
  flush(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Refuses all that is not answered, and all that comes. */
  end(error: EvertError): void {
    this.#ended ??= error;
    for (const { queue } of this.#lanes.values())
      for (const { reject } of queue.splice(0)) reject(this.#ended);
    this.#pump();
  }

  get #isIdle(): boolean {
    if (this.#underWay > 0) return false;
    return [...this.#lanes.values()].every(({ queue }) => queue.length === 0);
  }

  #pump(): void {
    if (this.#isIdle) for (const resolve of this.#idle.splice(0)) resolve();
    if (this.#ended !== null) return;
    if (this.#isEnding) {
      if (this.#underWay > 0) return;
      this.#isEnding = false;
      this.#epoch = null;
      for (const lane of this.#lanes.values()) {
        lane.next = lane.numbered = 0;
        for (const entry of lane.queue) [entry.seq, entry.state, entry.isDoubtful] = [-1, "waiting", false];
      }
    }
    if (this.#isIdle) return;
    if (this.#epoch === null) {
      if (!this.#isRegistering) void this.#register();
      return;
    }
    for (const lane of this.#lanes.values()) {
      for (const [i, entry] of lane.queue.slice(0, WINDOW).entries()) {
        if (entry.state === "sent" || (entry.state === "early" && i > 0)) continue;
        if (entry.seq < 0) {
          // Others behind the first that is not answered may have been: of it the answer is still known then.
          if (i > 0 && lane.numbered >= (lane.queue[0]?.nth as number) + WINDOW) break;
          entry.seq = lane.next;
          lane.next += entry.count;
          entry.nth = lane.numbered++;
        }
        entry.state = "sent";
        void this.#send(lane, entry, { epoch: this.#epoch, seq: entry.seq });
      }
    }
  }

  async #register(): Promise<void> {
    this.#isRegistering = true;
    try {
      this.#epoch = await this.#link.register();
    } catch (thrown) {
      // What was asked for until now is refused; what comes tries again.
      for (const { queue } of this.#lanes.values())
        for (const { reject } of queue.splice(0)) reject(toEvertError(thrown));
    } finally {
      this.#isRegistering = false;
    }
    this.#pump();
  }

  async #send(lane: Lane<Body, Answer>, entry: Entry<Body, Answer>, place: Place): Promise<void> {
    this.#underWay++;
    const began = Date.now();
    for (let attempt = 0; ; attempt++) {
      const isFirst = lane.queue[0] === entry;
      try {
        const answer = await this.#link.send(entry.topic, entry.body, place);
        this.#lost = 0;
        take(lane, entry);
        entry.resolve(answer);
        break;
      } catch (thrown) {
        const error = toEvertError(thrown);
        // Under its number it may always be sent again: also when the server has failed, which may be followed by another one.
        const again = (error.retryable || error.status >= 500) && this.#ended === null;
        if (again && (await this.#link.again(attempt, Date.now() - began))) continue;
        this.#refused(lane, entry, error, isFirst);
        break;
      }
    }
    this.#underWay--;
    this.#pump();
  }

  #refused(lane: Lane<Body, Answer>, entry: Entry<Body, Answer>, error: EvertError, isFirst: boolean): void {
    if (error.code === "fenced") {
      this.end(error);
      return;
    }
    const isDoubtful = error.code === "out_of_sequence" && isFirst && !this.#isEnding;
    // A copy of it whose connection broke may be stored piece by piece meanwhile: it is asked twice.
    const isLost = isDoubtful && entry.isDoubtful;
    entry.isDoubtful = isDoubtful;
    if (error.code === "out_of_sequence" && (!isLost || this.#lost < LOST_MAX)) {
      // Nothing is before it, and still something is missing: the topic was made anew, or the producer has been forgotten.
      if (isLost) {
        this.#lost++;
        this.#isEnding = true;
      }
      entry.state = "early";
      return;
    }
    take(lane, entry);
    this.#isEnding = true;
    entry.reject(error);
  }
}

function take<Body, Answer>({ queue }: Lane<Body, Answer>, entry: Entry<Body, Answer>): void {
  const at = queue.indexOf(entry);
  if (at >= 0) queue.splice(at, 1);
}
